//! Errors, and the reasons why connections end.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use super::request::ReqId;

/// A command that the manager rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManagerError {
    /// The manager has stopped, or is stopping.
    #[error("the connection manager has stopped")]
    Stopped,
    /// No request has this id; the request may have ended.
    #[error("there is no request {0}")]
    UnknownId(ReqId),
    /// No request leads to this address.
    #[error("there is no request for this address")]
    UnknownAddress,
    /// Another request leads to this address or node.
    #[error("request {0} already leads there")]
    AlreadyManaged(ReqId),
    /// The filter refused the candidate.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// The maximum number of requests is reached.
    #[error("the limit of {limit} requests is reached")]
    LimitReached {
        /// The limit.
        limit: usize,
    },
    /// The command is possible only for an outbound request.
    #[error("request {0} is an accepted connection")]
    Inbound(ReqId),
    /// The command is possible only for a permanent request.
    #[error("request {0} is not permanent")]
    NotPermanent(ReqId),
}

/// Why an address is not dialled, or a connection not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// All seats are taken.
    #[error("all {limit} seats are taken")]
    LimitReached {
        /// The number of seats.
        limit: usize,
    },
    /// The address is banned.
    #[error("it is banned")]
    Banned,
    /// The address is outside the permitted networks.
    #[error("it is outside the permitted networks")]
    Restricted,
    /// The address connected again too soon.
    #[error("it connected a moment ago")]
    TooSoon,
    /// The address's network has too many incomplete handshakes.
    #[error("its network already has {limit} incomplete handshakes")]
    TooManyHandshakes {
        /// The maximum.
        limit: usize,
    },
    /// Handshakes arrive too fast.
    #[error("handshakes arrive too fast")]
    RateLimited,
    /// The node is already connected.
    #[error("it is already connected")]
    AlreadyConnected,
    /// The address or node id is this node's own.
    #[error("it is this node itself")]
    Itself,
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
    /// Another reason.
    #[error("{0}")]
    Other(&'static str),
}

impl Refusal {
    /// Returns whether waiting cannot help, so that a permanent request is rejected at once.
    ///
    /// A ban is not lasting, since it may end.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        *self == Self::Restricted
    }
}

/// Why a dial failed; cheap to clone.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The dial timed out.
    #[error("timed out")]
    Timeout,
    /// The remote host has no listener on that port.
    #[error("connection refused")]
    Refused,
    /// A router or this machine found that the host is unreachable.
    #[error("host unreachable")]
    Unreachable,
    /// This machine has no route: no network, or no network for the address's family.
    #[error("this machine has no route to the address")]
    NoRoute,
    /// The filter or the dialer refused the dial for now.
    #[error("not dialled: {0}")]
    Unwanted(Refusal),
    /// The dialer itself failed, for example by a panic.
    #[error("the dialer failed")]
    Broken,
    /// The address can never be dialled.
    #[error("the address cannot be dialled: {0}")]
    Invalid(#[source] Arc<dyn Error + Send + Sync>),
    /// The host name has no address.
    #[error("cannot resolve {host}: {source}")]
    Resolve {
        /// The name.
        host: String,
        /// The operating system's error.
        source: Arc<io::Error>,
    },
    /// Any other failure of the connection or of a proxy.
    #[error("{source}")]
    Io {
        /// The address that was tried, if the dialled address was a host name.
        addr: Option<SocketAddr>,
        /// The operating system's error.
        source: Arc<io::Error>,
    },
}

impl ConnectError {
    /// Returns whether a later dial of the same address may succeed.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        !matches!(self, Self::Invalid(_))
    }

    /// Returns whether the failure is unrelated to the remote.
    ///
    /// In that case this side refused the dial or could not even try. For example, it may lack file
    /// descriptors, memory, ports or a route.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Unwanted(_) | Self::Broken | Self::Invalid(_) | Self::NoRoute => true,
            Self::Resolve { source, .. } | Self::Io { source, .. } => is_own(source),
            Self::Timeout | Self::Refused | Self::Unreachable => false,
        }
    }

    /// Returns the matching [`io::ErrorKind`].
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Timeout => io::ErrorKind::TimedOut,
            Self::Refused => io::ErrorKind::ConnectionRefused,
            Self::Unreachable => io::ErrorKind::HostUnreachable,
            Self::NoRoute => io::ErrorKind::NetworkUnreachable,
            Self::Resolve { source, .. } | Self::Io { source, .. } => source.kind(),
            Self::Unwanted(_) | Self::Broken | Self::Invalid(_) => io::ErrorKind::Other,
        }
    }

    /// Returns the address that was tried, if it is not the dialled address.
    #[must_use]
    pub fn addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Io { addr, .. } => *addr,
            _ => None,
        }
    }
}

/// Returns whether this system could not, or was not permitted to, open any connection.
fn is_own(error: &io::Error) -> bool {
    use io::ErrorKind;
    let kinds = [
        ErrorKind::AddrNotAvailable,
        ErrorKind::AddrInUse,
        ErrorKind::PermissionDenied,
        ErrorKind::OutOfMemory,
        ErrorKind::Unsupported,
        ErrorKind::NetworkUnreachable,
        ErrorKind::NetworkDown,
    ];
    kinds.contains(&error.kind()) || error.raw_os_error().is_some_and(|code| OWN.contains(&code))
}

/// `EMFILE`, `ENFILE`, `ENOBUFS` and `EAFNOSUPPORT`, for which there is no [`io::ErrorKind`].
const OWN: [i32; 4] = if cfg!(any(target_os = "linux", target_os = "android")) {
    [24, 23, 105, 97]
} else if cfg!(unix) {
    [24, 23, 55, 47]
} else {
    [10024, 10024, 10055, 10047]
};

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind;
        match error.kind() {
            ErrorKind::TimedOut => Self::Timeout,
            ErrorKind::ConnectionRefused => Self::Refused,
            ErrorKind::HostUnreachable => Self::Unreachable,
            ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => Self::NoRoute,
            ErrorKind::InvalidInput | ErrorKind::Unsupported => Self::Invalid(Arc::new(error)),
            _ => Self::Io {
                addr: None,
                source: Arc::new(error),
            },
        }
    }
}

/// Why a connection ended; cheap to clone.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum CloseReason {
    /// The owner dropped the connection.
    #[default]
    Dropped,
    /// The owner ended the connection with this reason.
    Ended(Arc<dyn Error + Send + Sync>),
    /// [`disconnect`](super::ConnHandle::disconnect) closed the connection.
    Requested,
    /// The connection's request was removed.
    Removed,
    /// The manager stopped.
    Shutdown,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dropped => f.write_str("dropped by its owner"),
            Self::Ended(source) => source.fmt(f),
            Self::Requested => f.write_str("disconnected on request"),
            Self::Removed => f.write_str("removed on request"),
            Self::Shutdown => f.write_str("the connection manager stopped"),
        }
    }
}
