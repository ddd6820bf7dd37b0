use std::time::Duration;

/// How many acknowledgements a call waits for, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AckPolicy {
    min: usize,
    deadline: Duration,
}

impl AckPolicy {
    /// Waits until `min` receivers have acknowledged, for `deadline` at most.
    ///
    /// With a `min` of 0 the call returns once the message is queued for all receivers. The
    /// deadline covers dialling, queueing and acknowledging together; [`Duration::MAX`] is no
    /// limit.
    #[must_use]
    pub const fn new(min: usize, deadline: Duration) -> Self {
        Self { min, deadline }
    }

    /// How many receivers have to acknowledge.
    #[must_use]
    pub const fn min(&self) -> usize {
        self.min
    }

    /// The limit for dialling, queueing and acknowledging together.
    #[must_use]
    pub const fn deadline(&self) -> Duration {
        self.deadline
    }
}
