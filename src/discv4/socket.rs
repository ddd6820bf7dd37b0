//! Sources and destinations of datagrams.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use super::packet::MAX_PACKET;

/// Capacity of an [`Inlet`] in datagrams.
const FED: usize = 256;

/// Consecutive failures after which the socket counts as broken.
const FAILURES: u32 = 100;

/// Sends datagrams for a node that does not own its socket.
pub trait DatagramSender: Send + Sync + 'static {
    /// Sends a datagram or drops it; must not wait.
    ///
    /// # Errors
    /// The reason why the datagram could not be sent, for the log.
    fn send(&self, to: SocketAddr, datagram: &[u8]) -> io::Result<()>;
}

/// Sends through a duplicate of a socket.
///
/// tokio's own socket would refuse the first datagram, because tokio does not know yet that the
/// socket is writable. The duplicate sends without that knowledge.
#[derive(Debug)]
pub struct UdpSender {
    socket: std::net::UdpSocket,
    both_families: bool,
}

impl UdpSender {
    /// Duplicates a socket and makes it non-blocking.
    ///
    /// # Errors
    /// The operating system's error if the socket cannot be duplicated.
    pub fn of(socket: &std::net::UdpSocket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self {
            both_families: socket.local_addr()?.is_ipv6(),
            socket: socket.try_clone()?,
        })
    }
}

impl DatagramSender for UdpSender {
    fn send(&self, to: SocketAddr, datagram: &[u8]) -> io::Result<()> {
        let to = match to.ip() {
            IpAddr::V4(ip) if self.both_families => {
                SocketAddr::new(ip.to_ipv6_mapped().into(), to.port())
            }
            _ => to,
        };
        self.socket.send_to(datagram, to).map(drop)
    }
}

/// Takes datagrams from a shared socket, for example that of Node Discovery v5.
#[derive(Clone)]
pub struct Inlet(mpsc::Sender<(SocketAddr, Bytes)>);

impl Inlet {
    /// Passes in a datagram that arrived from `from`; returns whether it was accepted.
    ///
    /// The call never waits. It returns false if 256 datagrams are queued, or if discovery has
    /// ended.
    pub fn feed(&self, from: SocketAddr, datagram: Bytes) -> bool {
        self.0.try_send((from, datagram)).is_ok()
    }
}

impl fmt::Debug for Inlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inlet").finish_non_exhaustive()
    }
}

/// A source of datagrams.
pub(super) enum Arrivals {
    Socket {
        socket: UdpSocket,
        /// One byte longer than any packet, to detect longer ones.
        buffer: Box<[u8]>,
        failures: u32,
    },
    Fed {
        queue: mpsc::Receiver<(SocketAddr, Bytes)>,
        first: Option<(SocketAddr, Bytes)>,
    },
}

impl Arrivals {
    /// Receives from a non-blocking socket.
    pub(super) fn at(socket: std::net::UdpSocket) -> io::Result<Self> {
        Ok(Self::Socket {
            socket: UdpSocket::from_std(socket)?,
            buffer: vec![0; MAX_PACKET + 1].into(),
            failures: 0,
        })
    }

    pub(super) fn fed() -> (Inlet, Self) {
        let (inlet, queue) = mpsc::channel(FED);
        (Inlet(inlet), Self::Fed { queue, first: None })
    }

    /// Waits for a datagram; returns false if none will arrive. Cancel safe.
    pub(super) async fn wait(&mut self) -> bool {
        match self {
            Self::Socket {
                socket, failures, ..
            } => *failures < FAILURES && socket.readable().await.is_ok(),
            Self::Fed { queue, first } => {
                if first.is_none() {
                    *first = queue.recv().await;
                }
                first.is_some()
            }
        }
    }

    /// Passes the next datagram to `take`; returns false if there is none now.
    pub(super) fn take(&mut self, take: impl FnOnce(SocketAddr, &[u8])) -> bool {
        match self {
            Self::Socket {
                socket,
                buffer,
                failures,
            } => match socket.try_recv_from(buffer) {
                Ok((length, from)) => {
                    *failures = 0;
                    take(from, buffer.get(..length).unwrap_or_default());
                    true
                }
                Err(error) => {
                    if error.kind() != io::ErrorKind::WouldBlock {
                        *failures = failures.saturating_add(1);
                        tracing::debug!(%error, "cannot receive a datagram");
                    }
                    false
                }
            },
            Self::Fed { queue, first } => {
                let next = first.take().or_else(|| queue.try_recv().ok());
                match next {
                    Some((from, datagram)) => {
                        take(from, &datagram);
                        true
                    }
                    None => false,
                }
            }
        }
    }
}
