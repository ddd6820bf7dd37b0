//! How long messages wait in a lane, measured for some of them.

use std::time::Duration;

use tokio::time::Instant;

use crate::quantiles::Quantiles;

/// One message in this many is timed.
///
/// Reading the clock takes as long as queueing a message.
const EVERY: u64 = 16;

/// The messages of one lane, by number.
#[derive(Debug, Default)]
pub(super) struct Waits {
    pushed: u64,
    taken: u64,
    /// The message that is timed, and when it was queued.
    watched: Option<(u64, Instant)>,
    times: Quantiles,
}

impl Waits {
    pub(super) fn pushed(&mut self) {
        if self.pushed.is_multiple_of(EVERY) && self.watched.is_none() {
            self.watched = Some((self.pushed, Instant::now()));
        }
        self.pushed = self.pushed.wrapping_add(1);
    }

    /// Notes that the next message was taken. Returns how long it waited, if it was timed.
    pub(super) fn taken(&mut self) -> Option<Duration> {
        let watched = self.watched.take_if(|(number, _)| *number == self.taken);
        let waited = watched.map(|(_, since)| since.elapsed());
        if let Some(waited) = waited {
            self.times.record(waited);
        }
        self.taken = self.taken.wrapping_add(1);
        waited
    }

    /// The median and the 99th percentile of the waits.
    pub(super) fn times(&self) -> [Option<Duration>; 2] {
        [50, 99].map(|percent| self.times.percent(percent))
    }
}
