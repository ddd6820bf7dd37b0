//! The UDP socket of discovery.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use tracing::warn;

use super::Discovery;
use crate::node::Reach;

/// The bound socket, and whether nodes of private networks take part.
pub(crate) struct Bound {
    pub(super) socket: UdpSocket,
    pub(super) private_networks: bool,
    pub(crate) port: u16,
}

/// Binds the socket to the configured address, or to the listener's.
///
/// # Errors
/// Returns the address and the system's error if the socket cannot be bound.
pub(crate) fn bind(
    discovery: &Discovery,
    listener: Option<SocketAddr>,
) -> Result<Bound, (SocketAddr, io::Error)> {
    let anywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let addr = discovery.addr.or(listener).unwrap_or(anywhere);
    let bound = UdpSocket::bind(addr).or_else(|error| {
        // Without a configured address, any other free port will do.
        if discovery.addr.is_some() || error.kind() != io::ErrorKind::AddrInUse {
            return Err(error);
        }
        UdpSocket::bind(SocketAddr::new(addr.ip(), 0)).inspect(|other| {
            let uses = other.local_addr().ok().map(tracing::field::display);
            // A firewall or a router may let only the expected port through.
            warn!(wanted = %addr, uses, "the UDP port is in use; discovery uses another one");
        })
    });
    let socket = bound.map_err(|error| (addr, error))?;
    let local = socket.local_addr().map_err(|error| (addr, error))?;
    let is_private = matches!(Reach::of(local.ip()), Reach::Private | Reach::Local);
    Ok(Bound {
        socket,
        private_networks: discovery.private_networks.unwrap_or(is_private),
        port: local.port(),
    })
}
