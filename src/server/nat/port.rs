//! What a router is asked for, and what it answers.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// The protocol of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PortProtocol {
    /// TCP, for connections.
    Tcp,
    /// UDP, for discovery.
    Udp,
}

/// What a [`Gateway`](super::Gateway) is asked to map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PortRequest {
    /// The protocol.
    pub protocol: PortProtocol,
    /// Where the node listens: an address of this machine, or one that stands for all, and a port.
    pub local: SocketAddr,
    /// The port of the router that is wanted; it may map another one.
    pub external: u16,
    /// How long it is to last.
    pub lease: Duration,
}

/// What a [`Gateway`](super::Gateway) maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortMapping {
    /// Where others reach the node.
    pub external: SocketAddr,
    /// How long, if it ends by itself.
    pub lease: Option<Duration>,
}

impl fmt::Display for PortProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        })
    }
}
