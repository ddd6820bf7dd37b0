//! Time limits of any length.

use std::time::Duration;

use tokio::time::Instant;

/// Longer than anybody waits, and not so long that the clock overflows.
pub(super) const FAR: Duration = Duration::from_secs(30 * 365 * 86_400);

/// The end of a time limit that begins `now`.
pub(super) fn later(now: Instant, limit: Duration) -> Instant {
    now + limit.min(FAR)
}
