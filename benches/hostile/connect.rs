//! Connections from any of the addresses that a machine has on its loopback interface.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use peermux::setup::{Established, initiate};
use peermux::{Capability, Enode, Hello, Host, SecretKey};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

pub(crate) type Problem = Box<dyn std::error::Error + Send + Sync>;

/// Where the codes of the node's protocols begin, in the order of their names.
pub(crate) const BENCH: u64 = 0x10;
pub(crate) const ECHO: u64 = BENCH + 8;
pub(crate) const UNREAD: u64 = ECHO + 2;

pub(crate) const PING: u64 = 2;

/// What the node speaks.
pub(crate) fn capabilities() -> Vec<Capability> {
    let named = |name| Capability::new(name, 1);
    [named("bench"), named("echo"), named("unread")].to_vec()
}

pub(crate) fn address_of(node: &Enode) -> SocketAddr {
    let endpoint = node.endpoint().expect("an endpoint");
    let Host::Ip(ip) = endpoint.host else {
        panic!("not an address: {node}");
    };
    SocketAddr::from((ip, endpoint.tcp))
}

/// The `number`th address of those that begin with 127 and a byte from `first` on. Neighbouring numbers are in
/// networks of their own.
pub(crate) fn source(first: u8, networks: u8, number: usize) -> Ipv4Addr {
    let (wide, rest) = (
        number % usize::from(networks),
        number / usize::from(networks),
    );
    let [low, high, ..] = rest.to_le_bytes();
    Ipv4Addr::new(127, first + wide as u8, low, 1 + high)
}

pub(crate) async fn open(from: Ipv4Addr, to: SocketAddr) -> Result<TcpStream, Problem> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    let stream = timeout(Duration::from_secs(10), socket.connect(to)).await??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Authenticates over a stream, and introduces itself with these capabilities.
pub(crate) async fn greet(
    stream: TcpStream,
    node: &Enode,
    capabilities: Vec<Capability>,
) -> Result<Established<TcpStream>, Problem> {
    let key = SecretKey::generate();
    let hello = Hello::new("hostile", capabilities, key.public_key());
    let authenticated = initiate(stream, &key, node.public_key()).await?;
    Ok(authenticated.exchange_hello(&hello).await?)
}
