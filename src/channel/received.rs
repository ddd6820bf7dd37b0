use std::fmt;
use std::ops::{Deref, DerefMut};

use tokio::time::Instant;

use super::inbox::Charge;

/// A received message, which takes up room in its protocol's queue.
///
/// The room is released when the message is dropped or taken out with [`into_inner`]. As long as a
/// handler keeps a message, the message counts as if it were still waiting.
///
/// [`into_inner`]: Self::into_inner
pub struct Received<M> {
    message: M,
    charge: Charge,
}

impl<M> Received<M> {
    pub(crate) fn new(message: M, charge: Charge) -> Self {
        Self { message, charge }
    }

    /// Creates a message of `size` payload bytes that was in no queue.
    ///
    /// Such a message takes up no room, and its [`received_at`](Self::received_at) is now. Use it
    /// in your own [channels](super::MessageChannel), for example in tests and adapters.
    #[must_use]
    pub fn detached(message: M, size: usize) -> Self {
        Self::new(message, Charge::none(size))
    }

    /// When the message's last byte was read from the connection.
    ///
    /// On an in-memory pair this is the time of sending. The wait in the protocol's queue starts at
    /// this time. All messages that one read call completes have the same time.
    #[must_use]
    pub fn received_at(&self) -> Instant {
        self.charge.received_at()
    }

    /// The uncompressed payload's size in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.charge.bytes()
    }

    /// Splits this into the message and its room.
    pub(crate) fn into_message_and_charge(self) -> (M, Charge) {
        (self.message, self.charge)
    }

    /// Takes the message out and releases its room immediately.
    #[must_use]
    pub fn into_inner(self) -> M {
        self.message
    }

    /// Splits this into the message and its room.
    ///
    /// The room is released when the second part is dropped.
    #[must_use]
    pub fn into_parts(self) -> (M, impl Send + use<M>) {
        (self.message, self.charge)
    }
}

impl<M> Deref for Received<M> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.message
    }
}

impl<M> DerefMut for Received<M> {
    fn deref_mut(&mut self) -> &mut M {
        &mut self.message
    }
}

impl<M: fmt::Debug> fmt::Debug for Received<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.message.fmt(f)
    }
}
