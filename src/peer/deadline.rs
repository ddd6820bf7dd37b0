//! Deadlines over values that a user chose: they saturate, and `Duration::MAX` means never.

use std::time::Duration;

use tokio::time::Instant;

/// Longer than any process runs, and short enough that adding it to an instant cannot overflow.
const NEVER: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// Returns the instant `wait` after `at`, at most 30 years later.
pub(crate) fn after(at: Instant, wait: Duration) -> Instant {
    at + wait.min(NEVER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_wait_is_far_away_and_does_not_overflow() {
        let now = Instant::now();
        assert_eq!(
            after(now, Duration::from_secs(5))
                .duration_since(now)
                .as_secs(),
            5
        );
        let never = after(after(now, Duration::MAX), Duration::MAX);
        assert_eq!(never.duration_since(now), 2 * NEVER);
    }
}
