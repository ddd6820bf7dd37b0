//! How long a connection has stood still for one protocol.

use std::time::Duration;

/// Adds up the time for which reading stopped because one protocol's queue was full.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StallClock {
    limit: Duration,
    spent: Duration,
}

impl StallClock {
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            limit,
            spent: Duration::ZERO,
        }
    }

    /// What is left of the limit.
    pub(crate) fn remaining(&self) -> Duration {
        self.limit.saturating_sub(self.spent)
    }

    /// What was spent since the last reset.
    pub(crate) fn spent(&self) -> Duration {
        self.spent
    }

    /// Adds one stop.
    pub(crate) fn spend(&mut self, stopped: Duration) {
        self.spent = self.spent.saturating_add(stopped);
    }

    /// The queue fell below half: what was spent is forgiven.
    pub(crate) fn reset(&mut self) {
        self.spent = Duration::ZERO;
    }
}
