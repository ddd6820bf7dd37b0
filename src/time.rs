//! Time limits of any length.

use std::time::Duration;

use tokio::time::Instant;

/// Longer than any process runs, but short enough to add to an instant without overflow.
pub(crate) const NEVER: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// Returns the instant `wait` after `at`, at most 30 years later.
pub(crate) fn after(at: Instant, wait: Duration) -> Instant {
    at.checked_add(wait.min(NEVER)).unwrap_or(at)
}

/// Returns a time in whole milliseconds, the form for logs and JSON.
#[cfg(feature = "connmgr")]
pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Returns the wait `first`, doubled `times` times.
pub(crate) fn doubled(first: Duration, times: u32) -> Duration {
    let factor = 2u32.checked_pow(times);
    factor.map_or(Duration::MAX, |factor| first.saturating_mul(factor))
}

/// Returns one of `parts` equal parts of a time.
pub(crate) fn part(time: Duration, parts: u32) -> Duration {
    time.checked_div(parts).unwrap_or(time)
}
