//! The measured paths.

use std::time::Duration;

/// A path between two hosts, the same in both directions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Path {
    pub(crate) round_trip: Duration,
    /// The rate in bits per second. With `None`, only the processors limit the rate. Otherwise,
    /// packets that exceed the rate wait in a queue of one bandwidth-delay product.
    pub(crate) rate: Option<u64>,
    /// The share of packets lost in each direction, in thousandths.
    pub(crate) loss: u32,
}

const MBIT: u64 = 1_000_000;

impl Path {
    /// The path of `--quick`.
    pub(crate) const QUICK: &'static str = "20ms-100mbit";

    const DEFAULT: [&'static str; 6] = [
        "1ms",
        "20ms",
        "100ms",
        "20ms-100mbit",
        "50ms-20mbit",
        "100ms-100mbit-0.5%",
    ];

    const fn new(round_trip_ms: u64, mbit: Option<u64>, loss: u32) -> Self {
        Self {
            round_trip: Duration::from_millis(round_trip_ms),
            rate: match mbit {
                Some(mbit) => Some(mbit * MBIT),
                None => None,
            },
            loss,
        }
    }

    pub(crate) fn all() -> [Self; 12] {
        [
            Self::new(1, None, 0),
            Self::new(20, None, 0),
            Self::new(100, None, 0),
            Self::new(200, None, 0),
            Self::new(20, Some(100), 0),
            Self::new(100, Some(100), 0),
            Self::new(50, Some(20), 0),
            Self::new(100, Some(20), 0),
            Self::new(200, Some(20), 0),
            Self::new(20, Some(100), 1),
            Self::new(100, Some(100), 5),
            Self::new(100, None, 1),
        ]
    }

    /// The path on which one message of 16 MiB takes 34 s.
    pub(crate) const fn narrow() -> Self {
        Self::new(50, Some(4), 0)
    }

    pub(crate) fn is_default(self) -> bool {
        Self::DEFAULT.contains(&self.id().as_str())
    }

    /// Returns whether the goals for echo alongside bulk messages apply to this path.
    pub(crate) fn is_for_echo(self) -> bool {
        self.id() == "50ms-20mbit"
    }

    /// The name on the command line.
    pub(crate) fn id(self) -> String {
        let ms = self.round_trip.as_millis();
        let rate = self.rate.map(|rate| format!("-{}mbit", rate / MBIT));
        let loss = (self.loss > 0).then(|| format!("-{}%", self.percent()));
        [Some(format!("{ms}ms")), rate, loss]
            .into_iter()
            .flatten()
            .collect()
    }

    /// The name in tables.
    pub(crate) fn title(self) -> String {
        let ms = self.round_trip.as_millis();
        let rate = self.rate.map(|rate| format!(", {} Mbit/s", rate / MBIT));
        let loss = (self.loss > 0).then(|| format!(", {} % lost", self.percent()));
        [Some(format!("{ms} ms")), rate, loss]
            .into_iter()
            .flatten()
            .collect()
    }

    fn percent(self) -> f64 {
        f64::from(self.loss) / 10.0
    }

    /// Returns the size of the queue in bytes, one bandwidth-delay product. Returns `None` without
    /// a rate.
    pub(crate) fn queue(self) -> Option<u64> {
        let rate = self.rate? as f64;
        Some((rate / 8.0 * self.round_trip.as_secs_f64()) as u64)
    }

    /// Returns how long this number of bytes occupies the path.
    pub(crate) fn time_of(self, bytes: usize) -> Duration {
        let seconds = self.rate.map(|rate| bytes as f64 * 8.0 / rate as f64);
        Duration::from_secs_f64(seconds.unwrap_or_default())
    }
}
