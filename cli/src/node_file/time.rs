//! Times in files of nodes.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// The last second of the year 9999. Later times have no text form.
const LATEST: u64 = 253_402_300_799;

/// A time in whole seconds, written as `2026-11-27T15:21:15Z` (RFC 3339).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixTime(u64);

impl UnixTime {
    /// The beginning of 1970.
    pub const EPOCH: Self = Self(0);

    /// Returns the time this many seconds after the beginning of 1970.
    #[must_use]
    pub fn from_secs(secs: u64) -> Self {
        Self(secs.min(LATEST))
    }

    /// Converts a time of the system's clock.
    ///
    /// A time before 1970 becomes the beginning of 1970.
    #[must_use]
    pub fn of(time: SystemTime) -> Self {
        let since = time.duration_since(SystemTime::UNIX_EPOCH);
        Self::from_secs(since.unwrap_or_default().as_secs())
    }

    /// Returns milliseconds since 1970.
    #[must_use]
    pub fn millis(self) -> u64 {
        self.0.saturating_mul(1000)
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = Duration::from_secs(self.0);
        let time = SystemTime::UNIX_EPOCH.checked_add(since);
        let time = time.unwrap_or(SystemTime::UNIX_EPOCH);
        humantime::format_rfc3339_seconds(time).fmt(f)
    }
}

impl FromStr for UnixTime {
    type Err = humantime::TimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        humantime::parse_rfc3339(text).map(Self::of)
    }
}

impl Serialize for UnixTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UnixTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map_err(|error| D::Error::custom(format!("no time as 2026-11-27T15:21:15Z: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_has_a_text_that_is_read_again() {
        for secs in [0, 1, 1_795_793_275, LATEST, u64::MAX] {
            let time = UnixTime::from_secs(secs);
            assert_eq!(time.to_string().parse(), Ok(time));
        }
        let text = UnixTime::from_secs(1_795_793_275).to_string();
        assert_eq!(text, "2026-11-27T15:27:55Z");
        assert!("2026-11-27".parse::<UnixTime>().is_err());
    }
}
