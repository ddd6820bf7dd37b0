//! Standard output, for people or for programs.

use std::fmt::Display;
use std::io::{self, Write};
use std::time::Duration;

use peermux::p2p::Capability;
use peermux::{DisconnectReason, SharedCapability};
use serde::Serialize;

use crate::failure::Failure;

/// Where results go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether programs read it.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Tells something: its text, or its JSON object.
    pub(crate) fn tell(self, report: &(impl Serialize + Display)) -> Result<(), Failure> {
        write_line(self.line(report)?)
    }

    /// Tells of many things, or of none, all at once.
    pub(crate) fn tell_all(self, reports: &[impl Serialize + Display]) -> Result<(), Failure> {
        if reports.is_empty() {
            return Ok(());
        }
        let lines: Result<Vec<_>, _> = reports.iter().map(|report| self.line(report)).collect();
        write_line(lines?.join("\n"))
    }

    fn line(self, report: &(impl Serialize + Display)) -> Result<String, Failure> {
        Ok(match self.json {
            true => escape(serde_json::to_string(report).map_err(Failure::because)?),
            false => report.to_string(),
        })
    }

    /// Tells something that only people need.
    pub(crate) fn remark(self, text: &str) -> Result<(), Failure> {
        match self.json {
            true => Ok(()),
            false => write_line(text.to_owned()),
        }
    }
}

/// In one go, even if it is several lines.
fn write_line(mut line: String) -> Result<(), Failure> {
    line.push('\n');
    let mut out = io::stdout().lock();
    let written = out.write_all(line.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::OutputClosed,
        _ => Failure::because(format!("cannot write to standard output: {error}")),
    })
}

/// A text from a remote as a terminal may show it, in one line.
pub(crate) fn printable(text: &str) -> String {
    let safe = |char| match is_hostile(char) {
        true => char::REPLACEMENT_CHARACTER,
        false => char,
    };
    text.chars().map(safe).collect()
}

/// A line of JSON as a terminal may show it. It has such characters inside of strings only, and
/// those below U+0020 are escaped already.
fn escape(json: String) -> String {
    if !json.contains(is_hostile) {
        return json;
    }
    let mut safe = String::with_capacity(json.len());
    for char in json.chars() {
        match is_hostile(char) {
            true => safe.push_str(&format!("\\u{:04x}", u32::from(char))),
            false => safe.push(char),
        }
    }
    safe
}

/// Whether a terminal may take a character as a command, or show what follows elsewhere.
fn is_hostile(char: char) -> bool {
    let line_ends = '\u{2028}'..='\u{2029}';
    let marks = '\u{200e}'..='\u{200f}';
    let embeddings = '\u{202a}'..='\u{202e}';
    let isolates = '\u{2066}'..='\u{2069}';
    (char.is_control() && char != '\t')
        || [line_ends, marks, embeddings, isolates]
            .iter()
            .any(|range| range.contains(&char))
}

/// A capability, with its message codes on a connection if they are known.
#[derive(Debug, Serialize)]
pub(crate) struct CapabilityReport {
    name: String,
    version: u64,
    offset: Option<u64>,
    length: Option<u64>,
}

impl From<&SharedCapability> for CapabilityReport {
    fn from(shared: &SharedCapability) -> Self {
        Self {
            name: shared.capability.name().to_owned(),
            version: shared.capability.version(),
            offset: Some(shared.offset),
            length: Some(shared.length),
        }
    }
}

/// Of a remote whose protocols we do not speak: how many codes they take is not transmitted.
impl From<&Capability> for CapabilityReport {
    fn from(capability: &Capability) -> Self {
        Self {
            name: capability.name().to_owned(),
            version: capability.version(),
            offset: None,
            length: None,
        }
    }
}

/// As `bench/1 0x10–0x17`, or without the codes.
impl Display for CapabilityReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", printable(&self.name), self.version)?;
        match (self.offset, self.length) {
            (Some(offset), Some(1)) => write!(f, " {offset:#04x}"),
            (Some(offset), Some(length)) if length > 0 => {
                write!(f, " {offset:#04x}–{:#04x}", offset + length - 1)
            }
            _ => Ok(()),
        }
    }
}

/// Microseconds, to a tenth.
pub(crate) fn micros(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e7).round() / 10.0
}

/// Several capabilities, for people.
pub(crate) fn list(capabilities: &[CapabilityReport]) -> String {
    let texts: Vec<_> = capabilities.iter().map(ToString::to_string).collect();
    match texts.is_empty() {
        true => "none".to_owned(),
        false => texts.join(", "),
    }
}

/// A disconnect reason for people, as `too many peers (0x04)`.
pub(crate) fn reason_text(reason: Option<DisconnectReason>) -> String {
    reason.map_or_else(
        || "no reason given".to_owned(),
        |reason| format!("{reason} ({:#04x})", reason.0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_replaced() {
        let hostile = "a\u{1b}[31m\u{9b}2J\r\n\u{7f}\u{202e}z\u{2066}\u{2028}";
        assert_eq!(
            printable(hostile),
            "a\u{fffd}[31m\u{fffd}2J\u{fffd}\u{fffd}\u{fffd}\u{fffd}z\u{fffd}\u{fffd}"
        );
        assert_eq!(printable("ä\t漢字 👩‍💻"), "ä\t漢字 👩‍💻");
    }

    #[test]
    fn json_keeps_its_meaning_when_escaped() {
        let text = "a\u{1b}\u{9b}2J\u{7f}\u{202e}\\\"ä";
        let json = escape(serde_json::to_string(text).expect("a string"));
        assert!(!json.contains(is_hostile), "{json}");
        let read: String = serde_json::from_str(&json).expect("still JSON");
        assert_eq!(read, text);
    }
}
