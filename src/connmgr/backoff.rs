//! Waits after failures.

use std::time::Duration;

use rand::{Rng, RngExt};

use crate::time::doubled;

/// Exponential backoff with full jitter.
///
/// The wait after the n-th failure in a row is drawn uniformly from `base ..= min(cap, base · 2ⁿ)`.
/// The jitter prevents connections that failed together from being retried together.
///
/// With the feature `serde`, a backoff is written as `{ base = "5s", cap = "5m" }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Backoff {
    #[cfg_attr(feature = "serde", serde(with = "crate::units::duration"))]
    base: Duration,
    #[cfg_attr(feature = "serde", serde(with = "crate::units::duration"))]
    cap: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new(Duration::from_secs(5), Duration::from_secs(300))
    }
}

impl Backoff {
    /// Creates a backoff with these minimum and maximum waits.
    ///
    /// A `cap` below `base` counts as `base`. The default is 5 s and 5 min.
    #[must_use]
    pub fn new(base: Duration, cap: Duration) -> Self {
        Self { base, cap }
    }

    /// Returns the longest wait after `failures` failures in a row.
    #[must_use]
    pub fn longest(&self, failures: u32) -> Duration {
        doubled(self.base, failures).min(self.cap.max(self.base))
    }

    /// Draws the wait after `failures` failures in a row.
    pub fn draw(&self, failures: u32, rng: &mut impl Rng) -> Duration {
        rng.random_range(self.base..=self.longest(failures))
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn doubles_up_to_the_cap() {
        let second = Duration::from_secs(1);
        let backoff = Backoff::new(second, 10 * second);
        let longest = [0, 1, 3, 4, 31, 32, u32::MAX].map(|n| backoff.longest(n).as_secs());
        assert_eq!(longest, [1, 2, 8, 10, 10, 10, 10]);
        assert_eq!(Backoff::new(second, Duration::ZERO).longest(9), second);
    }

    #[test]
    fn draws_from_the_whole_interval() {
        let rng = &mut StdRng::seed_from_u64(1);
        let backoff = Backoff::default();
        let draws: Vec<_> = (0..1000).map(|_| backoff.draw(3, rng).as_secs()).collect();
        assert!(draws.iter().all(|seconds| (5..=40).contains(seconds)));
        for second in 5..40 {
            assert!(draws.contains(&second), "{second}");
        }
    }
}
