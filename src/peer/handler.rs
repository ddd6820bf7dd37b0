use std::future::Future;
use std::sync::Arc;

use super::{Peer, ProtocolError, ProtocolInfo};
use crate::channel::{Class, ProtocolConn, ProtocolLimits};
use crate::message::WireMessage;
use crate::node::NodeId;

/// A subprotocol that is implemented as a type, usually because it has its own state.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// use peermux::{Peer, Protocol, ProtocolConn, ProtocolError, ProtocolHandler, messages};
///
/// messages! {
///     pub enum Tick, length = 1 {
///         0x00 => Beat,
///     }
/// }
///
/// #[derive(Default)]
/// struct Counter(AtomicU64);
///
/// impl ProtocolHandler for Counter {
///     type Message = Tick;
///     const NAME: &'static str = "tick";
///     const VERSION: u64 = 1;
///
///     async fn run(
///         self: Arc<Self>,
///         _peer: Peer,
///         mut conn: ProtocolConn<Tick>,
///     ) -> Result<(), ProtocolError> {
///         while conn.recv().await?.is_some() {
///             self.0.fetch_add(1, Ordering::Relaxed);
///         }
///         Ok(())
///     }
/// }
///
/// assert_eq!(Protocol::new(Counter::default()).length(), 1);
/// ```
pub trait ProtocolHandler: Send + Sync + 'static {
    /// The message type: an enum made with [`messages!`](crate::messages), or
    /// [`Message`](crate::Message).
    type Message: WireMessage;
    /// The capability's name.
    const NAME: &'static str;
    /// The capability's version.
    const VERSION: u64;
    /// The number of message codes.
    ///
    /// The type of raw messages states no number of codes, so a protocol with raw messages does not
    /// compile without a value here.
    const LENGTH: u64 = match Self::Message::LENGTH {
        Some(length) => length,
        None => panic!("this set of messages does not state its length: set LENGTH"),
    };

    /// Runs the protocol with one peer; see [`ProtocolBuilder::run`](crate::ProtocolBuilder::run).
    fn run(
        self: Arc<Self>,
        peer: Peer,
        conn: ProtocolConn<Self::Message>,
    ) -> impl Future<Output = Result<(), ProtocolError>> + Send;

    /// The bounds on each connection.
    fn limits(&self) -> ProtocolLimits {
        ProtocolLimits::default()
    }

    /// The urgency of the protocol's messages, compared with those of other protocols.
    fn class(&self) -> Class {
        Class::default()
    }

    /// The protocol's share of a busy connection, relative to other protocols of its class.
    fn weight(&self) -> u32 {
        1
    }

    /// Returns the protocol's description of this node.
    fn node_info(&self) -> ProtocolInfo {
        ProtocolInfo::unknown()
    }

    /// Returns the protocol's description of a peer, or `None` during the protocol's own handshake.
    fn peer_info(&self, _id: NodeId) -> Option<ProtocolInfo> {
        Some(ProtocolInfo::unknown())
    }
}
