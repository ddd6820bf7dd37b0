//! The loads between two nodes.

use serde_json::Value;

use crate::figures::{Section, Unit};

const SIZES: [usize; 5] = [16, 256, 1 << 10, 32 << 10, 1 << 20];
const ECHO_SIZE: usize = 32;
const CONCURRENCIES: [usize; 2] = [1, 8];

/// From this size on, rates are in megabytes per second instead of messages.
const LARGE: usize = 32 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    /// The dialler sends messages of this size in bytes.
    Sink(usize),
    /// The listener sends messages of this size.
    Source(usize),
    /// Round trips, one after the other.
    Echo(usize),
    /// This many concurrent full connects.
    Handshake(usize),
}

impl Load {
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let sinks = SIZES.into_iter().map(Self::Sink);
        let sources = SIZES.into_iter().map(Self::Source);
        let handshakes = CONCURRENCIES.into_iter().map(Self::Handshake);
        let echo = [Self::Echo(ECHO_SIZE)];
        sinks.chain(sources).chain(echo).chain(handshakes)
    }

    /// Returns the message sizes, smallest first.
    pub(crate) fn sizes() -> [usize; 5] {
        SIZES
    }

    pub(crate) fn mode(self) -> &'static str {
        match self {
            Self::Sink(_) => "sink",
            Self::Source(_) => "source",
            Self::Echo(_) => "echo",
            Self::Handshake(_) => "handshake",
        }
    }

    pub(crate) fn size(self) -> usize {
        match self {
            Self::Sink(size) | Self::Source(size) | Self::Echo(size) => size,
            Self::Handshake(_) => 0,
        }
    }

    pub(crate) fn concurrency(self) -> usize {
        match self {
            Self::Handshake(many) => many,
            _ => 1,
        }
    }

    /// The name on the command line.
    pub(crate) fn id(self) -> String {
        let number = match self {
            Self::Handshake(many) => many,
            _ => self.size(),
        };
        format!("{}/{number}", self.mode())
    }

    /// Returns a count of messages that takes little time with every implementation.
    pub(crate) fn first_count(self) -> u64 {
        match self {
            Self::Handshake(_) => 20,
            Self::Echo(_) => 200,
            _ => (200_000 / self.size().max(200) as u64).max(2),
        }
    }

    /// Returns the figures in a dialler's result.
    pub(crate) fn told(self, result: &Value) -> Vec<(Section, String, Unit, f64)> {
        let number = |key: &str| result[key].as_f64();
        let rate = number("count").zip(number("seconds"));
        let rate = rate.map_or(0.0, |(count, seconds)| count / seconds.max(1e-9));
        match self {
            Self::Sink(size) | Self::Source(size) => {
                let section = match self {
                    Self::Sink(_) => Section::Sink,
                    _ => Section::Source,
                };
                let mut told = vec![(section, bytes(size), Unit::MessagesPerSecond, rate)];
                if size >= LARGE {
                    let megabytes = rate * size as f64 / 1e6;
                    told.push((section, bytes(size), Unit::MegabytesPerSecond, megabytes));
                }
                told
            }
            Self::Echo(size) => [("p50", "p50_us"), ("p99", "p99_us"), ("p99.9", "p999_us")]
                .into_iter()
                .filter_map(|(part, key)| {
                    let row = format!("{}, {part}", bytes(size));
                    Some((Section::Echo, row, Unit::Microseconds, number(key)?))
                })
                .collect(),
            Self::Handshake(many) => {
                let row = format!("{many} at once");
                vec![(Section::Handshakes, row, Unit::PerSecond, rate)]
            }
        }
    }

    /// Returns the title of the load's CPU time in the table.
    pub(crate) fn title(self) -> String {
        match self {
            Self::Handshake(many) => format!("handshake, {many} at once"),
            _ => format!("{} {}", self.mode(), bytes(self.size())),
        }
    }
}

/// Formats a size.
pub(crate) fn bytes(size: usize) -> String {
    match size {
        _ if size >= 1 << 20 => format!("{} MiB", size >> 20),
        _ if size >= 1 << 10 => format!("{} KiB", size >> 10),
        _ => format!("{size} B"),
    }
}
