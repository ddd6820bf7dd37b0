//! The machine's clock.

#[cfg(any(feature = "comm", feature = "addrbook"))]
use std::time::Duration;
use std::time::SystemTime;

#[cfg(any(feature = "comm", feature = "addrbook"))]
use tokio::time::Instant;

#[cfg(any(feature = "comm", feature = "addrbook"))]
use crate::mutex::Mutex;

/// The time on the machine's clock, which may be wrong and may jump.
#[expect(clippy::disallowed_methods, reason = "the only place that reads it")]
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}

/// The machine's clock at its last reading, advanced by the monotonic clock. Small adjustments of
/// the machine's clock are therefore hidden. If the two clocks differ by more than a minute, the
/// machine's clock was corrected or the machine was asleep, and the machine's clock is read again.
#[cfg(any(feature = "comm", feature = "addrbook"))]
#[derive(Debug)]
pub(crate) struct Calendar {
    wall: fn() -> SystemTime,
    read: Mutex<(SystemTime, Instant)>,
}

#[cfg(any(feature = "comm", feature = "addrbook"))]
impl Calendar {
    /// Returns a calendar of the machine's clock.
    pub(crate) fn system() -> Self {
        Self::of(wall)
    }

    fn of(wall: fn() -> SystemTime) -> Self {
        let read = Mutex::new((wall(), Instant::now()));
        Self { wall, read }
    }

    /// The time since 1970. If the clock shows an earlier time, the result is zero, and no
    /// certificate is valid yet.
    #[cfg(feature = "comm")]
    pub(crate) fn unix_now(&self) -> Duration {
        let since = self.now().duration_since(SystemTime::UNIX_EPOCH);
        since.unwrap_or_default()
    }

    pub(crate) fn now(&self) -> SystemTime {
        const CORRECTION: Duration = Duration::from_secs(60);
        let (shown, mut read) = ((self.wall)(), self.read.lock());
        let (time, at) = *read;
        let steady = time.checked_add(at.elapsed()).unwrap_or(time);
        let ahead = shown.duration_since(steady);
        let differ = ahead.unwrap_or_else(|error| error.duration());
        if differ <= CORRECTION {
            return steady;
        }
        *read = (shown, Instant::now());
        shown
    }
}

#[cfg(all(test, any(feature = "comm", feature = "addrbook")))]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    static SHOWN: AtomicU64 = AtomicU64::new(1_000_000);

    fn shown() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(SHOWN.load(Ordering::Relaxed))
    }

    #[tokio::test(start_paused = true)]
    async fn the_calendar_is_steady_and_follows_a_correction() {
        let calendar = Calendar::of(shown);
        let seconds = || {
            let since = calendar.now().duration_since(SystemTime::UNIX_EPOCH);
            since.unwrap().as_secs()
        };
        tokio::time::advance(Duration::from_secs(50)).await;
        assert_eq!(seconds(), 1_000_050, "advances without the machine's clock");
        SHOWN.store(1_000_020, Ordering::Relaxed);
        assert_eq!(seconds(), 1_000_050, "a small step back");
        SHOWN.store(2_000_000, Ordering::Relaxed);
        assert_eq!(seconds(), 2_000_000, "read before the clock was set");
        SHOWN.store(1_500_000, Ordering::Relaxed);
        assert_eq!(seconds(), 1_500_000, "was in the future");
    }
}
