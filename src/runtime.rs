//! Checks whether the current runtime has what this library needs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use tokio::runtime::Handle;

/// What a tokio runtime lacks.
///
/// A runtime that is built with `enable_all` lacks nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// There is none: the call was made outside a runtime.
    #[error("there is no tokio runtime here")]
    Missing,
    /// It was built without `enable_time`.
    #[error("the tokio runtime has no timers: build it with `enable_all`")]
    NoTimers,
    /// It was built without `enable_io`.
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

/// Whether `attempt` does not panic. If a part of a runtime is missing, tokio only panics.
fn works(attempt: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(attempt)).is_ok()
}

/// Opens a socket, which panics without I/O. Errors of the system are ignored here; they recur when
/// the server opens its own sockets.
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
