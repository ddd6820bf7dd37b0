//! The loads between two ends.

use crate::kind::Kind;

const SIZES: [usize; 3] = [1 << 10, 32 << 10, 1 << 20];
const BESIDE: [usize; 2] = [32 << 10, 1 << 20];

/// Size of a round trip's message in bytes.
pub(crate) const ECHO: usize = 32;

/// The number of concurrent connects.
pub(crate) const CONCURRENCY: u64 = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    /// The dialler sends messages of this size in bytes.
    Sink(usize),
    /// Round trips, one after the other.
    Echo,
    /// Round trips alongside bulk messages of another protocol, of this size in bytes.
    Beside(usize),
    /// Full connects: handshake, Hello, Disconnect.
    Connect,
}

impl Load {
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let sinks = SIZES.into_iter().map(Self::Sink);
        let beside = BESIDE.into_iter().map(Self::Beside);
        sinks
            .chain([Self::Echo])
            .chain(beside)
            .chain([Self::Connect])
    }

    /// The name on the command line.
    pub(crate) fn id(self) -> String {
        match self {
            Self::Sink(size) => format!("sink/{size}"),
            Self::Echo => format!("echo/{ECHO}"),
            Self::Beside(size) => format!("beside/{size}"),
            Self::Connect => format!("connect/{CONCURRENCY}"),
        }
    }

    /// The implementations that support the load.
    pub(crate) fn kinds(self) -> &'static [Kind] {
        match self {
            Self::Sink(_) => &Kind::ALL,
            Self::Echo | Self::Connect => &[Kind::Peermux, Kind::Geth],
            Self::Beside(_) => &[Kind::Peermux],
        }
    }

    /// Returns the maximum rate at which go-ethereum encrypts here, in bytes per second, rounded.
    /// With more data than this allows, go-ethereum would take too long.
    pub(crate) fn ceiling(self) -> f64 {
        match self {
            Self::Sink(size) if size < 32 << 10 => 40e6,
            _ => 150e6,
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
