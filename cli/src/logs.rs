//! Logs on standard error.

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

/// The environment variable for a filter, such as `peermux=debug`.
const FILTER: &str = "PEERMUX_LOG";

/// How long the process waits at its end until standard error is written.
const PATIENCE: Duration = Duration::from_secs(1);

/// The filter of the log, which can change.
static CHANGEABLE: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// Writes the log and a command's failure to standard error, which may go unread.
#[derive(Debug)]
pub(crate) struct Logs {
    lines: Lines,
    form: Form,
}

/// The form of a line of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

impl Logs {
    /// Starts logging. The environment variable [`FILTER`] sets the filter. Without it, warnings and errors
    /// are logged, and more with each `-v`.
    pub(crate) fn start(verbose: u8, form: Form) -> Result<Self, Failure> {
        let filter = filter(verbose)?;
        // Nothing waits for this token, because a failed write to the log has no consequence.
        let failed = CancellationToken::new();
        let notice = move |lines| lost_notice(lines, form);
        let lines = Lines::start(io::stderr(), notice, failed).map_err(Failure::because)?;
        let writer = lines.clone();
        let (filter, handle) = reload::Layer::new(filter);
        let layer = fmt::layer()
            .with_writer(move || writer.clone())
            .with_ansi(io::stderr().is_terminal())
            // Otherwise the layer would panic if standard error is closed.
            .log_internal_errors(false);
        let layer = match form {
            Form::Text => layer.boxed(),
            Form::Json => {
                let layer = layer.json().flatten_event(true);
                // The current span is left out, because the list of spans ends with it.
                layer.with_current_span(false).boxed()
            }
        };
        tracing_subscriber::registry()
            .with(filter)
            .with(layer)
            .init();
        // This cannot fail, because a process starts logging once.
        let _ = CHANGEABLE.set(handle);
        Ok(Self { lines, form })
    }

    /// Reports why the command failed, and waits for standard error.
    pub(crate) async fn finish(&self, result: &Result<(), Failure>) {
        if let Some(text) = result.as_ref().err().and_then(Failure::text) {
            self.lines.push(line(&text, self.form));
        }
        // Give up output that is not read in time.
        let _ = timeout(PATIENCE, self.lines.written()).await;
    }
}

/// Changes the filter of the log.
#[cfg(unix)]
pub(crate) fn set_filter(text: &str) -> Result<(), String> {
    check_levels(text)?;
    let filter = EnvFilter::try_new(text).map_err(|error| error.to_string())?;
    let handle = CHANGEABLE.get().ok_or("logging has not started")?;
    handle.reload(filter).map_err(|error| error.to_string())
}

/// Rejects a lone word that is no level. The filter would take it for the name of a module.
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

/// Formats the failure of a command for standard error.
pub(crate) fn line(text: &str, form: Form) -> String {
    match form {
        Form::Text => format!("peermux: {}\n", printable(text)),
        Form::Json => json_line("ERROR", text),
    }
}

/// Formats a line like those of the log.
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
            // Warnings of the crate `discv5` are hidden, because it warns about packets of other nodes, and
            // when it ends.
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
