//! Formats values for lists.

use super::sheet::Field;
use super::theme::Theme;
use crate::human;

/// The text for an unknown value.
pub(super) const NONE: &str = "-";

/// The width of the view below which node ids are shortened further.
pub(super) const NARROW: u16 = 60;

/// The width of a column that takes the rest of the line.
pub(super) const REST: u16 = 400;

/// Returns the number of digits of a node id that fit.
pub(super) fn id_width(width: u16) -> u16 {
    match width {
        ..NARROW => 8,
        _ => 12,
    }
}

pub(super) fn millis(micros: Option<u64>) -> String {
    micros.map_or_else(|| NONE.to_owned(), human::millis)
}

/// Formats a number of messages, with one decimal if it is small.
pub(super) fn count(number: f64) -> String {
    match number {
        ..=0.0 => "0".to_owned(),
        ..10.0 => format!("{number:.1}"),
        _ => format!("{number:.0}"),
    }
}

/// Returns which fraction of `limit` a number is. Returns 0 if the limit is unknown.
pub(super) fn part(number: u64, limit: u64) -> f64 {
    match limit {
        0 => 0.0,
        limit => (number as f64 / limit as f64).min(1.0),
    }
}

pub(super) fn percent(part: f64) -> String {
    format!("{:.1} %", part * 100.0)
}

/// Returns a text in the style of warnings, unless `number` is 0.
pub(super) fn alarming(number: u64, text: String, theme: Theme) -> Field {
    match number {
        0 => (text, theme.dim()),
        _ => (text, theme.warning()),
    }
}
