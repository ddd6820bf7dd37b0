use std::any::TypeId;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

use super::protocol_info::{InfoFns, ProtocolInfo};
use super::{Peer, ProtocolError, ProtocolHandler};
use crate::channel::{Class, ProtocolConn, ProtocolLimits};
use crate::message::{Message, WireMessage};
use crate::node::NodeId;
use crate::p2p::Capability;

type RunFuture = Pin<Box<dyn Future<Output = Result<(), ProtocolError>> + Send>>;
type RunFn = dyn Fn(Peer, ProtocolConn) -> RunFuture + Send + Sync;

/// A registered subprotocol, cheap to clone.
///
/// A protocol consists of the capability, the number of message codes, the limits and the function
/// that runs it with each peer.
#[derive(Clone)]
pub struct Protocol {
    capability: Capability,
    length: u64,
    limits: ProtocolLimits,
    class: Class,
    weight: u32,
    /// The type of the protocol's messages.
    messages: TypeId,
    run: Arc<RunFn>,
    info: InfoFns,
}

impl Protocol {
    /// Starts the definition of a protocol of raw messages with `length` message codes.
    ///
    /// Both sides of a connection must use the same name, version and length; the length is not
    /// transmitted. A name consists of 1 to 8 ASCII characters and must not be `p2p`. A server
    /// checks this when it starts.
    ///
    /// ```
    /// use peermux::{Message, Protocol};
    ///
    /// let protocol = Protocol::builder("mirror", 1, 1).run(|_peer, mut conn| async move {
    ///     while let Some(message) = conn.recv().await? {
    ///         conn.send(&message).await?;
    ///     }
    ///     Ok(())
    /// });
    /// assert_eq!(protocol.length(), 1);
    /// ```
    pub fn builder(name: &str, version: u64, length: u64) -> ProtocolBuilder {
        ProtocolBuilder::new(Capability::new(name, version), length)
    }

    /// Starts the definition of a protocol of typed messages.
    ///
    /// `M` states the number of codes. A message type that states no number, such as the type of
    /// raw messages, does not compile:
    ///
    /// ```compile_fail
    /// let protocol = peermux::Protocol::typed::<peermux::Message>("mirror", 1);
    /// let _ = protocol.run(|_peer, _conn| async move { Ok(()) });
    /// ```
    pub fn typed<M: WireMessage>(name: &str, version: u64) -> ProtocolBuilder<M> {
        let length = const {
            match M::LENGTH {
                Some(length) => length,
                None => panic!("this set of messages does not state its length"),
            }
        };
        ProtocolBuilder::new(Capability::new(name, version), length)
    }

    /// Registers a type that implements [`ProtocolHandler`].
    #[must_use]
    pub fn new<P: ProtocolHandler>(protocol: P) -> Self {
        let protocol = Arc::new(protocol);
        let (node, peer) = (Arc::clone(&protocol), Arc::clone(&protocol));
        ProtocolBuilder::<P::Message>::new(Capability::new(P::NAME, P::VERSION), P::LENGTH)
            .limits(protocol.limits())
            .class(protocol.class())
            .weight(protocol.weight())
            .node_info(move || node.node_info())
            .peer_info(move |id| peer.peer_info(id))
            .run(move |peer, conn| Arc::clone(&protocol).run(peer, conn))
    }

    /// The protocol's name and version.
    #[must_use]
    pub fn capability(&self) -> &Capability {
        &self.capability
    }

    /// The number of message codes that the protocol uses.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The protocol's bounds on each connection.
    #[must_use]
    pub fn limits(&self) -> ProtocolLimits {
        self.limits
    }

    /// The urgency of the protocol's messages, compared with those of other protocols.
    #[must_use]
    pub fn class(&self) -> Class {
        self.class
    }

    /// The protocol's share of a busy connection, relative to other protocols of its class.
    #[must_use]
    pub fn weight(&self) -> u32 {
        self.weight
    }

    pub(crate) fn messages(&self) -> TypeId {
        self.messages
    }

    pub(crate) fn start(&self, peer: Peer, conn: ProtocolConn) -> RunFuture {
        (self.run)(peer, conn)
    }

    /// Returns the protocol's description of this node, or [`ProtocolInfo::unknown`] without one.
    #[must_use]
    pub fn node_info(&self) -> ProtocolInfo {
        self.info.of_node()
    }

    /// Returns the protocol's description of one peer.
    ///
    /// Returns `None` while the protocol's own handshake runs, and [`ProtocolInfo::unknown`] if the
    /// protocol has no description.
    #[must_use]
    pub fn peer_info(&self, id: &NodeId) -> Option<ProtocolInfo> {
        self.info.of_peer(*id)
    }

    /// Like [`peer_info`](Self::peer_info), but returns `"handshake"` instead of `None`.
    #[cfg(feature = "serde")]
    pub(crate) fn info_or_handshake(&self, id: NodeId) -> ProtocolInfo {
        let info = self.info.of_peer(id);
        info.unwrap_or_else(|| ProtocolInfo::text("handshake"))
    }
}

impl<P: ProtocolHandler> From<P> for Protocol {
    fn from(protocol: P) -> Self {
        Self::new(protocol)
    }
}

impl fmt::Debug for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Protocol({}, {} codes)", self.capability, self.length)
    }
}

/// Builds a [`Protocol`]; [`run`](Self::run) completes the definition.
#[must_use]
pub struct ProtocolBuilder<M = Message> {
    capability: Capability,
    length: u64,
    limits: ProtocolLimits,
    class: Class,
    weight: u32,
    info: InfoFns,
    messages: PhantomData<fn() -> M>,
}

impl<M: WireMessage> ProtocolBuilder<M> {
    fn new(capability: Capability, length: u64) -> Self {
        Self {
            capability,
            length,
            limits: ProtocolLimits::default(),
            class: Class::default(),
            weight: 1,
            info: InfoFns::default(),
            messages: PhantomData,
        }
    }

    /// Sets the bounds on each connection.
    pub fn limits(mut self, limits: ProtocolLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the urgency of the protocol's messages, compared with those of other protocols.
    ///
    /// Default: [`Class::Normal`].
    pub fn class(mut self, class: Class) -> Self {
        self.class = class;
        self
    }

    /// Sets the protocol's share of a busy connection, by bytes.
    ///
    /// The share is relative to other protocols of the same class. Range: 1 to 100; default: 1.
    pub fn weight(mut self, weight: u32) -> Self {
        self.weight = weight.clamp(1, 100);
        self
    }

    /// Sets the function that describes this node.
    pub fn node_info(mut self, info: impl Fn() -> ProtocolInfo + Send + Sync + 'static) -> Self {
        self.info.node = Some(Arc::new(info));
        self
    }

    /// Sets the function that describes a peer.
    ///
    /// The function should return `None` while the protocol's own handshake with the peer runs.
    pub fn peer_info(
        mut self,
        info: impl Fn(NodeId) -> Option<ProtocolInfo> + Send + Sync + 'static,
    ) -> Self {
        self.info.peer = Some(Arc::new(info));
        self
    }

    /// Sets the function that runs the protocol with each peer, and completes the definition.
    ///
    /// The peer is disconnected when the function returns. After `Ok`, all queued messages are
    /// written first, and the reason is
    /// [`CLIENT_QUITTING`](crate::DisconnectReason::CLIENT_QUITTING). After an error, queued
    /// messages are dropped, and the reason is [`ProtocolError::reason`]. The function must return
    /// soon after [`ProtocolConn::recv`] has returned `None` or a send has failed. Otherwise it is
    /// aborted after the grace period.
    pub fn run<F, Fut>(self, run: F) -> Protocol
    where
        F: Fn(Peer, ProtocolConn<M>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), ProtocolError>> + Send + 'static,
    {
        Protocol {
            capability: self.capability,
            length: self.length,
            limits: self.limits,
            class: self.class,
            weight: self.weight,
            messages: TypeId::of::<M>(),
            run: Arc::new(move |peer, conn| Box::pin(run(peer, conn.retyped()))),
            info: self.info,
        }
    }
}

impl<M> fmt::Debug for ProtocolBuilder<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ProtocolBuilder({}, {} codes)",
            self.capability, self.length
        )
    }
}
