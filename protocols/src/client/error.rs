use std::fmt;
use std::time::Duration;

use peermux::{Capability, SendError};

/// Why a request to a peer failed or got a wrong answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The peer does not speak the protocol.
    #[error("the peer does not speak {0}")]
    NotShared(Capability),
    /// The connection ended before the peer answered.
    #[error("the connection ended before the peer answered")]
    Ended,
    /// The peer did not answer in time and sent no further data.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// Sending the request failed.
    #[error(transparent)]
    Send(SendError),
    /// The request exceeds a limit on its size or on its number of messages.
    #[error("{what} of {got} is over the limit of {limit}")]
    TooLarge {
        /// What is too large: a message size in bytes, or a number of messages.
        what: &'static str,
        /// The requested value.
        got: u64,
        /// The limit.
        limit: u64,
    },
    /// The totals that the peer reported, or those that this side counted, are wrong.
    #[error("{what}: expected {expected}, got {got}")]
    Mismatch {
        /// What was compared.
        what: &'static str,
        /// The reported or counted totals.
        got: Totals,
        /// The correct totals.
        expected: Totals,
    },
    /// Some messages do not have the requested length.
    #[error("{wrong} of the received messages do not have the requested {size} bytes")]
    WrongLength {
        /// The number of messages that do not have the requested length.
        wrong: u64,
        /// The requested length in bytes.
        size: usize,
    },
    /// The answer does not contain the bytes that were sent.
    #[error("the answer of {got} bytes differs from the {sent} bytes sent")]
    WrongContent {
        /// The length of the answer in bytes.
        got: usize,
        /// The length of the request in bytes.
        sent: usize,
    },
}

impl From<SendError> for ClientError {
    fn from(error: SendError) -> Self {
        match error {
            error if error.is_shutting_down() => Self::Ended,
            error => Self::Send(error),
        }
    }
}

/// A number of messages and the sum of their sizes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// The number of messages.
    pub messages: u64,
    /// The sum of their content lengths in bytes.
    pub bytes: u64,
}

impl Totals {
    /// Returns the totals of `count` messages of `size` bytes each.
    #[must_use]
    pub fn of(count: u64, size: usize) -> Self {
        Self {
            messages: count,
            bytes: count.saturating_mul(size as u64),
        }
    }

    pub(crate) fn add(&mut self, size: usize) {
        self.messages += 1;
        self.bytes = self.bytes.saturating_add(size as u64);
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.messages += other.messages;
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} messages with {} bytes in total",
            self.messages, self.bytes
        )
    }
}
