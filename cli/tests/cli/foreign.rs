//! Servers that are no nodes: they speak another protocol, or send nothing.

use std::io::{Read, Write};
#[cfg(all(feature = "nat", target_os = "linux"))]
use std::net::{Ipv4Addr, UdpSocket};
use std::net::{SocketAddr, TcpListener};
#[cfg(all(feature = "nat", target_os = "linux"))]
use std::sync::LazyLock;
use std::thread;

use tokio::net::TcpSocket;

use crate::process::address;

/// The public key for the secret key 1, which no node in these tests has.
pub(crate) const OTHER_KEY: &str = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798\
    483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8";

/// Returns an enode URL with the address `addr` and [`OTHER_KEY`].
pub(crate) fn enode_at(addr: SocketAddr) -> String {
    format!("enode://{OTHER_KEY}@{addr}")
}

/// Returns an enode URL with the address of `enode`, but with [`OTHER_KEY`].
pub(crate) fn with_other_key(enode: &str) -> String {
    let addr = address(enode);
    format!("enode://{OTHER_KEY}@{addr}")
}

/// Returns a port that refuses connections: it is bound without a listener.
pub(crate) fn closed_port() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket
        .bind(([127, 0, 0, 1], 0).into())
        .expect("a free port");
    let addr = socket.local_addr().expect("it is bound");
    (socket, addr)
}

/// Returns a server whose connections only the kernel accepts, so it sends nothing.
pub(crate) fn silent_server() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("it is bound");
    (listener, addr)
}

/// Starts a server that closes the first connection at once.
pub(crate) fn closing_server() -> SocketAddr {
    let (listener, addr) = silent_server();
    thread::spawn(move || listener.accept().map(drop));
    addr
}

/// Starts a web server that rejects the first request.
pub(crate) fn web_server() -> SocketAddr {
    let (listener, addr) = silent_server();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept()?;
        let mut request = [0; 64];
        stream.read_exact(&mut request)?;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")?;
        stream.read_to_end(&mut Vec::new())
    });
    addr
}

/// Returns the address of a router that speaks NAT-PMP (RFC 6886).
///
/// All tests of this process share the router. It maps every port to 9.8.7.6:4097. The address is on loopback, and that of no other process.
#[cfg(all(feature = "nat", target_os = "linux"))]
pub(crate) fn router() -> Ipv4Addr {
    static ROUTER: LazyLock<Ipv4Addr> = LazyLock::new(start_router);
    *ROUTER
}

#[cfg(all(feature = "nat", target_os = "linux"))]
fn start_router() -> Ipv4Addr {
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let router = Ipv4Addr::new(127, 120, high, low.max(2));
    let socket = UdpSocket::bind((router, 5351)).expect("a free port");
    thread::spawn(move || -> std::io::Result<()> {
        let mut request = [0; 1100];
        loop {
            let (length, from) = socket.recv_from(&mut request)?;
            let answer: &[u8] = match &request[..length] {
                [0, 0] => &[0, 0x80, 0, 0, 0, 0, 0, 1, 9, 8, 7, 6],
                [0, op @ (1 | 2), _, _, port @ .., _, _, a, b, c, d] => {
                    let head = [0, 0x80 | op, 0, 0, 0, 0, 0, 1];
                    &[&head, port, &[16, 1, *a, *b, *c, *d]].concat()
                }
                // A request of another version gets an error in the format of NAT-PMP.
                _ => &[0, 0x80, 0, 1, 0, 0, 0, 1],
            };
            socket.send_to(answer, from)?;
        }
    });
    router
}
