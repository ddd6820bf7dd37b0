use std::fmt;
use std::net::SocketAddr;

use bytes::BytesMut;
use tokio_util::codec::{Framed, FramedParts};

use super::link::Link;
use super::{Direction, Wire};
use crate::node::{NodeId, PublicKey};
use crate::p2p::{DisconnectReason, Hello};
use crate::p2p::{RawMessage, RlpxCodec};
use crate::rlpx::ChannelBinding;
use crate::transport::Transport;

/// Both halves of a transport, joined into one stream.
pub type Joined<T> = tokio::io::Join<<T as Transport>::Reader, <T as Transport>::Writer>;

/// A connection after both Hellos; the caller can still refuse it.
///
/// Usually it becomes a peer, through [`PeerDriver::new`](crate::driver::PeerDriver::new). Tools
/// that exchange single messages use [`into_framed`](Self::into_framed).
pub struct Established<T: Transport> {
    pub(crate) wire: Box<Wire<T>>,
    pub(crate) link: Link,
    pub(crate) hello: Hello,
}

impl<T: Transport> Established<T> {
    pub(super) fn new(wire: Box<Wire<T>>, link: Link, hello: Hello) -> Self {
        Self { wire, link, hello }
    }

    /// Returns the remote's Hello.
    #[must_use]
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    /// Returns the remote's static key, which the handshake proved.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.link.public_key
    }

    /// Returns the remote's node id.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.link.public_key.node_id()
    }

    /// Returns the direction of the connection.
    #[must_use]
    pub fn direction(&self) -> Direction {
        self.link.direction
    }

    /// Returns the remote address, if the transport has one.
    #[must_use]
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.link.remote
    }

    /// Returns the value that binds signatures to this connection.
    #[must_use]
    pub fn channel_binding(&self) -> &ChannelBinding {
        &self.link.binding
    }

    /// Sends a Disconnect, then closes gracefully, within 3 s.
    pub async fn refuse(self, reason: DisconnectReason) {
        self.wire.refuse(reason).await;
    }

    /// Returns the connection as a stream and sink of raw messages.
    ///
    /// The caller has to answer Pings and to enforce timeouts.
    #[must_use]
    pub fn into_framed(self) -> Framed<Joined<T>, RlpxCodec> {
        let Wire {
            reader,
            writer,
            ingress,
            egress,
            mut buffer,
            // `unsent` is empty, because the ack was sent with our Hello.
            unsent: _,
        } = *self.wire;
        let stream = tokio::io::join(reader, writer);
        let mut parts = FramedParts::new::<RawMessage>(stream, RlpxCodec::new(egress, ingress));
        parts.read_buf = BytesMut::from(&*buffer.filled());
        Framed::from_parts(parts)
    }
}

impl<T: Transport> fmt::Debug for Established<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Established")
            .field("link", &self.link)
            .field("hello", &self.hello)
            .finish_non_exhaustive()
    }
}
