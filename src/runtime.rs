//! Checks whether the current runtime has the drivers that this library needs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use tokio::runtime::Handle;

/// The part that a tokio runtime lacks.
///
/// A runtime that is built with `enable_all` lacks nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// There is no runtime: the call was made outside one.
    #[error("there is no tokio runtime here")]
    Missing,
    /// The runtime was built without `enable_time`.
    #[error("the tokio runtime has no timers: build it with `enable_all`")]
    NoTimers,
    /// The runtime was built without `enable_io`.
    #[error("the tokio runtime has no I/O: build it with `enable_all`")]
    NoIo,
}

/// Returns the runtime, if it has timers.
pub(crate) fn with_timers() -> Result<Handle, RuntimeError> {
    let handle = Handle::try_current().map_err(|_| RuntimeError::Missing)?;
    if works(|| drop(tokio::time::sleep(Duration::ZERO))) {
        Ok(handle)
    } else {
        Err(RuntimeError::NoTimers)
    }
}

/// Returns the runtime, if it has timers and sockets.
pub(crate) fn with_io() -> Result<Handle, RuntimeError> {
    let handle = with_timers()?;
    if works(open_socket) {
        Ok(handle)
    } else {
        Err(RuntimeError::NoIo)
    }
}

/// Returns whether `attempt` completes without a panic. This check is needed because tokio reports
/// a missing part of a runtime only by a panic.
fn works(attempt: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(attempt)).is_ok()
}

/// Opens a socket, which panics if the runtime has no I/O. The operating system's errors are
/// ignored here, because they recur when the server opens its own sockets.
fn open_socket() {
    #[cfg(unix)]
    drop(tokio::net::UnixDatagram::pair());
    #[cfg(not(unix))]
    if let Ok(socket) = std::net::UdpSocket::bind((std::net::Ipv4Addr::LOCALHOST, 0))
        && socket.set_nonblocking(true).is_ok()
    {
        drop(tokio::net::UdpSocket::from_std(socket));
    }
}
