use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::handle::Inner;
use super::{DialError, setup};
use crate::node::{Endpoint, Enode, Host, PublicKey};
use crate::peer::{Direction, Peer};
use crate::transport::Transport;

pub(crate) async fn dial(inner: &Arc<Inner>, node: &Enode) -> Result<Peer, DialError> {
    let id = node.node_id();
    inner
        .peers
        .check(&id, Direction::Outbound)
        .map_err(|reason| DialError::Unwanted { id, reason })?;
    let connect = async {
        let addr = resolve(node).await?;
        let stream = TcpStream::connect(addr).await;
        let stream = stream.and_then(|stream| inner.limits.socket.apply(&stream).map(|()| stream));
        stream.map_err(|source| DialError::Connect {
            id,
            addr: Some(addr),
            source,
        })
    };
    let stream = timeout(inner.limits.connect_timeout, connect)
        .await
        .unwrap_or_else(|_| {
            let addr = node.endpoint().and_then(Endpoint::socket_addr);
            Err(DialError::Connect {
                id,
                addr,
                source: io::ErrorKind::TimedOut.into(),
            })
        })?;
    dial_over(inner, stream, node.public_key()).await
}

async fn resolve(node: &Enode) -> Result<SocketAddr, DialError> {
    let id = node.node_id();
    let endpoint = node.endpoint().filter(|endpoint| endpoint.tcp != 0);
    let endpoint = endpoint.ok_or(DialError::NoEndpoint { id })?;
    let host = match &endpoint.host {
        Host::Ip(ip) => return Ok(SocketAddr::new(*ip, endpoint.tcp)),
        Host::Dns(host) => host,
    };
    let resolved = lookup_host((host.as_str(), endpoint.tcp)).await;
    resolved
        .and_then(|mut addrs| addrs.next().ok_or_else(|| io::ErrorKind::NotFound.into()))
        .map_err(|source| DialError::Resolve {
            id,
            host: host.clone(),
            source,
        })
}

pub(crate) async fn dial_over<T: Transport>(
    inner: &Arc<Inner>,
    stream: T,
    remote: &PublicKey,
) -> Result<Peer, DialError> {
    let id = remote.node_id();
    inner
        .peers
        .check(&id, Direction::Outbound)
        .map_err(|reason| DialError::Unwanted { id, reason })?;
    let addr = stream.remote_addr();
    let peer = setup::outbound(inner, stream, remote).await;
    peer.map_err(|error| DialError::Setup {
        id,
        addr,
        source: Box::new(error),
    })
}
