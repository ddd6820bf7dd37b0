//! This process's time on processors.

use std::time::Duration;

/// A moment, by the time that all threads have spent on processors.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cpu(Option<Duration>);

impl Cpu {
    #[cfg(unix)]
    pub(super) fn now() -> Self {
        use rustix::time::{ClockId, clock_gettime};
        Self(clock_gettime(ClockId::ProcessCPUTime).try_into().ok())
    }

    #[cfg(not(unix))]
    pub(super) fn now() -> Self {
        Self(None)
    }

    /// The time spent since then; `None` where the system does not tell.
    pub(super) fn elapsed(self) -> Option<Duration> {
        Self::now().0?.checked_sub(self.0?)
    }
}
