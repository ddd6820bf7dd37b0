//! The UDP socket of discovery.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use super::Discovery;
use crate::node::Reach;

/// The bound socket, and whether nodes of private networks take part.
pub(crate) struct Bound {
    pub(super) socket: UdpSocket,
    pub(super) private_networks: bool,
    pub(crate) port: u16,
}

/// Binds the socket at the configured address, or at the listener's.
///
/// # Errors
/// The address and the system's error.
pub(crate) fn bind(
    discovery: &Discovery,
    listener: Option<SocketAddr>,
) -> Result<Bound, (SocketAddr, io::Error)> {
    let anywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let addr = discovery.addr.or(listener).unwrap_or(anywhere);
    let bound = UdpSocket::bind(addr).or_else(|error| {
        // Without a configured address any other free port will do.
        let any = discovery.addr.is_none() && error.kind() == io::ErrorKind::AddrInUse;
        if any {
            UdpSocket::bind(SocketAddr::new(addr.ip(), 0))
        } else {
            Err(error)
        }
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
