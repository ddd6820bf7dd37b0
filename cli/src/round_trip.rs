//! Describes the round trip of a peer in a few characters.

use std::fmt;
use std::time::Duration;

use peermux::peer::PeerInfo;

use crate::human;

/// The age from which an unanswered Ping is shown, in milliseconds.
const SILENT_MS: u64 = 1000;

/// The round trip of a peer's Pings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RoundTrip {
    /// The peer has not answered a Ping yet.
    Unknown,
    /// The median of the round trips, in microseconds.
    Median(u64),
    /// A Ping has not been answered for this time, in milliseconds.
    Silent(u64),
}

impl RoundTrip {
    pub(crate) fn of(peer: &PeerInfo) -> Self {
        match (peer.unanswered_ms, peer.rtt_p50_us) {
            (Some(silent), _) if silent >= SILENT_MS => Self::Silent(silent),
            (_, Some(micros)) => Self::Median(micros),
            (_, None) => Self::Unknown,
        }
    }

    /// Returns the time in microseconds, for sorting.
    pub(crate) fn micros(self) -> Option<u64> {
        match self {
            Self::Unknown => None,
            Self::Median(micros) => Some(micros),
            Self::Silent(millis) => Some(millis.saturating_mul(1000)),
        }
    }
}

/// Formats as `0.2 ms`, or as `>12s` while a Ping is unanswered.
impl fmt::Display for RoundTrip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&match self {
            Self::Unknown => "-".to_owned(),
            Self::Median(micros) => human::millis(*micros),
            Self::Silent(millis) => format!(">{}", human::time(Duration::from_millis(*millis))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_silent_is_slow() {
        let all = [
            RoundTrip::Unknown,
            RoundTrip::Median(1234),
            RoundTrip::Silent(12_500),
        ];
        assert_eq!(all.map(|one| one.to_string()), ["-", "1.2 ms", ">12s"]);
        assert!(all.is_sorted_by_key(|one| one.micros()));
    }
}
