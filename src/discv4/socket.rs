//! Where datagrams come from and go to.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use super::packet::MAX_PACKET;

/// Datagrams that wait to be taken from an [`Inlet`].
const FED: usize = 256;

/// After this many failures of the socket in a row, nothing more is expected of it.
const FAILURES: u32 = 100;

/// Sends datagrams, for a node whose socket is another's.
pub trait DatagramSender: Send + Sync + 'static {
    /// Sends a datagram, or loses it: this must not wait.
    ///
    /// # Errors
    /// Why it could not be sent, for the log.
    fn send(&self, to: SocketAddr, datagram: &[u8]) -> io::Result<()>;
}

/// Sends by a copy of a socket, which needs no word from the runtime that there is room: that of the runtime
/// refuses the first datagram.
#[derive(Debug)]
pub struct UdpSender {
    socket: std::net::UdpSocket,
    both_families: bool,
}

impl UdpSender {
    /// Copies a socket, which does not block from now on.
    ///
    /// # Errors
    /// What the system says.
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

/// Takes datagrams that arrived at a socket of another, such as one that Node Discovery v5 serves.
#[derive(Clone)]
pub struct Inlet(mpsc::Sender<(SocketAddr, Bytes)>);

impl Inlet {
    /// Hands in a datagram that arrived from an address. Never waits: returns whether it was taken. It is
    /// not if 256 others wait, or discovery has ended.
    pub fn feed(&self, from: SocketAddr, datagram: Bytes) -> bool {
        self.0.try_send((from, datagram)).is_ok()
    }
}

impl fmt::Debug for Inlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inlet").finish_non_exhaustive()
    }
}

/// Where datagrams come from.
pub(super) enum Arrivals {
    Socket {
        socket: UdpSocket,
        /// A byte longer than any packet, so that a longer one shows.
        buffer: Box<[u8]>,
        failures: u32,
    },
    Fed {
        queue: mpsc::Receiver<(SocketAddr, Bytes)>,
        first: Option<(SocketAddr, Bytes)>,
    },
}

impl Arrivals {
    /// What arrives at a socket that does not block.
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

    /// Waits until there is a datagram; `false` if there will be none. Cancel safe.
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

    /// Hands the next datagram to `take`; `false` if there is none now.
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
