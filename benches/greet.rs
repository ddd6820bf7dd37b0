//! Connections that a benchmark makes without a server.

use std::net::SocketAddr;

use peermux::setup::{Established, initiate};
use peermux::{Capability, Enode, Hello, Host, SecretKey};
use tokio::net::TcpStream;

pub(crate) type Problem = Box<dyn std::error::Error + Send + Sync>;

/// Returns the listen address of a node on this machine.
pub(crate) fn address_of(node: &Enode) -> SocketAddr {
    let endpoint = node.endpoint().expect("an endpoint");
    let Host::Ip(ip) = endpoint.host else {
        panic!("not an address: {node}");
    };
    SocketAddr::from((ip, endpoint.tcp))
}

/// Authenticates over a stream and sends a Hello with these capabilities.
pub(crate) async fn greet(
    stream: TcpStream,
    node: &Enode,
    key: &SecretKey,
    capabilities: Vec<Capability>,
) -> Result<Established<TcpStream>, Problem> {
    let hello = Hello::new("bench", capabilities, key.public_key());
    let authenticated = initiate(stream, key, node.public_key()).await?;
    Ok(authenticated.exchange_hello(&hello).await?)
}
