//! Estimates of how fast a peer answers.

use std::time::Duration;

/// The weight of each new measurement after the first ten.
const WEIGHT: f64 = 0.1;

/// The factor by which a requested size exceeds the estimated size.
///
/// It is above 1 to find out whether the peer has become faster.
const GROWTH: f64 = 1.01;

/// How fast a peer answers requests of one type.
///
/// The estimate is based on the responses so far; newer responses count more.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    responses: u64,
    /// The round trip in seconds.
    round_trip: f64,
    bytes_per_second: f64,
    timed_out_in_row: u32,
}

impl Estimate {
    pub(super) const NONE: Self = Self {
        responses: 0,
        round_trip: 0.0,
        bytes_per_second: 0.0,
        timed_out_in_row: 0,
    };

    /// The number of responses on which the estimate is based.
    #[must_use]
    pub fn responses(&self) -> u64 {
        self.responses
    }

    /// The time from sending a request to its response.
    ///
    /// Zero before the first response.
    #[must_use]
    pub fn round_trip(&self) -> Duration {
        Duration::try_from_secs_f64(self.round_trip).unwrap_or_default()
    }

    /// Payload bytes of a response, per second of the request's round trip.
    ///
    /// Each request that times out halves this value.
    #[must_use]
    pub fn bytes_per_second(&self) -> u64 {
        self.bytes_per_second as u64
    }

    /// How many of the latest requests timed out in a row.
    #[must_use]
    pub fn timed_out_in_row(&self) -> u32 {
        self.timed_out_in_row
    }

    /// How many bytes to request so that the response takes about `target`.
    ///
    /// At least 1.
    #[must_use]
    pub fn capacity(&self, target: Duration) -> usize {
        let bytes = self.bytes_per_second * target.as_secs_f64() * GROWTH;
        (bytes as usize).saturating_add(1)
    }

    pub(super) fn answered(&mut self, took: Duration, bytes: usize) {
        let took = took.as_secs_f64().max(1e-6);
        // The first ten measurements have equal weight.
        let weight = (1.0 / (self.responses as f64 + 1.0)).max(WEIGHT);
        self.round_trip += weight * (took - self.round_trip);
        self.bytes_per_second += weight * (bytes as f64 / took - self.bytes_per_second);
        self.responses = self.responses.saturating_add(1);
        self.timed_out_in_row = 0;
    }

    pub(super) fn timed_out(&mut self) {
        self.bytes_per_second /= 2.0;
        self.timed_out_in_row = self.timed_out_in_row.saturating_add(1);
    }
}

/// The estimates of one peer, by the code of the request.
#[derive(Debug, Default)]
pub(super) struct Estimates(Vec<(u64, Estimate)>);

impl Estimates {
    pub(super) fn of(&self, code: u64) -> Option<Estimate> {
        let mut all = self.0.iter();
        all.find(|(of, _)| *of == code)
            .map(|(_, estimate)| *estimate)
    }

    pub(super) fn change(&mut self, code: u64, change: impl FnOnce(&mut Estimate)) {
        if let Some((_, estimate)) = self.0.iter_mut().find(|(of, _)| *of == code) {
            return change(estimate);
        }
        let mut estimate = Estimate::NONE;
        change(&mut estimate);
        self.0.push((code, estimate));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn requests_are_sized_for_the_target_time() {
        let mut estimate = Estimate::NONE;
        assert_eq!(estimate.capacity(Duration::MAX), 1);
        (0..100).for_each(|_| estimate.answered(100 * MS, 10_000));
        let asked = estimate.capacity(500 * MS);
        assert!((50_000..52_000).contains(&asked), "{asked}");
        assert_eq!(estimate.round_trip().as_millis(), 100);
        assert_eq!(estimate.capacity(Duration::MAX), usize::MAX);
    }

    #[test]
    fn a_peer_that_slows_down_gets_smaller_requests() {
        let mut estimate = Estimate::NONE;
        (0..10).for_each(|_| estimate.answered(10 * MS, 1000));
        let before = estimate.capacity(100 * MS);
        estimate.timed_out();
        assert!(estimate.capacity(100 * MS) <= before / 2 + 1);
        assert_eq!(estimate.timed_out_in_row(), 1);
        (0..50).for_each(|_| estimate.answered(100 * MS, 1000));
        assert!(estimate.capacity(100 * MS) < 1200);
        assert_eq!(estimate.timed_out_in_row(), 0);
    }

    #[test]
    fn each_type_of_request_has_its_own_estimate() {
        let mut all = Estimates::default();
        all.change(1, |one| one.answered(MS, 1));
        all.change(2, Estimate::timed_out);
        assert_eq!(all.of(1).map(|one| one.responses()), Some(1));
        assert_eq!(all.of(2).map(|two| two.timed_out_in_row()), Some(1));
        assert_eq!(all.of(3), None);
    }
}
