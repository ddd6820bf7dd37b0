//! The one time line of the book.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::calendar::Calendar;
use crate::time::NEVER;

/// Tells the time to an [`AddressBook`](super::AddressBook).
///
/// Marks outlive the process, so they are points of calendar time; but decisions within a process
/// must not jump when somebody sets the machine's clock a little. [`SystemClock`] serves both.
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> SystemTime;
}

/// The machine's clock, for an application: it goes on with the monotonic clock and follows corrections of
/// more than a minute, such as when the machine hears the time from the network after its start. Cloning
/// shares it.
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

/// Calendar time that is given once and goes on with the monotonic clock, for tests and simulations:
/// tokio's paused time controls it.
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

/// How far another clock, or ours at an earlier time, may be ahead.
pub(super) const AHEAD: Duration = Duration::from_secs(10 * 60);

/// Whether `then` was less than `span` ago. A time far ahead was written by a clock that was wrong, and says
/// nothing.
pub(super) fn within(now: SystemTime, then: SystemTime, span: Duration) -> bool {
    !is_ahead(now, then) && age(now, then) < span
}

/// Whether no clock that is right can have shown `then` yet.
pub(super) fn is_ahead(now: SystemTime, then: SystemTime) -> bool {
    then > later(now, AHEAD)
}

/// How long ago `then` was; zero if it is still to come.
pub(super) fn age(now: SystemTime, then: SystemTime) -> Duration {
    now.duration_since(then).unwrap_or_default()
}

/// The point `wait` after `time`, at most 30 years later, or `time` where the calendar ends.
pub(super) fn later(time: SystemTime, wait: Duration) -> SystemTime {
    time.checked_add(wait.min(NEVER)).unwrap_or(time)
}

/// The point `ago` before `time`, or `time` where the calendar begins.
pub(super) fn earlier(time: SystemTime, ago: Duration) -> SystemTime {
    time.checked_sub(ago).unwrap_or(time)
}

/// Milliseconds since 1970, as the store holds a time; 0 for anything before.
pub(super) fn to_millis(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

/// The time that [`to_millis`] wrote, if the calendar reaches that far.
pub(super) fn from_millis(millis: u64) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(millis))
}
