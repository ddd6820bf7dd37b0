//! Prints results to standard output, for people or for programs.

use std::fmt::Display;
use std::io;
#[cfg(unix)]
use std::io::IsTerminal;
use std::time::Duration;

#[cfg(unix)]
use peermux::NodeId;
use peermux::addrbook::{Clock, SystemClock};
use peermux::p2p::Capability;
use peermux::{DisconnectReason, SharedCapability};
use serde::Serialize;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;
use crate::lines::{Lines, Unwritten};

/// How long an interrupted or failed command waits until its output is written.
const PATIENCE: Duration = Duration::from_secs(1);

/// The number of digits of a node id that a terminal shows.
pub(crate) const SHORT_ID: usize = 12;

/// The results of a command.
///
/// Only [`finish`](Self::finish) waits for the reader of standard output.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    json: bool,
    lines: Lines,
}

impl Output {
    /// Starts the output. Cancels `failed` when a write to standard output has failed.
    pub(crate) fn start(json: bool, failed: CancellationToken) -> Result<Self, Failure> {
        Self::to(io::stdout(), json, failed)
    }

    /// Makes an output for people, which passes whole texts to `sink`.
    #[cfg(unix)]
    pub(crate) fn over(
        sink: impl io::Write + Send + 'static,
        failed: CancellationToken,
    ) -> Result<Self, Failure> {
        Self::to(sink, false, failed)
    }

    fn to(
        sink: impl io::Write + Send + 'static,
        json: bool,
        failed: CancellationToken,
    ) -> Result<Self, Failure> {
        let clock = SystemClock::new();
        let notice = move |lines| lost_notice(lines, json, &time_of(&clock));
        let lines = Lines::start(sink, notice, failed).map_err(Failure::because)?;
        Ok(Self { json, lines })
    }

    /// Returns whether programs read the output.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Prints a report: its text, or its JSON object.
    pub(crate) fn tell(&self, report: &(impl Serialize + Display)) -> Result<(), Failure> {
        self.push(self.line(report)?);
        Ok(())
    }

    /// Prints several reports at once.
    pub(crate) fn tell_all(&self, reports: &[impl Serialize + Display]) -> Result<(), Failure> {
        if reports.is_empty() {
            return Ok(());
        }
        let lines: Result<Vec<_>, _> = reports.iter().map(|report| self.line(report)).collect();
        self.push(lines?.join("\n"));
        Ok(())
    }

    fn line(&self, report: &(impl Serialize + Display)) -> Result<String, Failure> {
        Ok(if self.json {
            escape(serde_json::to_string(report).map_err(Failure::because)?)
        } else {
            report.to_string()
        })
    }

    /// Prints a text for people only.
    pub(crate) fn remark(&self, text: &str) {
        if !self.json {
            self.push(text.to_owned());
        }
    }

    /// Returns a node id for people, shortened on a terminal.
    #[cfg(unix)]
    pub(crate) fn id(&self, id: &NodeId) -> String {
        let text = id.to_string();
        if io::stdout().is_terminal() {
            text.chars().take(SHORT_ID).collect()
        } else {
            text
        }
    }

    /// Clears the terminal, if standard output is a terminal.
    #[cfg(unix)]
    pub(crate) fn clear(&self) {
        if !self.json && io::stdout().is_terminal() {
            self.lines.push("\x1b[H\x1b[2J".to_owned());
        }
    }

    /// Counts lines that were lost before they were printed.
    pub(crate) fn lose(&self, lines: u64) {
        self.lines.lose(lines);
    }

    /// Queues one or more lines as a single text.
    fn push(&self, mut line: String) {
        line.push('\n');
        self.lines.push(line);
    }

    /// Waits until the output of a command is written, and returns the command's result.
    ///
    /// If the command has failed or is interrupted, the wait is short. Lost output is a failure.
    pub(crate) async fn finish(
        &self,
        result: Result<(), Failure>,
        interrupted: &CancellationToken,
    ) -> Result<(), Failure> {
        let given_up = async {
            if result.is_ok() {
                interrupted.cancelled().await;
            }
            sleep(PATIENCE).await;
        };
        tokio::select! {
            // Check the output first: if all is written, the time no longer matters.
            biased;
            () = self.lines.written() => {}
            () = given_up => {}
        }
        result.and(self.lines.outcome().map_err(Into::into))
    }
}

fn lost_notice(lines: u64, json: bool, time: &str) -> String {
    if json {
        format!("{{\"event\":\"lost\",\"lines\":{lines},\"time\":\"{time}\"}}\n")
    } else {
        format!("{time} lost {lines} lines: the output was not read fast enough\n")
    }
}

/// Formats the time now in RFC 3339, such as `2026-11-27T15:21:15.123Z`.
pub(crate) fn time_of(clock: &impl Clock) -> String {
    humantime::format_rfc3339_millis(clock.now()).to_string()
}

impl From<Unwritten> for Failure {
    fn from(unwritten: Unwritten) -> Self {
        match unwritten {
            Unwritten::Failed(io::ErrorKind::BrokenPipe, _) => Self::OutputClosed,
            Unwritten::Failed(_, error) => {
                Self::because(format!("cannot write to standard output: {error}"))
            }
            Unwritten::Lost(lines) => Self::because(format!(
                "{lines} lines of output were lost: they were not read fast enough"
            )),
        }
    }
}

/// Returns a remote's text in one line that a terminal can show safely.
pub(crate) fn printable(text: &str) -> String {
    let safe = |char| {
        if is_hostile(char) {
            char::REPLACEMENT_CHARACTER
        } else {
            char
        }
    };
    text.chars().map(safe).collect()
}

/// Escapes the characters in a line of JSON that a terminal must not show.
///
/// These characters occur only in strings, and those below U+0020 are already escaped.
fn escape(json: String) -> String {
    if !json.contains(is_hostile) {
        return json;
    }
    let mut safe = String::with_capacity(json.len());
    for char in json.chars() {
        if is_hostile(char) {
            safe.push_str(&format!("\\u{:04x}", u32::from(char)));
        } else {
            safe.push(char);
        }
    }
    safe
}

/// Returns whether a character can control a terminal or move the text after it.
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

/// Converts a capability that is not shared. It has no codes, because a Hello does not contain their
/// number.
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

/// Formats as `bench/1 0x10–0x17`, or as `bench/1` if the codes are not known.
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

/// Returns whole milliseconds.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Returns microseconds, rounded to a tenth.
pub(crate) fn micros(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e7).round() / 10.0
}

/// Formats capabilities for people.
pub(crate) fn list(capabilities: &[CapabilityReport]) -> String {
    let texts: Vec<_> = capabilities.iter().map(ToString::to_string).collect();
    if texts.is_empty() {
        "none".to_owned()
    } else {
        texts.join(", ")
    }
}

/// Formats a disconnect reason for people, as `too many peers (0x04)`.
pub(crate) fn reason_text(reason: Option<DisconnectReason>) -> String {
    reason.map_or_else(
        || "no reason given".to_owned(),
        |reason| format!("{reason} ({:#04x})", reason.0),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;
    use crate::lines::tests::Pipe;

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
    fn lost_lines_are_counted_with_the_time() {
        for json in [false, true] {
            let (sender, reader) = sync_channel(1);
            let out = Output::to(Pipe(sender), json, CancellationToken::new());
            out.expect("a thread").lose(3);
            let line = reader.recv().expect("written");
            let time = if json {
                let line: serde_json::Value = serde_json::from_str(&line).expect("JSON");
                assert_eq!(
                    (&line["event"], &line["lines"]),
                    (&"lost".into(), &3.into())
                );
                line["time"].as_str().expect("a time").to_owned()
            } else {
                let (time, rest) = line.split_once(' ').expect("a time");
                assert_eq!(rest, "lost 3 lines: the output was not read fast enough\n");
                time.to_owned()
            };
            assert!(humantime::parse_rfc3339(&time).is_ok(), "{line}");
        }
    }

    #[test]
    fn lost_lines_are_counted_as_documented() {
        let chapter = include_str!("../../docs/json.md");
        let documented = format!("\n{}", lost_notice(3, true, "2026-11-27T17:31:43.125Z"));
        assert!(chapter.contains(&documented), "{documented}");
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
