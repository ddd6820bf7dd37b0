//! Time limits of transfers, as pure functions of time.
//!
//! Additions of times saturate, so a limit of `Duration::MAX` means never.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use crate::time::after;

/// Beyond its base time, a transfer must average this rate, in bytes a second.
const MIN_RATE: u64 = 64 << 10;

/// The time limits of transfers in one direction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Maximum time from the first byte to the last, without the addition for the size.
    pub(crate) base: Duration,
    /// Maximum time from one byte to the next.
    pub(crate) idle: Duration,
}

impl Patience {
    /// Starts a transfer.
    pub(crate) fn begin(self, now: Instant) -> Transfer {
        Transfer {
            patience: self,
            started: now,
            progressed: now,
        }
    }

    fn total(&self, size: usize) -> Duration {
        let by_size = (size as u64).saturating_mul(1000) / MIN_RATE;
        self.base.saturating_add(Duration::from_millis(by_size))
    }
}

/// One message that is being read, or one batch of messages that is being written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Transfer {
    patience: Patience,
    started: Instant,
    progressed: Instant,
}

impl Transfer {
    /// Records that at least one byte has been transferred.
    pub(crate) fn progress(&mut self, now: Instant) {
        self.progressed = now;
    }

    /// Excludes the time `from`..`to`, during which this side did not wait for bytes.
    pub(crate) fn skip(&mut self, from: Instant, to: Instant) {
        self.started = after(self.started, to.saturating_duration_since(from));
        self.progressed = to;
    }

    /// The time at which a transfer of `size` bytes is too slow. Progress may postpone this time.
    pub(crate) fn until(&self, size: usize) -> Instant {
        let (total, idle) = self.ends(size);
        total.min(idle)
    }

    /// Describes the limit that runs out first, after `done` bytes of `size`.
    pub(crate) fn too_slow(&self, done: usize, size: usize) -> SlowTransfer {
        let (total, idle) = self.ends(size);
        let (limit, waited) = if idle < total {
            (TransferLimit::Progress, self.patience.idle)
        } else {
            (TransferLimit::Total, self.patience.total(size))
        };
        SlowTransfer {
            limit,
            waited,
            done,
            size,
        }
    }

    fn ends(&self, size: usize) -> (Instant, Instant) {
        (
            after(self.started, self.patience.total(size)),
            after(self.progressed, self.patience.idle),
        )
    }
}

/// Which limit a transfer exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransferLimit {
    /// The limit on the duration of the whole transfer, which grows with its size.
    Total,
    /// The limit on the time in which no byte is transferred.
    Progress,
}

/// Describes a transfer that was too slow.
///
/// A transfer is a message being read, or a batch of messages being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlowTransfer {
    /// The limit that was exceeded.
    pub limit: TransferLimit,
    /// The duration of that limit. [`Total`](TransferLimit::Total) counts from the first byte,
    /// [`Progress`](TransferLimit::Progress) from the last byte so far.
    pub waited: Duration,
    /// The number of bytes transferred.
    pub done: usize,
    /// The size in bytes.
    ///
    /// For a message this is the size in the header, once the header has arrived. For a batch it is
    /// the size before compression, plus 64 bytes for each message.
    pub size: usize,
}

impl fmt::Display for SlowTransfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            waited, done, size, ..
        } = self;
        match self.limit {
            TransferLimit::Total => write!(f, "{done} of {size} bytes in {waited:.1?}"),
            TransferLimit::Progress => {
                write!(f, "no byte for {waited:.1?}, after {done} of {size} bytes")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::NEVER;

    const SECOND: Duration = Duration::from_secs(1);

    fn transfer(base: Duration, idle: Duration) -> (Transfer, Instant) {
        let now = Instant::now();
        (Patience { base, idle }.begin(now), now)
    }

    #[test]
    fn the_total_grows_with_the_size_and_progress_does_not_move_it() {
        let (mut transfer, start) = transfer(30 * SECOND, 20 * SECOND);
        for second in 0..40 {
            transfer.progress(start + second * SECOND);
        }
        assert_eq!(transfer.until(0), start + 30 * SECOND);
        assert_eq!(transfer.until(16 * (64 << 10)), start + 46 * SECOND);
        let slow = transfer.too_slow(5, 64 << 10);
        assert_eq!(
            (slow.limit, slow.waited),
            (TransferLimit::Total, 31 * SECOND)
        );
        assert_eq!(slow.to_string(), "5 of 65536 bytes in 31.0s");
    }

    #[test]
    fn without_progress_a_transfer_of_any_size_ends() {
        let (mut transfer, start) = transfer(30 * SECOND, 20 * SECOND);
        assert_eq!(transfer.until(usize::MAX), start + 20 * SECOND);
        transfer.progress(start + 5 * SECOND);
        assert_eq!(transfer.until(usize::MAX), start + 25 * SECOND);
        let slow = transfer.too_slow(5, 100_000_000);
        assert_eq!(slow.limit, TransferLimit::Progress);
        assert_eq!(
            slow.to_string(),
            "no byte for 20.0s, after 5 of 100000000 bytes"
        );
    }

    #[test]
    fn time_without_waiting_does_not_count() {
        let (mut transfer, start) = transfer(30 * SECOND, 20 * SECOND);
        transfer.skip(start + SECOND, start + 101 * SECOND);
        assert_eq!(transfer.until(0), start + 121 * SECOND);
        transfer.progress(start + 120 * SECOND);
        assert_eq!(transfer.until(0), start + 130 * SECOND);
    }

    #[test]
    fn an_unlimited_wait_does_not_overflow() {
        let (mut transfer, start) = transfer(Duration::MAX, Duration::MAX);
        transfer.progress(start + SECOND);
        assert_eq!(transfer.until(usize::MAX), start + NEVER);
        let never = after(after(start, Duration::MAX), Duration::MAX);
        assert_eq!(never.duration_since(start), 2 * NEVER);
    }
}
