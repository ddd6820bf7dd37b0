//! Connections from any loopback address.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use peermux::Capability;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::greet::Problem;

/// The first codes of the node's protocols, which are ordered by name.
pub(crate) const BENCH: u64 = 0x10;
pub(crate) const ECHO: u64 = BENCH + 8;
pub(crate) const UNREAD: u64 = ECHO + 2;

pub(crate) const PING: u64 = 2;

/// The first code of comm for a remote that speaks nothing else.
pub(crate) const COMM: u64 = 0x10;

/// The node's capabilities besides comm.
pub(crate) fn capabilities() -> Vec<Capability> {
    let named = |name| Capability::new(name, 1);
    [named("bench"), named("echo"), named("unread")].to_vec()
}

/// Returns the `number`th address that begins with 127 and a byte from `first` on. Consecutive
/// numbers are in different networks.
pub(crate) fn source(first: u8, networks: u8, number: usize) -> Ipv4Addr {
    let (wide, rest) = (
        number % usize::from(networks),
        number / usize::from(networks),
    );
    let [low, high, ..] = rest.to_le_bytes();
    Ipv4Addr::new(127, first + wide as u8, low, 1 + high)
}

pub(crate) fn comm() -> Vec<Capability> {
    vec![Capability::new("comm", 1)]
}

pub(crate) async fn open(from: Ipv4Addr, to: SocketAddr) -> Result<TcpStream, Problem> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    let stream = timeout(Duration::from_secs(10), socket.connect(to)).await??;
    stream.set_nodelay(true)?;
    Ok(stream)
}
