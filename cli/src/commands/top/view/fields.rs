//! Values as the lists show them.

use super::sheet::Field;
use super::theme::Theme;
use crate::human;

/// Stands for an unknown value.
pub(super) const NONE: &str = "-";

/// Below this width ids are shorter.
pub(super) const NARROW: u16 = 60;

/// The rest of the line.
pub(super) const REST: u16 = 400;

/// How many digits of a node id have room.
pub(super) fn id_width(width: u16) -> u16 {
    match width {
        ..NARROW => 8,
        _ => 12,
    }
}

pub(super) fn millis(micros: Option<u64>) -> String {
    micros.map_or_else(|| NONE.to_owned(), human::millis)
}

/// A number of messages, with one digit behind the point where there are few.
pub(super) fn count(number: f64) -> String {
    match number {
        ..=0.0 => "0".to_owned(),
        ..10.0 => format!("{number:.1}"),
        _ => format!("{number:.0}"),
    }
}

/// Which part of `limit` a number is; nothing of an unknown limit.
pub(super) fn part(number: u64, limit: u64) -> f64 {
    match limit {
        0 => 0.0,
        limit => (number as f64 / limit as f64).min(1.0),
    }
}

pub(super) fn percent(part: f64) -> String {
    format!("{:.1} %", part * 100.0)
}

/// A text that is to be looked at unless its number is 0.
pub(super) fn alarming(number: u64, text: String, theme: Theme) -> Field {
    match number {
        0 => (text, theme.dim()),
        _ => (text, theme.warning()),
    }
}
