//! A rate with bursts, whose only state is a point in time.

use std::time::Duration;

use tokio::time::Instant;

use crate::time::{after, part};

/// Grants events at a fixed rate, after an initial burst.
///
/// The state `spent` is the time at which the next event would be due if the granted events were
/// spaced evenly. The caller keeps this state, so one `Pace` can serve many states. `None` means
/// that no event has been granted yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    period: Duration,
    /// How far `spent` may be ahead of the current time.
    ahead: Duration,
}

impl Pace {
    /// Grants `burst` events at once, then `per_second` each second. If one of the numbers is zero,
    /// it counts as one.
    pub(crate) fn new(burst: u32, per_second: u32) -> Self {
        let period = part(Duration::from_secs(1), per_second.max(1));
        Self {
            period,
            ahead: period.saturating_mul(burst.saturating_sub(1)),
        }
    }

    /// Grants an event and returns the new `spent`. The error is the time at which the next event
    /// can be granted.
    pub(crate) fn take(self, spent: Option<Instant>, now: Instant) -> Result<Instant, Instant> {
        let spent = spent.map_or(now, |spent| spent.max(now));
        let too_far = spent.saturating_duration_since(now);
        let too_far = too_far.saturating_sub(self.ahead);
        if too_far.is_zero() {
            Ok(after(spent, self.period))
        } else {
            Err(after(now, too_far))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_at_once_and_then_the_rate() {
        let start = Instant::now();
        let (pace, mut spent) = (Pace::new(10, 4), None);
        let quarter = Duration::from_millis(250);
        let mut take = |now| {
            let taken = pace.take(spent, now);
            spent = taken.ok().or(spent);
            taken.map(drop)
        };
        assert!((0..10).all(|_| take(start).is_ok()));
        assert_eq!(take(start), Err(start + quarter));
        assert_eq!(take(start + quarter), Ok(()));
        assert_eq!(take(start + quarter), Err(start + 2 * quarter));
        let later = start + 100 * quarter;
        assert!((0..10).all(|_| take(later).is_ok()));
        assert!(take(later).is_err());
    }
}
