//! How many messages and bytes per second a protocol may receive or send.

use std::time::Duration;

use tokio::time::Instant;

use crate::time::after;

/// A rate limit, in messages and payload bytes a second.
///
/// The unused allowance of the last second may be used at once. A message that is larger than the
/// allowance of a second may pass when that allowance is available in full. The excess is then
/// deducted from the following allowance.
#[doc(alias("rate limit", "throttle"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    messages: u64,
    bytes: u64,
}

impl Quota {
    /// No limit.
    pub const UNLIMITED: Self = Self {
        messages: u64::MAX,
        bytes: u64::MAX,
    };

    /// At most this many messages a second; at least 1.
    #[must_use]
    pub fn messages(messages: u64) -> Self {
        Self::UNLIMITED.and_messages(messages)
    }

    /// At most this many payload bytes a second; at least 1.
    #[must_use]
    pub fn bytes(bytes: u64) -> Self {
        Self {
            bytes: bytes.max(1),
            ..Self::UNLIMITED
        }
    }

    /// Adds a limit of this many messages a second; at least 1.
    #[must_use]
    pub fn and_messages(self, messages: u64) -> Self {
        Self {
            messages: messages.max(1),
            ..self
        }
    }

    pub(super) fn is_unlimited(self) -> bool {
        self == Self::UNLIMITED
    }
}

/// The remaining allowance under a [`Quota`]. The time is an argument, so this reads no clock.
#[derive(Debug)]
pub(super) struct TokenBucket {
    quota: Quota,
    /// The remaining allowance; negative if more was taken than was available.
    messages: f64,
    bytes: f64,
    filled: Option<Instant>,
}

impl TokenBucket {
    /// Returns `None` if the quota is unlimited.
    pub(super) fn new(quota: Quota) -> Option<Self> {
        (!quota.is_unlimited()).then_some(Self {
            quota,
            messages: quota.messages as f64,
            bytes: quota.bytes as f64,
            filled: None,
        })
    }

    /// Deducts a message of `bytes` from the allowance, or returns when to try again.
    pub(super) fn take(&mut self, bytes: usize, now: Instant) -> Result<(), Instant> {
        self.fill(now);
        let short = Self::short(self.messages, self.quota.messages, 1.0);
        let short = short.max(Self::short(self.bytes, self.quota.bytes, bytes as f64));
        if short > 0.0 {
            let wait = Duration::try_from_secs_f64(short).unwrap_or(Duration::MAX);
            // Never wait for less than the resolution of timers.
            return Err(after(now, wait.max(Duration::from_millis(1))));
        }
        self.messages -= 1.0;
        self.bytes -= bytes as f64;
        Ok(())
    }

    /// Returns the seconds until the allowance is enough for `wanted`.
    ///
    /// If `wanted` exceeds the allowance of one second, the allowance of one second counts as
    /// enough.
    fn short(left: f64, rate: u64, wanted: f64) -> f64 {
        let rate = rate as f64;
        (wanted.min(rate) - left) / rate
    }

    fn fill(&mut self, now: Instant) {
        let since = self.filled.replace(now).unwrap_or(now);
        let passed = now.saturating_duration_since(since).as_secs_f64();
        let fill = |left: f64, rate: u64| (left + passed * rate as f64).min(rate as f64);
        self.messages = fill(self.messages, self.quota.messages);
        self.bytes = fill(self.bytes, self.quota.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_second_of_allowance_passes_immediately_and_then_the_rate_applies() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(Quota::messages(10)).expect("bounded");
        for _ in 0..10 {
            assert_eq!(bucket.take(1000, start), Ok(()));
        }
        let next = bucket.take(1, start).expect_err("none is left");
        assert_eq!(next - start, Duration::from_millis(100));
        assert_eq!(bucket.take(1, next), Ok(()));
        assert!(bucket.take(1, next).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_larger_than_the_allowance_of_a_second_passes_and_is_owed() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(Quota::bytes(1000)).expect("bounded");
        assert_eq!(bucket.take(5000, start), Ok(()));
        let next = bucket.take(1, start).expect_err("is owed");
        let waits = next - start;
        assert!((4.0..4.01).contains(&waits.as_secs_f64()), "{waits:?}");
        let next = bucket.take(5000, start).expect_err("is owed");
        assert_eq!(next - start, Duration::from_secs(5));
    }

    #[test]
    fn an_unlimited_quota_needs_no_bucket() {
        assert!(TokenBucket::new(Quota::UNLIMITED).is_none());
        assert!(TokenBucket::new(Quota::UNLIMITED.and_messages(0)).is_some());
    }
}
