//! Listeners, which accept connections.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::request::Address;
use crate::complaints::Complaints;
use crate::guarded::{caught, caught_async};

/// Accepts connections.
pub trait Listener: Send + 'static {
    /// The type of addresses.
    type Addr: Address;
    /// The type of a connection's stream.
    type Io: Send + 'static;

    /// Returns the next connection.
    ///
    /// Must be cancel safe: the manager drops the future when it stops.
    ///
    /// # Errors
    /// The reason for which accepting failed. Unless the error [is fatal](Self::is_fatal), the
    /// manager tries again after a wait of 5 ms, which doubles with each failure up to 1 s. It does
    /// the same after a panic.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Io, Self::Addr)>> + Send;

    /// Returns whether the listener will never accept again after this error.
    ///
    /// By default the only fatal system error is that the descriptor is not a socket. All other
    /// system errors may be temporary: a single connection may fail in many ways, a firewall may
    /// refuse a connection (`EPERM`), or the system may lack file descriptors or memory. An error
    /// that is not a system error is fatal if it reports that there is nothing to accept from.
    fn is_fatal(&self, error: &io::Error) -> bool {
        use io::ErrorKind;
        match error.raw_os_error() {
            Some(code) => NO_SOCKET.contains(&code),
            None => matches!(
                error.kind(),
                ErrorKind::InvalidInput
                    | ErrorKind::Unsupported
                    | ErrorKind::NotConnected
                    | ErrorKind::BrokenPipe
            ),
        }
    }
}

/// `EBADF` and `ENOTSOCK`: the descriptor is no longer a socket.
const NO_SOCKET: [i32; 2] = if cfg!(any(target_os = "linux", target_os = "android")) {
    [9, 88]
} else if cfg!(unix) {
    [9, 38]
} else {
    [6, 10038]
};

impl Listener for TcpListener {
    type Addr = SocketAddr;
    type Io = TcpStream;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        loop {
            let (stream, addr) = Self::accept(self).await?;
            match stream.set_nodelay(true) {
                Ok(()) => return Ok((stream, addr)),
                // The remote may already have closed the connection.
                Err(error) => tracing::debug!(%addr, %error, "closed an accepted connection"),
            }
        }
    }
}

/// The first and the maximum wait after a failed accept.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));

/// The result of one accept, or the failure of the listener.
pub(super) enum Accepted<A, Io> {
    Connection(Io, A),
    Failed { listener: usize, error: io::Error },
}

/// The queue of accepted connections.
pub(super) type AcceptQueue<A, Io> = mpsc::Receiver<Accepted<A, Io>>;

/// A [`Listener`] of any type.
pub(super) trait DynListener<A, Io>: Send {
    /// Accepts until the receiver is gone or the listener fails for good.
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
    let (mut wait, mut complaints) = (BACKOFF.0, Complaints::default());
    // Reserve room first, so that a connection that cannot be delivered stays in the kernel's
    // queue.
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
                if let Some(held_back) = complaints.next(Instant::now()) {
                    tracing::warn!(listener = index, %error, held_back, "cannot accept");
                }
                drop(room);
                tokio::time::sleep(wait).await;
                wait = wait.saturating_mul(2).min(BACKOFF.1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_error_of_one_connection_does_not_end_a_listener() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let is_fatal = |code| listener.is_fatal(&io::Error::from_raw_os_error(code));
        // EPERM, ENOMEM, EINVAL, EMFILE, ENFILE, EPROTO, EOPNOTSUPP, ECONNABORTED, EHOSTUNREACH.
        for code in [1, 12, 22, 24, 23, 71, 95, 103, 113] {
            assert!(!is_fatal(code), "{code}");
        }
        assert!(NO_SOCKET.into_iter().all(is_fatal));
        assert!(listener.is_fatal(&io::ErrorKind::BrokenPipe.into()));
    }
}
