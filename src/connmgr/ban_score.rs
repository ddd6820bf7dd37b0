//! How badly a peer has behaved.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

/// After this time half of a passing score is left.
const HALF_LIFE: Duration = Duration::from_secs(60);

/// After this time nothing of it is left.
const LIFETIME: Duration = Duration::from_secs(1800);

/// A score of two parts: one that stays, and one that halves every 60 s and is gone after 30 min.
/// Sums stop at `u32::MAX`.
///
/// ```
/// use std::time::Duration;
/// use peermux::connmgr::BanScore;
/// use tokio::time::Instant;
///
/// let now = Instant::now();
/// let mut score = BanScore::default();
/// assert_eq!(score.increase(100, 50, now), 150);
/// assert_eq!(score.value(now + Duration::from_secs(60)), 125);
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BanScore {
    persistent: u32,
    /// How much there was of the passing part, and when.
    transient: Option<(f64, Instant)>,
}

impl BanScore {
    /// The score now.
    #[must_use]
    pub fn value(&self, now: Instant) -> u32 {
        let passing = self.passing(now);
        // Saturating, as all such conversions are.
        self.persistent.saturating_add(passing as u32)
    }

    /// Adds to both parts, and answers the new score.
    pub fn increase(&mut self, persistent: u32, transient: u32, now: Instant) -> u32 {
        self.persistent = self.persistent.saturating_add(persistent);
        if transient > 0 {
            let sum = self.passing(now) + f64::from(transient);
            self.transient = Some((sum.min(f64::from(u32::MAX)), now));
        }
        self.value(now)
    }

    /// Forgives everything.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// What is left of the passing part; less than 1 is nothing.
    fn passing(&self, now: Instant) -> f64 {
        let Some((amount, since)) = self.transient else {
            return 0.0;
        };
        let age = now.saturating_duration_since(since);
        let left = amount * (-age.as_secs_f64() / HALF_LIFE.as_secs_f64()).exp2();
        if age > LIFETIME || left < 1.0 {
            0.0
        } else {
            left
        }
    }
}

impl fmt::Display for BanScore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            persistent,
            transient,
        } = self;
        write!(f, "{persistent} for good")?;
        match transient {
            Some((amount, _)) => write!(f, ", {amount:.0} passing when last raised"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    // TestDynamicBanScoreDecay
    #[test]
    fn decay() {
        let now = Instant::now();
        let mut score = BanScore::default();
        assert_eq!(score.increase(100, 50, now), 150);
        assert_eq!(score.value(now + 60 * SECOND), 125);
        assert_eq!(score.value(now + 7 * 60 * SECOND), 100);
    }

    // TestDynamicBanScoreLifetime
    #[test]
    fn lifetime() {
        let now = Instant::now();
        let mut score = BanScore::default();
        assert_eq!(score.increase(0, u32::MAX, now), u32::MAX);
        assert_eq!(score.value(now + LIFETIME), 3);
        assert_eq!(score.value(now + LIFETIME + SECOND), 0);
    }

    // TestDynamicBanScoreReset
    #[test]
    fn reset() {
        let now = Instant::now();
        let mut score = BanScore::default();
        assert_eq!(score.value(now), 0);
        assert_eq!(score.increase(100, 0, now), 100);
        score.reset();
        assert_eq!(score.value(now), 0);
    }

    // TestDynamicBanScoreString
    #[test]
    fn text_form() {
        let mut score = BanScore::default();
        assert_eq!(score.to_string(), "0 for good");
        score.increase(100, 50, Instant::now());
        assert_eq!(
            score.to_string(),
            "100 for good, 50 passing when last raised"
        );
    }

    /// Upstream's sums wrap around at 2³², so that the worst peer gets a good score; its clock is
    /// the wall clock, which can jump back and make the passing part vanish; and raising only the
    /// persistent part answers the passing part as it was long ago.
    #[test]
    fn w30_sums_saturate_time_is_monotonic_and_one_value_is_used() {
        let now = Instant::now();
        let mut score = BanScore::default();
        assert_eq!(score.increase(u32::MAX, 1, now), u32::MAX);
        assert_eq!(score.increase(1, u32::MAX, now), u32::MAX);

        let mut score = BanScore::default();
        let later = now + 60 * SECOND;
        score.increase(0, 50, later);
        assert_eq!(score.value(now), 50);

        let mut score = BanScore::default();
        score.increase(0, 50, now);
        assert_eq!(score.increase(10, 0, later), 35);
        assert_eq!(score.value(later), 35);
    }
}
