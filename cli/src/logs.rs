//! Logs, on standard error.

use std::env;
use std::io::{self, IsTerminal};
use std::sync::OnceLock;
use std::time::Duration;

use clap::ValueEnum;
use peermux::addrbook::{Clock, SystemClock};
use serde_json::json;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

use crate::failure::Failure;
use crate::lines::Lines;
use crate::output::printable;

/// The environment variable with a filter, as in `peermux=debug`.
const FILTER: &str = "PEERMUX_LOG";

/// How long the end of the process waits for standard error.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is logged.
static CHANGEABLE: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// Standard error: logs, and why a command failed. Nobody has to read it.
#[derive(Debug)]
pub(crate) struct Logs {
    lines: Lines,
    form: Form,
}

/// How a line of the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

impl Logs {
    /// Starts logging: what the environment says, else warnings, and more with each `-v`.
    pub(crate) fn start(verbose: u8, form: Form) -> Result<Self, Failure> {
        let filter = filter(verbose)?;
        // What cannot be logged ends nothing.
        let failed = CancellationToken::new();
        let notice = move |lines| lost_notice(lines, form);
        let lines = Lines::start(io::stderr(), notice, failed).map_err(Failure::because)?;
        let writer = lines.clone();
        let (filter, handle) = reload::Layer::new(filter);
        let layer = fmt::layer()
            .with_writer(move || writer.clone())
            .with_ansi(io::stderr().is_terminal())
            // It would complain on standard error that standard error is closed, and panic.
            .log_internal_errors(false);
        let layer = match form {
            Form::Text => layer.boxed(),
            Form::Json => {
                let layer = layer.json().flatten_event(true);
                // It is the last one of the list.
                layer.with_current_span(false).boxed()
            }
        };
        tracing_subscriber::registry()
            .with(filter)
            .with(layer)
            .init();
        // There is one in a process, as the subscriber.
        let _ = CHANGEABLE.set(handle);
        Ok(Self { lines, form })
    }

    /// Says why the command failed, and gives it and what was logged time to be written.
    pub(crate) async fn finish(&self, result: &Result<(), Failure>) {
        if let Some(text) = result.as_ref().err().and_then(Failure::text) {
            self.lines.push(line(&text, self.form));
        }
        // If nobody reads it, there is nobody to tell.
        let _ = timeout(PATIENCE, self.lines.written()).await;
    }
}

/// Logs by this filter from now on.
#[cfg(unix)]
pub(crate) fn set_filter(text: &str) -> Result<(), String> {
    check_levels(text)?;
    let filter = EnvFilter::try_new(text).map_err(|error| error.to_string())?;
    let handle = CHANGEABLE.get().ok_or("nothing is logged")?;
    handle.reload(filter).map_err(|error| error.to_string())
}

/// A word alone is a level, and not the name of a module, for which the filter would take it.
#[cfg(unix)]
fn check_levels(text: &str) -> Result<(), String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

    let mut words = text.split(',').map(str::trim);
    let is_wrong = |word: &&str| {
        let is_level = LEVELS.iter().any(|level| word.eq_ignore_ascii_case(level));
        !is_level && !word.contains(['=', '[', ':'])
    };
    match words.find(is_wrong) {
        Some(word) => Err(format!(
            "{word:?} is no level: {}, or TARGET=LEVEL such as peermux=debug",
            LEVELS.join(", ")
        )),
        None => Ok(()),
    }
}

/// Why a command failed, as standard error shows it.
pub(crate) fn line(text: &str, form: Form) -> String {
    match form {
        Form::Text => format!("peermux: {}\n", printable(text)),
        Form::Json => json_line("ERROR", text),
    }
}

/// A line like those of the log.
fn json_line(level: &str, message: &str) -> String {
    let time = humantime::format_rfc3339_micros(SystemClock::new().now()).to_string();
    let line = json!({
        "timestamp": time, "level": level, "message": message, "target": "peermux",
    });
    format!("{line}\n")
}

fn filter(verbose: u8) -> Result<EnvFilter, Failure> {
    Ok(match env::var_os(FILTER) {
        Some(filter) => {
            let filter = EnvFilter::try_new(filter.to_string_lossy());
            filter.map_err(|error| Failure::Usage(format!("{FILTER}: {error}")))?
        }
        None => EnvFilter::new(match verbose {
            // That crate warns of what others send, and when it ends.
            0 => "warn,discv5=error",
            1 => "info,discv5=error",
            2 => "debug",
            _ => "trace",
        }),
    })
}

fn lost_notice(lines: u64, form: Form) -> String {
    let text =
        format!("{lines} lines of the log were lost: standard error was not read fast enough");
    match form {
        Form::Text => format!("{text}\n"),
        Form::Json => json_line("WARN", &text),
    }
}
