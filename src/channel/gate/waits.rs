//! How long messages wait in a lane, of which some are watched.

use std::time::Duration;

use tokio::time::Instant;

use crate::quantiles::Quantiles;

/// One message in 16 is watched, since reading the clock takes as long as queueing one.
const EVERY: u64 = 16;

/// The messages of one lane, by number.
#[derive(Debug, Default)]
pub(super) struct Waits {
    pushed: u64,
    taken: u64,
    /// The message that is watched, and since when it waits.
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

    /// The next message was taken to be written. Returns how long it waited, if it was watched.
    pub(super) fn taken(&mut self) -> Option<Duration> {
        let watched = self.watched.take_if(|(number, _)| *number == self.taken);
        let waited = watched.map(|(_, since)| since.elapsed());
        if let Some(waited) = waited {
            self.times.record(waited);
        }
        self.taken = self.taken.wrapping_add(1);
        waited
    }

    /// What half of them did not exceed, and 99 %.
    pub(super) fn times(&self) -> [Option<Duration>; 2] {
        [50, 99].map(|percent| self.times.percent(percent))
    }
}
