//! Warns once if cryptography seems to be compiled without optimisation.

use std::sync::Once;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// A step that takes longer than this is too slow for an optimised build. On a server of 2024, a
/// step takes 0.15 ms with optimisation, and 0.9 to 1.5 ms without.
const ABSURD: Duration = Duration::from_micros(700);

/// The number of first steps measured. Only the shortest of them counts, because any step may have
/// waited for a processor.
const STEPS: u32 = 4;

/// How long the first steps of public-key cryptography took.
#[derive(Debug)]
pub(crate) struct StepTimes {
    noted: AtomicU32,
    shortest_ns: AtomicU64,
}

impl StepTimes {
    pub(crate) fn new() -> Self {
        Self {
            noted: AtomicU32::new(0),
            shortest_ns: AtomicU64::new(u64::MAX),
        }
    }

    /// Runs a step, and warns if the first steps of the process took absurdly long.
    pub(crate) fn time<R>(&self, step: impl FnOnce() -> R) -> R {
        static WARNING: Once = Once::new();
        let started = Instant::now();
        let result = step();
        if let Some(shortest) = self.note(started.elapsed()) {
            WARNING.call_once(|| {
                tracing::warn!(
                    handshake_step = ?shortest,
                    "handshakes are slow: this debug build seems to have cryptography without \
                     optimisation; add to Cargo.toml: [profile.dev.package.\"*\"] opt-level = 3"
                );
            });
        }
        result
    }

    /// Records how long a step took. After the last step that counts, returns the shortest time if
    /// all counted steps took too long.
    fn note(&self, took: Duration) -> Option<Duration> {
        let noted = self.noted.load(Ordering::Relaxed);
        if noted >= STEPS {
            return None;
        }
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let shortest = self
            .shortest_ns
            .fetch_min(nanoseconds, Ordering::Relaxed)
            .min(nanoseconds);
        let is_last = self.noted.fetch_add(1, Ordering::Relaxed) == STEPS - 1;
        let shortest = Duration::from_nanos(shortest);
        (is_last && shortest >= ABSURD).then_some(shortest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records steps of these durations in microseconds, and returns the reports.
    fn reports(steps: [u64; 5]) -> Vec<Option<Duration>> {
        let times = StepTimes::new();
        let took = steps.map(Duration::from_micros);
        took.map(|took| times.note(took)).into()
    }

    #[test]
    fn only_slow_steps_are_reported_and_once() {
        let slow = Some(Duration::from_micros(900));
        let reported = reports([1500, 900, 9000, 1200, 8000]);
        assert_eq!(reported, [None, None, None, slow, None]);
    }

    #[test]
    fn one_quick_step_is_enough() {
        assert_eq!(reports([1500, 900, 9000, 150, 8000]), [None; 5]);
    }
}
