//! What can go wrong, and why connections end.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use super::request::ReqId;

/// A command that the manager did not carry out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManagerError {
    /// The manager has stopped, or is stopping.
    #[error("the connection manager has stopped")]
    Stopped,
    /// No request has this id; it may have ended.
    #[error("there is no request {0}")]
    UnknownId(ReqId),
    /// No request leads to this address.
    #[error("there is no request for this address")]
    UnknownAddress,
    /// A request for this address or this node exists.
    #[error("request {0} already leads there")]
    AlreadyManaged(ReqId),
    /// The filter does not want it.
    #[error("not wanted: {0}")]
    Refused(Refusal),
    /// So many requests exist already.
    #[error("there are {limit} requests already, as many as allowed")]
    LimitReached {
        /// The limit.
        limit: usize,
    },
    /// Only an outbound request can do this.
    #[error("request {0} is an accepted connection")]
    Inbound(ReqId),
    /// Only a permanent request can do this.
    #[error("request {0} is not permanent")]
    NotPermanent(ReqId),
}

/// Why an address is not connected to, or a connection not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// All places are taken.
    #[error("all {limit} places are taken")]
    LimitReached {
        /// How many there are.
        limit: usize,
    },
    /// The address is banned.
    #[error("it is banned")]
    Banned,
    /// It is outside the networks that may be talked to.
    #[error("it is outside the permitted networks")]
    Restricted,
    /// It came back too soon.
    #[error("it connected a moment ago")]
    TooSoon,
    /// Its network has too many handshakes under way.
    #[error("its network has {limit} incomplete handshakes already")]
    TooManyHandshakes {
        /// How many are allowed.
        limit: usize,
    },
    /// Handshakes come too fast.
    #[error("handshakes come too fast")]
    RateLimited,
    /// There is a connection to this node.
    #[error("it is connected already")]
    AlreadyConnected,
    /// It leads back here.
    #[error("it is this node itself")]
    Itself,
    /// Nothing new is taken on.
    #[error("the server stops")]
    Stopping,
    /// Another reason.
    #[error("{0}")]
    Other(&'static str),
}

impl Refusal {
    /// Returns whether waiting does not help, so that a permanent request is refused at once.
    ///
    /// A ban is not lasting: it may end.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        *self == Self::Restricted
    }
}

/// Why a dial brought no connection. Cheap to clone.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// It took too long.
    #[error("timed out")]
    Timeout,
    /// The remote host has nothing there.
    #[error("connection refused")]
    Refused,
    /// A router, or the last link, says that nobody is there.
    #[error("host unreachable")]
    Unreachable,
    /// This machine has no way there: no network, or none of the address's family.
    #[error("no route leads there from this machine")]
    NoRoute,
    /// The filter does not want it, for now.
    #[error("not wanted: {0}")]
    Unwanted(Refusal),
    /// The dialer failed in a way that is a fault of its own, such as a panic.
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
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// Another failure of the connection, or of a proxy.
    #[error("{source}")]
    Io {
        /// Where it was tried, for an address that was a name.
        addr: Option<SocketAddr>,
        /// What the system said.
        source: Arc<io::Error>,
    },
}

impl ConnectError {
    /// Whether a later dial of the same address may succeed.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        !matches!(self, Self::Invalid(_))
    }

    /// Whether nothing was learnt about the remote: this side did not want it, or could not even try, such
    /// as for want of file descriptors, memory, ports or a route.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Unwanted(_) | Self::Broken | Self::Invalid(_) | Self::NoRoute => true,
            Self::Resolve { source, .. } | Self::Io { source, .. } => is_own(source),
            Self::Timeout | Self::Refused | Self::Unreachable => false,
        }
    }

    /// What the system says to the like.
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

    /// Where it was tried, if that is not the address that was dialled.
    #[must_use]
    pub fn addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Io { addr, .. } => *addr,
            _ => None,
        }
    }
}

/// Whether the system says that it cannot, or may not, open a connection at all.
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

/// Why a connection ended. Cheap to clone.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum CloseReason {
    /// Its owner dropped it.
    #[default]
    Dropped,
    /// Its owner ended it and said why.
    Ended(Arc<dyn Error + Send + Sync>),
    /// By a [`disconnect`](super::ConnHandle::disconnect).
    Requested,
    /// Its request was removed.
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
