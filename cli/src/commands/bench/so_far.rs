//! The state of a measurement that is not finished.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::{Args, Mode};
use crate::human;

/// The progress of a measurement, not verified yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct SoFar {
    pub(super) mode: Mode,
    /// The number of messages, round trips or handshakes that are done.
    pub(super) done: u64,
    /// The number that was requested.
    pub(super) count: u64,
    /// The size of each message.
    pub(super) size: u32,
    pub(super) elapsed: Duration,
}

impl SoFar {
    pub(super) fn of(args: &Args, done: u64, elapsed: Duration) -> Self {
        Self {
            mode: args.mode,
            done: done.min(args.count),
            count: args.count,
            size: args.size,
            elapsed,
        }
    }

    fn per_second(&self) -> f64 {
        self.done as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// Returns the line that the terminal shows while the measurement runs.
    pub(super) fn progress(&self) -> String {
        let Self { done, count, .. } = self;
        let (what, rate) = (self.mode.what(), self.per_second());
        let text = format!("{done} of {count} {what}, {rate:.0}/s");
        let left = (count - done) as f64 / rate;
        match Duration::try_from_secs_f64(left) {
            Ok(left) => format!("{text}, {} left", human::time(left)),
            // Nothing is done yet, so there is no rate.
            Err(_) => text,
        }
    }

    pub(super) fn partial(&self) -> Partial {
        Partial {
            count: self.done,
            seconds: self.elapsed.as_secs_f64(),
            per_second: self.per_second(),
        }
    }
}

/// Formats the text that people get after an interrupt.
impl fmt::Display for SoFar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { done, count, .. } = self;
        let (what, rate) = (self.mode.what(), self.per_second());
        write!(f, "interrupted after {done} of {count} {what}")?;
        if self.mode != Mode::Handshake {
            write!(f, ", {} bytes each", self.size)?;
        }
        let seconds = self.elapsed.as_secs_f64();
        write!(f, ": {seconds:.3} s, {rate:.0}/s")?;
        if self.mode != Mode::Handshake {
            write!(f, ", {:.1} MB/s", rate * f64::from(self.size) / 1e6)?;
        }
        Ok(())
    }
}

/// The object that programs get after an interrupt.
#[derive(Debug, Serialize)]
pub(super) struct Partial {
    count: u64,
    seconds: f64,
    per_second: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn so_far(mode: Mode, done: u64) -> SoFar {
        SoFar {
            mode,
            done,
            count: 400_000,
            size: 1000,
            elapsed: Duration::from_secs(2),
        }
    }

    #[test]
    fn says_how_far_it_is_and_what_is_left() {
        let wanted = "40000 of 400000 round trips, 20000/s, 18s left";
        assert_eq!(so_far(Mode::Echo, 40_000).progress(), wanted);
        let wanted = "0 of 400000 messages received, 0/s";
        assert_eq!(so_far(Mode::Source, 0).progress(), wanted);
    }

    #[test]
    fn says_what_was_measured() {
        let wanted = "interrupted after 300 of 400000 messages sent, 1000 bytes each: 2.000 s, 150/s, 0.1 MB/s";
        assert_eq!(so_far(Mode::Sink, 300).to_string(), wanted);
        let wanted = "interrupted after 0 of 400000 handshakes: 2.000 s, 0/s";
        assert_eq!(so_far(Mode::Handshake, 0).to_string(), wanted);
    }
}
