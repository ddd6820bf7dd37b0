//! Warnings at a limited rate.

use std::time::Duration;

use tokio::time::Instant;

/// The minimum time between two warnings of one kind.
const QUIET: Duration = Duration::from_secs(60);

/// Limits the rate of warnings, and counts those that are held back.
#[derive(Debug, Default)]
pub(crate) struct Complaints {
    last: Option<Instant>,
    held_back: u64,
}

impl Complaints {
    /// If a warning is due, returns how many were held back since the last warning.
    pub(crate) fn next(&mut self, now: Instant) -> Option<u64> {
        let soon = |last: Instant| now.saturating_duration_since(last) < QUIET;
        if self.last.is_some_and(soon) {
            self.held_back += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_due_once_a_minute_with_a_count() {
        let (mut complaints, start) = (Complaints::default(), Instant::now());
        let mut at = |seconds| complaints.next(start + Duration::from_secs(seconds));
        assert_eq!(at(0), Some(0));
        assert_eq!((at(1), at(59)), (None, None));
        assert_eq!(at(60), Some(2));
        assert_eq!(at(61), None);
        assert_eq!(at(200), Some(1));
    }
}
