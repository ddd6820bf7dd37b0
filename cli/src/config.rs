//! Parses a node's configuration.

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;

use peermux::ServerConfig;
use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer, ValueDeserializer};

use crate::form;
use crate::log_filter::LogFilter;
use crate::setting_names::{in_words, is_table, joined, unknown};

/// The name of the setting for the filter of the log.
pub const LOG_LEVEL: &str = "log_level";

/// The reason why a text is not a valid configuration.
///
/// The text form of this error continues a sentence that ends with the name of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadConfig {
    /// The line and the column of the error, if known.
    place: Option<(usize, usize)>,
    what: String,
}

impl fmt::Display for BadConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((line, column)) = self.place {
            write!(f, ", line {line}, column {column}")?;
        }
        write!(f, ": {}", self.what)
    }
}

impl Error for BadConfig {}

/// The settings of a node, as in a configuration file or in a running node.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Config {
    /// The server's settings.
    #[serde(flatten)]
    pub server: ServerConfig,
    /// The address at which metrics are served.
    pub metrics: Option<SocketAddr>,
    /// The filter of the log.
    pub log_level: Option<LogFilter>,
}

impl Config {
    /// Combines the settings of a node.
    #[must_use]
    pub fn new(
        server: ServerConfig,
        metrics: Option<SocketAddr>,
        log_level: Option<LogFilter>,
    ) -> Self {
        Self {
            server,
            metrics,
            log_level,
        }
    }
}

/// Parses TOML with the fields of [`ServerConfig`], `metrics` and `log_level`.
///
/// A field that is left out keeps its default.
///
/// # Errors
///
/// [`BadConfig`].
pub fn parse(bytes: &[u8]) -> Result<Config, BadConfig> {
    // TOML allows a byte order mark and an empty file, so both are accepted.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.is_empty() {
        return Ok(Config::default());
    }
    let text = form::text(bytes).map_err(|error| BadConfig {
        place: None,
        what: error.to_string(),
    })?;
    let wrong = |at: usize, what: &str| BadConfig {
        place: Some(position(text, at)),
        what: form::sentence(&what),
    };
    let of_parser = |error: toml::de::Error| {
        let start = error.span().map_or(0, |span| span.start);
        wrong(start, &in_words(error.message()))
    };
    let mut table = DeTable::parse(text).map_err(of_parser)?;
    if let Some((at, what)) = unknown_setting("", table.get_ref()) {
        return Err(wrong(at, &what));
    }
    let log_level = log_level(table.get_mut()).map_err(|(at, what)| wrong(at, &what))?;
    let (server, metrics) = read(table).map_err(of_parser)?;
    Ok(Config::new(server, metrics, log_level))
}

/// Returns the position of the first unknown setting, and the error about the setting.
fn unknown_setting(within: &str, table: &DeTable<'_>) -> Option<(usize, String)> {
    table.iter().find_map(|(name, value)| {
        let full = joined(within, name.get_ref());
        if let Some(what) = unknown(&full) {
            return Some((name.span().start, what));
        }
        match value.get_ref() {
            DeValue::Table(inner) if is_table(&full) => unknown_setting(&full, inner),
            _ => None,
        }
    })
}

/// Takes the filter of the log out of the table. An error has its position, and names the setting.
fn log_level(table: &mut DeTable<'_>) -> Result<Option<LogFilter>, (usize, String)> {
    let Some(value) = table.remove(LOG_LEVEL) else {
        return Ok(None);
    };
    let at = value.span().start;
    let read = LogFilter::deserialize(ValueDeserializer::from(value));
    read.map(Some)
        .map_err(|error| (at, format!("{LOG_LEVEL}: {}", in_words(error.message()))))
}

fn read(
    mut table: Spanned<DeTable<'_>>,
) -> Result<(ServerConfig, Option<SocketAddr>), toml::de::Error> {
    let metrics = table.get_mut().remove("metrics");
    let metrics = metrics.map(|addr| SocketAddr::deserialize(ValueDeserializer::from(addr)));
    let metrics = metrics.transpose()?;
    let server = ServerConfig::deserialize(Deserializer::from(table))?;
    Ok((server, metrics))
}

/// Returns the line and the column (in characters) of a byte, each counted from 1.
fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before
        .chars()
        .rev()
        .take_while(|char| *char != '\n')
        .count()
        + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_counted_from_one_in_characters() {
        let text = "a = \"ä\" # ö\n\nb";
        assert_eq!(position(text, 0), (1, 1));
        assert_eq!(position(text, text.find('#').expect("there")), (1, 9));
        assert_eq!(position(text, text.find('b').expect("there")), (3, 1));
        assert_eq!(position(text, text.len()), (3, 2));
    }
}
