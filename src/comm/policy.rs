use std::time::Duration;

/// How many acknowledgements are waited for, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AckPolicy {
    min: usize,
    deadline: Duration,
}

impl AckPolicy {
    /// Waits for `min` receivers to acknowledge; with 0 the call returns once the message is queued
    /// for all of them. `deadline` is the limit for everything together: dialling, queueing,
    /// acknowledging. [`Duration::MAX`] is no limit.
    #[must_use]
    pub const fn new(min: usize, deadline: Duration) -> Self {
        Self { min, deadline }
    }

    /// How many receivers have to acknowledge.
    #[must_use]
    pub const fn min(&self) -> usize {
        self.min
    }

    /// The limit for everything together.
    #[must_use]
    pub const fn deadline(&self) -> Duration {
        self.deadline
    }
}
