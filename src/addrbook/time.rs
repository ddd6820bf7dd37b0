//! The clocks of the book, and its arithmetic with times.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::calendar::Calendar;
use crate::time::NEVER;

/// The source of time for an [`AddressBook`](super::AddressBook).
///
/// Stored times outlive the process, so they are calendar times. But decisions within a process
/// must not change suddenly when the machine's clock is adjusted slightly. [`SystemClock`]
/// satisfies both requirements.
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> SystemTime;
}

/// The machine's clock, for an application.
///
/// It advances with the monotonic clock, and follows corrections of more than a minute, for example
/// when the machine gets the time from the network after its start. Clones share the clock.
#[derive(Debug, Clone)]
pub struct SystemClock(Arc<Calendar>);

impl SystemClock {
    /// The machine's clock.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Calendar::system()))
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        self.0.now()
    }
}

/// A clock that starts at a given time, for tests and simulations.
///
/// It advances with the monotonic clock, so tokio's paused time controls it.
#[derive(Debug, Clone, Copy)]
pub struct SteadyClock {
    wall: SystemTime,
    start: Instant,
}

impl SteadyClock {
    /// A clock that shows `wall` now.
    pub fn starting_at(wall: SystemTime) -> Self {
        Self {
            wall,
            start: Instant::now(),
        }
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> SystemTime {
        later(self.wall, self.start.elapsed())
    }
}

/// How far ahead another node's clock may be. Our own clock may have been this far ahead before a
/// correction.
pub(super) const AHEAD: Duration = Duration::from_secs(10 * 60);

/// Whether `then` was less than `span` ago. A time far ahead is from a wrong clock, and does not
/// count.
pub(super) fn within(now: SystemTime, then: SystemTime, span: Duration) -> bool {
    !is_ahead(now, then) && age(now, then) < span
}

/// Whether `then` is so far ahead that only a wrong clock can have shown it.
pub(super) fn is_ahead(now: SystemTime, then: SystemTime) -> bool {
    then > later(now, AHEAD)
}

/// How long ago `then` was; zero if it is in the future.
pub(super) fn age(now: SystemTime, then: SystemTime) -> Duration {
    now.duration_since(then).unwrap_or_default()
}

/// The time `wait` after `time`, at most 30 years later. If the calendar does not reach that far,
/// this returns `time`.
pub(super) fn later(time: SystemTime, wait: Duration) -> SystemTime {
    time.checked_add(wait.min(NEVER)).unwrap_or(time)
}

/// The time `ago` before `time`. If the calendar does not reach that far back, this returns `time`.
pub(super) fn earlier(time: SystemTime, ago: Duration) -> SystemTime {
    time.checked_sub(ago).unwrap_or(time)
}

/// Returns a time in milliseconds since 1970, as in the store; earlier times give 0.
pub(super) fn to_millis(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

/// The time that [`to_millis`] wrote, if the calendar reaches that far.
pub(super) fn from_millis(millis: u64) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(millis))
}
