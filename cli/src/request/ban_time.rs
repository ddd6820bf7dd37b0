//! The duration of a ban in a request.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The duration of a ban: whole seconds, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct BanTime(u64);

/// The duration of a ban would be less than a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooShort;

impl fmt::Display for TooShort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a ban lasts at least a second")
    }
}

impl std::error::Error for TooShort {}

/// Rounds up to whole seconds, because a ban must not be shorter than asked for.
impl TryFrom<Duration> for BanTime {
    type Error = TooShort;

    fn try_from(time: Duration) -> Result<Self, TooShort> {
        if time < Duration::from_secs(1) {
            return Err(TooShort);
        }
        let part = u64::from(time.subsec_nanos() > 0);
        Ok(Self(time.as_secs().saturating_add(part)))
    }
}

impl TryFrom<u64> for BanTime {
    type Error = TooShort;

    fn try_from(seconds: u64) -> Result<Self, TooShort> {
        Duration::from_secs(seconds).try_into()
    }
}

impl From<BanTime> for u64 {
    fn from(time: BanTime) -> Self {
        time.0
    }
}

impl From<BanTime> for Duration {
    fn from(time: BanTime) -> Self {
        Self::from_secs(time.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ban_lasts_whole_seconds_and_at_least_one() {
        for (millis, seconds) in [(1000, 1), (1001, 2), (2500, 3), (60_000, 60)] {
            let time = BanTime::try_from(Duration::from_millis(millis)).expect("long enough");
            assert_eq!(Duration::from(time).as_secs(), seconds, "{millis}");
        }
        for millis in [0, 500, 999] {
            let time = BanTime::try_from(Duration::from_millis(millis));
            assert_eq!(time, Err(TooShort), "{millis}");
        }
    }
}
