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

    /// The next message was taken to be written.
    pub(super) fn taken(&mut self) {
        if let Some((_, since)) = self.watched.take_if(|(number, _)| *number == self.taken) {
            self.times.record(since.elapsed());
        }
        self.taken = self.taken.wrapping_add(1);
    }

    /// What half of them did not exceed, and 99 %.
    pub(super) fn times(&self) -> [Option<Duration>; 2] {
        [50, 99].map(|percent| self.times.percent(percent))
    }
}
