use std::net::SocketAddr;

use tokio::time::Instant;

use super::Direction;
use crate::node::PublicKey;
use crate::rlpx::ChannelBinding;

/// Facts about a connection that the encryption handshake establishes.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) public_key: PublicKey,
    pub(crate) binding: ChannelBinding,
    pub(crate) direction: Direction,
    pub(crate) local: Option<SocketAddr>,
    pub(crate) remote: Option<SocketAddr>,
    /// When auth and ack were done, before any other message of the remote.
    pub(crate) since: Instant,
}
