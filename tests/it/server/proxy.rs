//! A custom dialer for a SOCKS5 proxy, with a real SOCKS5 server.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use peermux::connmgr::{ConnectError as RawError, Dialer};
use peermux::node::Host;
use peermux::{DialError, Direction};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;
use tokio_socks::tcp::Socks5Stream;

use super::*;

/// A dialer that connects through a proxy, which also resolves names.
struct ProxyDialer {
    proxy: SocketAddr,
}

impl Dialer for ProxyDialer {
    type Addr = Enode;
    type Io = TcpStream;

    async fn dial(&self, node: &Enode) -> Result<TcpStream, RawError> {
        let endpoint = node.endpoint().ok_or(RawError::Unreachable)?;
        let host = match &endpoint.host {
            Host::Ip(ip) => ip.to_string(),
            Host::Dns(name) => name.clone(),
        };
        let stream = Socks5Stream::connect(self.proxy, (host.as_str(), endpoint.tcp)).await;
        stream
            .map(Socks5Stream::into_inner)
            .map_err(|error| match error {
                tokio_socks::Error::Io(error) => error.into(),
                tokio_socks::Error::ConnectionRefused => RawError::Refused,
                tokio_socks::Error::HostUnreachable => RawError::Unreachable,
                error => io::Error::other(error).into(),
            })
    }
}

/// Starts a SOCKS5 server (RFC 1928).
///
/// It requires no authentication, and supports CONNECT to an IPv4 address or a name.
async fn proxy(served: Arc<AtomicUsize>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let served = Arc::clone(&served);
            // A client that disconnects ends only its own connection.
            tokio::spawn(async move { serve(stream, &served).await.ok() });
        }
    });
    addr
}

async fn serve(mut client: TcpStream, served: &AtomicUsize) -> io::Result<()> {
    let mut greeting = [0; 2];
    client.read_exact(&mut greeting).await?;
    let mut methods = vec![0; usize::from(greeting[1])];
    client.read_exact(&mut methods).await?;
    client.write_all(&[5, 0]).await?;
    let mut request = [0; 4];
    client.read_exact(&mut request).await?;
    assert_eq!(request[..3], [5, 1, 0], "a CONNECT");
    let host = match request[3] {
        1 => Ipv4Addr::from(client.read_u32().await?).to_string(),
        3 => {
            let mut name = vec![0; usize::from(client.read_u8().await?)];
            client.read_exact(&mut name).await?;
            String::from_utf8(name).unwrap()
        }
        kind => panic!("address type {kind}"),
    };
    let port = client.read_u16().await?;
    match TcpStream::connect((host.as_str(), port)).await {
        Ok(mut target) => {
            served.fetch_add(1, Ordering::Relaxed);
            client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
            copy_bidirectional(&mut client, &mut target).await?;
        }
        Err(_) => client.write_all(&[5, 5, 0, 1, 0, 0, 0, 0, 0, 0]).await?,
    }
    Ok(())
}

#[tokio::test]
async fn a_node_is_dialled_through_a_proxy_by_address_and_by_name() {
    let served = Arc::new(AtomicUsize::new(0));
    let proxy = proxy(Arc::clone(&served)).await;
    let listens = Server::builder(key()).protocol(idle("test"));
    let listens = listens.listen("127.0.0.1:0".parse().unwrap());
    let listens = listens.start().await.unwrap();
    let addr = listens.local_addr().unwrap();
    let name = format!(
        "enode://{}@localhost:{}",
        listens.enode().public_key(),
        addr.port()
    );
    let nodes = [listens.enode(), name.parse().unwrap()];
    for (node, count) in nodes.iter().zip(1..) {
        let server = Server::builder(key()).protocol(idle("test"));
        let server = server.dialer(ProxyDialer { proxy }).start().await.unwrap();
        let peer = server.dial(node).await.expect("connects");
        assert_eq!(
            (peer.id(), peer.direction()),
            (listens.id(), Direction::Outbound)
        );
        assert_eq!(peer.remote_addr(), Some(proxy));
        assert_eq!(served.load(Ordering::Relaxed), count);
        server.shutdown(LONG).await.unwrap();
    }

    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let server = Server::builder(key()).dialer(ProxyDialer { proxy });
    let server = server.start().await.unwrap();
    let error = server
        .dial(&stranger(&closed.to_string()))
        .await
        .unwrap_err();
    let refused = io::ErrorKind::ConnectionRefused;
    assert!(
        matches!(&error, DialError::Connect { source, .. } if source.kind() == refused),
        "{error}"
    );
}
