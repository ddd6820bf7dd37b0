//! How connections are accepted.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::request::Address;
use crate::guarded::{caught, caught_async};

/// Accepts connections.
pub trait Listener: Send + 'static {
    /// Where connections come from.
    type Addr: Address;
    /// What a connection is.
    type Io: Send + 'static;

    /// The next connection. Must be cancel safe: the manager drops the future when it stops.
    ///
    /// # Errors
    /// Why there is none. The manager tries again, after 5 ms and then after up to 1 s, unless the
    /// error [is fatal](Self::is_fatal); so it does after a panic.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Io, Self::Addr)>> + Send;

    /// Whether the listener will never accept again. By default it is so after errors that say
    /// that this is no listener, but not after those of single connections, and not when the
    /// system is short of file descriptors or memory.
    fn is_fatal(&self, error: &io::Error) -> bool {
        use io::ErrorKind;
        matches!(
            error.kind(),
            ErrorKind::InvalidInput
                | ErrorKind::Unsupported
                | ErrorKind::NotConnected
                | ErrorKind::BrokenPipe
                | ErrorKind::PermissionDenied
        )
    }
}

impl Listener for TcpListener {
    type Addr = SocketAddr;
    type Io = TcpStream;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, addr) = Self::accept(self).await?;
        stream.set_nodelay(true)?;
        Ok((stream, addr))
    }
}

/// The first wait after a failed accept, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));

/// What a listener has to tell.
pub(super) enum Accepted<A, Io> {
    Connection(Io, A),
    Failed { listener: usize, error: io::Error },
}

/// What the listeners have accepted.
pub(super) type AcceptQueue<A, Io> = mpsc::Receiver<Accepted<A, Io>>;

/// A [`Listener`] of any type.
pub(super) trait DynListener<A, Io>: Send {
    /// Accepts until the receiver is gone or the listener is broken.
    fn run(
        self: Box<Self>,
        index: usize,
        accepted: mpsc::Sender<Accepted<A, Io>>,
    ) -> BoxFuture<'static, ()>;
}

impl<L: Listener> DynListener<L::Addr, L::Io> for L {
    fn run(
        self: Box<Self>,
        index: usize,
        accepted: mpsc::Sender<Accepted<L::Addr, L::Io>>,
    ) -> BoxFuture<'static, ()> {
        Box::pin(accept_all(*self, index, accepted))
    }
}

fn is_fatal<L: Listener>(listener: &L, error: &io::Error) -> bool {
    caught("a listener", || listener.is_fatal(error)).unwrap_or(true)
}

async fn accept_all<L: Listener>(
    mut listener: L,
    index: usize,
    accepted: mpsc::Sender<Accepted<L::Addr, L::Io>>,
) {
    let mut wait = BACKOFF.0;
    // The room first: a connection that cannot be handed over stays in the kernel's queue.
    while let Ok(room) = accepted.reserve().await {
        let accept = async { listener.accept().await };
        let accepted = caught_async("a listener", accept).await;
        match accepted.unwrap_or_else(|| Err(io::Error::other("the listener panicked"))) {
            Ok((io, addr)) => {
                wait = BACKOFF.0;
                room.send(Accepted::Connection(io, addr));
            }
            Err(error) if is_fatal(&listener, &error) => {
                room.send(Accepted::Failed {
                    listener: index,
                    error,
                });
                return;
            }
            Err(error) => {
                tracing::warn!(listener = index, %error, ?wait, "cannot accept");
                drop(room);
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(BACKOFF.1);
            }
        }
    }
}
