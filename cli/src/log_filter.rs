//! Filters of the log.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};
use tracing_subscriber::EnvFilter;

/// The words for a level.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// How much of a wrong word an error repeats, in characters.
const REPEATED: usize = 50;

/// A level of the log such as `debug`, or a filter such as `warn,peermux::server=debug`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct LogFilter(String);

/// The reason why a text is not a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadFilter {
    /// A lone word is no level. A filter would take it for the name of a module.
    NoLevel(String),
    /// The text has another error.
    Syntax(String),
}

impl LogFilter {
    /// Returns the filter for the log.
    #[must_use]
    pub fn to_filter(&self) -> EnvFilter {
        // The text has been checked, so that nothing in it is ignored.
        EnvFilter::new(&self.0)
    }
}

impl Default for LogFilter {
    /// Returns the filter for warnings and errors.
    ///
    /// Warnings of the crate `discv5` are hidden, because it warns about packets of other nodes, and
    /// when it ends.
    fn default() -> Self {
        Self("warn,discv5=error".to_owned())
    }
}

impl FromStr for LogFilter {
    type Err = BadFilter;

    fn from_str(text: &str) -> Result<Self, BadFilter> {
        let is_wrong = |word: &&str| {
            let is_level = LEVELS.iter().any(|level| word.eq_ignore_ascii_case(level));
            !is_level && !word.contains(['=', '[', ':'])
        };
        if let Some(word) = text.split(',').map(str::trim).find(is_wrong) {
            return Err(BadFilter::NoLevel(word.chars().take(REPEATED).collect()));
        }
        match EnvFilter::try_new(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(error) => Err(BadFilter::Syntax(error.to_string())),
        }
    }
}

impl fmt::Display for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for LogFilter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for BadFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLevel(word) => write!(
                f,
                "{word:?} is no level: {}, or TARGET=LEVEL such as peermux=debug",
                LEVELS.join(", ")
            ),
            Self::Syntax(error) => f.write_str(error),
        }
    }
}

impl Error for BadFilter {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_filters_are_told_from_misspelt_words() {
        for good in [
            "debug",
            "WARN",
            "off",
            "warn,peermux::server=debug",
            "peermux::node",
        ] {
            let filter: LogFilter = good.parse().expect(good);
            assert_eq!(filter.to_string(), good);
        }
        for bad in ["debg", "", "warn,", "warn,peermux"] {
            let error = bad.parse::<LogFilter>().expect_err(bad);
            assert!(matches!(error, BadFilter::NoLevel(_)), "{bad}: {error}");
        }
        let error = "peermux=loud".parse::<LogFilter>().expect_err("no level");
        assert!(matches!(error, BadFilter::Syntax(_)), "{error}");
        let text = LogFilter::default().to_string();
        assert_eq!(text.parse(), Ok(LogFilter::default()));
    }
}
