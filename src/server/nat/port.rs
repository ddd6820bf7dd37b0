//! A request to a router for a mapping, and the router's answer.

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

/// A request to a [`Gateway`](super::Gateway) for a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PortRequest {
    /// The protocol.
    pub protocol: PortProtocol,
    /// The node's listening address and port. The address may be unspecified.
    pub local: SocketAddr,
    /// The requested port on the router. The router may map another port.
    pub external: u16,
    /// The requested lifetime of the mapping.
    pub lease: Duration,
}

/// A mapping by a [`Gateway`](super::Gateway).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortMapping {
    /// The address at which others reach the node.
    pub external: SocketAddr,
    /// The lifetime, if the mapping expires.
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
