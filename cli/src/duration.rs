//! Reads durations from the command line.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

/// The shortest time that is not zero.
pub(crate) const SHORTEST: Duration = Duration::from_millis(1);

/// The longest time limit: a hundred years.
///
/// A sum with the time now does not overflow.
const LONGEST: Duration = Duration::from_secs(100 * 31_557_600);

/// The time between two refreshes, from a second to an hour.
#[cfg(unix)]
pub(crate) const REFRESH: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(3600);

/// A time limit, or another time that is not zero.
pub(crate) const LIMIT: RangeInclusive<Duration> = SHORTEST..=LONGEST;

/// The reason why a text is not a duration that an option takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoDuration {
    /// The text has another form.
    Malformed,
    /// The duration is not in this range.
    Outside(RangeInclusive<Duration>),
}

impl fmt::Display for NoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str(
                "no time such as 500ms, 30s, 5m or 1h; a number without a unit means seconds",
            ),
            Self::Outside(range) => {
                let [from, to] =
                    [range.start(), range.end()].map(|end| humantime::format_duration(*end));
                write!(f, "not a time from {from} to {to}")
            }
        }
    }
}

impl std::error::Error for NoDuration {}

/// Reads a duration: a number of seconds, or numbers with units, as `1h 30m`.
pub(crate) fn read(text: &str) -> Result<Duration, NoDuration> {
    if let Ok(seconds) = text.parse() {
        return Duration::try_from_secs_f64(seconds).map_err(|_| NoDuration::Malformed);
    }
    humantime::parse_duration(text).map_err(|_| NoDuration::Malformed)
}

/// Returns a parser for durations in a range.
pub(crate) fn within(
    range: RangeInclusive<Duration>,
) -> impl Fn(&str) -> Result<Duration, NoDuration> + Clone + Send + Sync + 'static {
    move |text| {
        let time = read(text)?;
        if range.contains(&time) {
            Ok(time)
        } else {
            Err(NoDuration::Outside(range.clone()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_means_seconds_and_a_unit_may_follow() {
        for (text, millis) in [
            ("0", 0),
            ("30", 30_000),
            ("0.1", 100),
            ("500ms", 500),
            ("30s", 30_000),
            ("5m", 300_000),
            ("1h 30m", 5_400_000),
            ("2d", 172_800_000),
        ] {
            assert_eq!(read(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "-1", "-1s", "soon", "NaN", "inf", "1e300", "5 parsecs"] {
            assert_eq!(read(text), Err(NoDuration::Malformed), "{text}");
        }
    }

    #[test]
    fn both_ends_of_a_range_are_in_it() {
        let parse = within(SHORTEST..=Duration::from_secs(3600));
        for (text, fits) in [("1", true), ("1h", true), ("0", false), ("3601", false)] {
            assert_eq!(parse(text).is_ok(), fits, "{text}");
        }
        let error = parse("0").expect_err("too short");
        assert_eq!(error.to_string(), "not a time from 1ms to 1h");
        let error = within(LIMIT)("0").expect_err("too short");
        assert_eq!(error.to_string(), "not a time from 1ms to 100years");
    }
}
