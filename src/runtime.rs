//! Whether the runtime around a call has what this library needs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use tokio::runtime::Handle;

/// What a tokio runtime lacks. One that is made with `enable_all` lacks nothing.
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
    #[error("the tokio runtime has no input and output: build it with `enable_all`")]
    NoIo,
}

/// Returns the runtime, if it has timers.
pub(crate) fn with_timers() -> Result<Handle, RuntimeError> {
    let handle = Handle::try_current().map_err(|_| RuntimeError::Missing)?;
    match works(|| drop(tokio::time::sleep(Duration::ZERO))) {
        true => Ok(handle),
        false => Err(RuntimeError::NoTimers),
    }
}

/// Returns the runtime, if it has timers and sockets.
pub(crate) fn with_io() -> Result<Handle, RuntimeError> {
    let handle = with_timers()?;
    match works(open_socket) {
        true => Ok(handle),
        false => Err(RuntimeError::NoIo),
    }
}

/// tokio does not say what a runtime has, and panics where something is missing.
fn works(attempt: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(attempt)).is_ok()
}

/// A system that opens no socket now has its own errors for that later.
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
