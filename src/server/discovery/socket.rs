//! The UDP sockets of discovery.

use std::io;
#[cfg(feature = "discv5")]
use std::net::Ipv6Addr;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

#[cfg(feature = "discv5")]
use socket2::{Domain, Socket, Type};
use tracing::warn;

use super::Discovery;
use crate::node::Reach;

/// The bound sockets, and whether nodes of private networks take part.
pub(crate) struct Bound {
    pub(super) socket: UdpSocket,
    /// An IPv4 socket at the same port, if `socket` receives only IPv6.
    #[cfg(feature = "discv5")]
    pub(super) v4: Option<UdpSocket>,
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
    #[cfg(feature = "discv5")]
    let (socket, v4) = match discovery.v5 {
        Some(_) => by_family(socket).map_err(|error| (addr, error))?,
        None => (socket, None),
    };
    let local = socket.local_addr().map_err(|error| (addr, error))?;
    let is_private = matches!(Reach::of(local.ip()), Reach::Private | Reach::Local);
    Ok(Bound {
        socket,
        #[cfg(feature = "discv5")]
        v4,
        private_networks: discovery.private_networks.unwrap_or(is_private),
        port: local.port(),
    })
}

/// Replaces a socket for all addresses by one for each family at the same port.
///
/// Discovery v5 uses one family per socket, and would find no IPv4 nodes with a socket for both.
#[cfg(feature = "discv5")]
fn by_family(socket: UdpSocket) -> io::Result<(UdpSocket, Option<UdpSocket>)> {
    let local = socket.local_addr()?;
    if local.ip() != Ipv6Addr::UNSPECIFIED {
        return Ok((socket, None));
    }
    drop(socket);
    let v6 = Socket::new(Domain::IPV6, Type::DGRAM, None)?;
    v6.set_only_v6(true)?;
    v6.bind(&local.into())?;
    let v4 = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, local.port())).inspect_err(|error| {
        warn!(%error, port = local.port(), "discovery cannot use IPv4");
    });
    Ok((v6.into(), v4.ok()))
}
