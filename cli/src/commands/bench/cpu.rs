//! The CPU time of this process.

use std::time::Duration;

/// A moment, as the CPU time that all threads had used by then.
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

    /// Returns the CPU time since this moment; `None` if the system does not report it.
    pub(super) fn elapsed(self) -> Option<Duration> {
        Self::now().0?.checked_sub(self.0?)
    }
}
