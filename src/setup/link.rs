use std::net::SocketAddr;

use tokio::time::Instant;

use super::Direction;
use crate::node::PublicKey;
use crate::rlpx::ChannelBinding;

/// Properties of a connection that are known after the encryption handshake.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) public_key: PublicKey,
    pub(crate) binding: ChannelBinding,
    pub(crate) direction: Direction,
    pub(crate) local: Option<SocketAddr>,
    pub(crate) remote: Option<SocketAddr>,
    /// When auth and ack were complete, before the remote's next message.
    pub(crate) since: Instant,
}
