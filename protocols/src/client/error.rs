use std::fmt;
use std::time::Duration;

use peermux::{Capability, SendError};

/// Why a request to a peer brought no, or no correct, answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The peer does not speak the protocol.
    #[error("the peer does not speak {0}")]
    NotShared(Capability),
    /// The peer ended before it answered.
    #[error("the peer ended before it answered")]
    Ended,
    /// No answer came, and nothing that leads to one.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// The request cannot be sent.
    #[error(transparent)]
    Send(SendError),
    /// More was asked for than one message or one request may have.
    #[error("{what} of {got} is over the limit of {limit}")]
    TooLarge {
        /// What is too large: a message size in bytes, or a number of messages.
        what: &'static str,
        /// What was asked for.
        got: u64,
        /// The limit.
        limit: u64,
    },
    /// Numbers that the peer told, or that were counted here, are not what they should be.
    #[error("{what}: expected {expected}, got {got}")]
    Mismatch {
        /// What was compared.
        what: &'static str,
        /// What was told or counted.
        got: Totals,
        /// What it should be.
        expected: Totals,
    },
    /// Messages of another length than asked for arrived.
    #[error("{wrong} of the messages received do not have the {size} bytes asked for")]
    WrongLength {
        /// How many.
        wrong: u64,
        /// The length asked for, in bytes.
        size: usize,
    },
    /// Other bytes came back than were sent.
    #[error("{got} bytes came back for {sent} bytes sent, or different ones")]
    WrongContent {
        /// How many bytes came back.
        got: usize,
        /// How many were sent.
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
    /// How many messages.
    pub messages: u64,
    /// The sum of their contents in bytes.
    pub bytes: u64,
}

impl Totals {
    /// `count` messages of `size` bytes each.
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
            "{} messages of {} bytes in all",
            self.messages, self.bytes
        )
    }
}
