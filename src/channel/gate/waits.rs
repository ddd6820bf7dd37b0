//! Measures how long some of the messages wait in a lane.

use std::time::Duration;

use tokio::time::Instant;

use crate::quantiles::Quantiles;

/// One in this many messages is timed.
///
/// Not every message is timed, because reading the clock takes as long as queueing a message.
const EVERY: u64 = 16;

/// Numbers the messages of one lane, and times some of them.
#[derive(Debug, Default)]
pub(super) struct Waits {
    pushed: u64,
    taken: u64,
    /// The number of the message that is being timed, and when it was queued.
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

    /// Notes that the next message was taken out of the lane. If this message was timed, returns
    /// how long it waited.
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
