use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

/// Why a message was not sent.
///
/// A refused message does not harm the connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The connection is ending or has ended, so nothing more is sent.
    #[error("the connection is shutting down")]
    ShuttingDown,
    /// A failed write ended the connection, so nothing more is sent.
    #[error("writing to the connection failed: {0}")]
    WriteFailed(#[source] WriteError),
    /// The code is not one of the protocol's codes.
    #[error("message code {code:#04x} is outside the protocol's {length} codes")]
    InvalidCode {
        /// The code that was given.
        code: u64,
        /// How many codes the protocol has.
        length: u64,
    },
    /// The payload is larger than the limit for this message.
    #[error("the payload of message {code:#04x}, {size} bytes, is over the limit of {limit}")]
    TooLarge {
        /// The message's code, relative to the protocol.
        code: u64,
        /// The payload's size in bytes.
        size: usize,
        /// The smaller of [`max_payload`](crate::rlpx::max_payload) for the message's id and the
        /// message's own `max_size`.
        limit: usize,
    },
}

impl SendError {
    /// Whether the connection is ending or has ended, so that nothing more can be sent.
    #[must_use]
    pub fn is_shutting_down(&self) -> bool {
        matches!(self, Self::ShuttingDown | Self::WriteFailed(_))
    }
}

/// The error of a write that failed or took too long; cheap to clone.
///
/// The source of this error is the [`io::Error`].
#[derive(Debug, Clone)]
pub struct WriteError(Arc<io::Error>);

impl WriteError {
    pub(crate) fn new(error: io::Error) -> Self {
        Self(Arc::new(error))
    }

    /// Copies the operating system's code, or without one, the kind and the text.
    pub(crate) fn copy(error: &io::Error) -> Self {
        Self::new(match error.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(error.kind(), error.to_string()),
        })
    }

    /// The kind of the error.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.0.kind()
    }
}

impl PartialEq for WriteError {
    /// Errors of the same kind are equal.
    fn eq(&self, other: &Self) -> bool {
        self.kind() == other.kind()
    }
}

impl Eq for WriteError {}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for WriteError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

/// Why a message was not queued immediately.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrySendError {
    /// The protocol's sending queue is full; [`send`](crate::ProtocolConn::send) would wait.
    #[error("the protocol's sending queue is full")]
    Full,
    /// The message cannot be sent at all.
    #[error(transparent)]
    Refused(#[from] SendError),
}
