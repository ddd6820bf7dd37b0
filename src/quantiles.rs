//! Quantiles of durations in little memory.

use std::time::Duration;

/// The number of powers of two, from 1 µs to about half an hour.
const POWERS: usize = 31;
/// The number of classes per power of two. With four, a quantile is at most a quarter too large.
const PARTS: usize = 4;
/// When the total reaches this, all counts are halved, so that newer durations count more.
const HALVED_AT: u32 = 4096;

/// Durations, counted in classes. The first duration allocates the memory.
#[derive(Debug, Default)]
pub(crate) struct Quantiles {
    counts: Option<Box<[u16; POWERS * PARTS]>>,
    total: u32,
}

impl Quantiles {
    pub(crate) fn record(&mut self, duration: Duration) {
        let counts = self
            .counts
            .get_or_insert_with(|| Box::new([0; POWERS * PARTS]));
        if let Some(count) = counts.get_mut(class(duration)) {
            *count = count.saturating_add(1);
            self.total += 1;
        }
        if self.total >= HALVED_AT {
            counts.iter_mut().for_each(|count| *count /= 2);
            self.total = counts.iter().map(|&count| u32::from(count)).sum();
        }
    }

    /// The duration that `percent` % of the durations do not exceed; `None` if none exist.
    pub(crate) fn percent(&self, percent: u32) -> Option<Duration> {
        let counts = self.counts.as_ref()?;
        let wanted = u64::from(self.total)
            .saturating_mul(u64::from(percent))
            .div_ceil(100);
        let mut sum = 0u64;
        let class = counts.iter().position(|&count| {
            sum = sum.saturating_add(u64::from(count));
            sum >= wanted.max(1)
        });
        class.map(upper)
    }
}

/// The class of a duration.
fn class(duration: Duration) -> usize {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    let power = micros.max(1).ilog2();
    // The two bits after the highest bit select the part.
    let part = match power {
        0 | 1 => (micros << (2 - power)) & 3,
        _ => (micros >> (power - 2)) & 3,
    };
    (power as usize * PARTS + part as usize).min(POWERS * PARTS - 1)
}

/// The longest duration of a class.
fn upper(class: usize) -> Duration {
    let (power, part) = (class / PARTS, class % PARTS);
    let next = (PARTS + part + 1) as u64;
    Duration::from_micros((next << power).div_ceil(PARTS as u64))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_median_and_a_high_percentile_differ() {
        let mut quantiles = Quantiles::default();
        assert_eq!(quantiles.percent(50), None);
        for millis in 1..=100 {
            quantiles.record(Duration::from_millis(millis));
        }
        let told = |percent| quantiles.percent(percent).unwrap().as_millis();
        assert!((50..=63).contains(&told(50)), "{}", told(50));
        assert!((99..=124).contains(&told(99)), "{}", told(99));
    }

    #[test]
    fn newer_durations_count_more() {
        let mut quantiles = Quantiles::default();
        for _ in 0..100_000 {
            quantiles.record(Duration::from_secs(1));
        }
        for _ in 0..10_000 {
            quantiles.record(Duration::from_millis(1));
        }
        assert!(quantiles.percent(50).unwrap() < Duration::from_millis(2));
    }

    proptest! {
        #[test]
        fn a_quantile_is_at_most_a_quarter_too_large(micros in 1u64..1_000_000_000) {
            let mut quantiles = Quantiles::default();
            quantiles.record(Duration::from_micros(micros));
            let told = quantiles.percent(99).unwrap().as_micros() as u64;
            prop_assert!(told >= micros && told <= micros + micros / 4 + 1, "{told}");
        }
    }
}
