//! A rate with bursts.

use std::time::Duration;

use tokio::time::Instant;

use crate::time::after;

/// A rate limit: a burst of events, then a number of events each second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Rate {
    burst: u32,
    per_second: u32,
}

impl Rate {
    /// A limit that is never reached.
    pub const UNLIMITED: Self = Self::new(u32::MAX, u32::MAX);

    /// Allows `burst` events at once, then `per_second` events each second.
    ///
    /// With 0 per second, nothing is allowed beyond the burst.
    #[must_use]
    pub const fn new(burst: u32, per_second: u32) -> Self {
        Self { burst, per_second }
    }

    /// The time from one event to the next.
    fn period(self) -> Duration {
        Duration::from_secs(1)
            .checked_div(self.per_second)
            .unwrap_or(Duration::MAX)
    }
}

/// Grants events at a [`Rate`].
#[derive(Debug, Clone)]
pub(super) struct TokenBucket {
    rate: Rate,
    tokens: u32,
    /// The time up to which new tokens have been added.
    refilled: Instant,
}

impl TokenBucket {
    /// Creates a full bucket.
    pub(super) fn new(rate: Rate, now: Instant) -> Self {
        Self {
            rate,
            tokens: rate.burst,
            refilled: now,
        }
    }

    /// Changes the rate; tokens that were spent from the burst stay spent.
    pub(super) fn set_rate(&mut self, rate: Rate, now: Instant) {
        self.refill(now);
        let spent = self.rate.burst.saturating_sub(self.tokens);
        self.tokens = rate.burst.saturating_sub(spent);
        self.rate = rate;
    }

    /// Takes a token, or returns when there will be a token; `None` means never.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Option<Instant>> {
        self.refill(now);
        match self.tokens.checked_sub(1) {
            Some(rest) => {
                self.tokens = rest;
                Ok(())
            }
            None if self.rate.burst == 0 => Err(None),
            None => Err(self.refilled.checked_add(self.rate.period())),
        }
    }

    fn refill(&mut self, now: Instant) {
        if self.tokens >= self.rate.burst {
            self.refilled = now;
            return;
        }
        let elapsed = now.saturating_duration_since(self.refilled).as_nanos();
        let gained = elapsed
            .checked_div(self.rate.period().as_nanos())
            .map_or(u32::MAX, |gained| u32::try_from(gained).unwrap_or(u32::MAX));
        self.tokens = self.tokens.saturating_add(gained).min(self.rate.burst);
        self.refilled = if self.tokens >= self.rate.burst {
            now
        } else {
            after(self.refilled, self.rate.period().saturating_mul(gained))
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: Duration = Duration::from_millis(500);

    #[test]
    fn a_burst_then_the_rate() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(Rate::new(2, 2), start);
        assert!((0..2).all(|_| bucket.take(start).is_ok()));
        assert_eq!(bucket.take(start), Err(Some(start + HALF)));
        assert_eq!(bucket.take(start + HALF), Ok(()));
        assert_eq!(bucket.take(start + HALF), Err(Some(start + 2 * HALF)));
        assert!((0..2).all(|_| bucket.take(start + 100 * HALF).is_ok()));
        assert!(bucket.take(start + 100 * HALF).is_err());
    }

    #[test]
    fn a_new_rate_does_not_refund_spent_tokens() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(Rate::new(4, 2), start);
        assert!((0..3).all(|_| bucket.take(start).is_ok()));
        bucket.set_rate(Rate::new(5, 1), start);
        assert!((0..2).all(|_| bucket.take(start).is_ok()));
        assert_eq!(bucket.take(start), Err(Some(start + 2 * HALF)));
        bucket.set_rate(Rate::new(2, 2), start);
        assert_eq!(bucket.take(start), Err(Some(start + HALF)));
    }

    #[test]
    fn a_rate_of_zero_never_grants() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(Rate::new(0, 5), start);
        assert_eq!(bucket.take(start + 10 * HALF), Err(None));
        let mut once = TokenBucket::new(Rate::new(1, 0), start);
        assert_eq!(once.take(start), Ok(()));
        assert!(once.take(start + 1_000_000 * HALF).is_err());
    }
}
