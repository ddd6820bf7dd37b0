//! Logs on standard error.

use std::env;
use std::io::{self, IsTerminal};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use clap::ValueEnum;
use peermux::addrbook::{Clock, SystemClock};
use peermux_cli::log_filter::LogFilter;
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
static CHANGEABLE: OnceLock<Changeable> = OnceLock::new();

struct Changeable {
    handle: reload::Handle<EnvFilter, Registry>,
    /// The filter that the environment or `-v` sets.
    chosen: Option<LogFilter>,
    current: Mutex<LogFilter>,
}

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
        let chosen = chosen(verbose)?;
        let current = chosen.clone().unwrap_or_default();
        // Nothing waits for this token, because a failed write to the log has no consequence.
        let failed = CancellationToken::new();
        let notice = move |lines| lost_notice(lines, form);
        let lines = Lines::start(io::stderr(), notice, failed).map_err(Failure::because)?;
        let writer = lines.clone();
        let (filter, handle) = reload::Layer::new(current.to_filter());
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
        let _ = CHANGEABLE.set(Changeable {
            handle,
            chosen,
            current: Mutex::new(current),
        });
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
pub(crate) fn set_filter(filter: &LogFilter) -> Result<(), String> {
    let log = CHANGEABLE.get().ok_or("logging has not started")?;
    // The lock is held, so that the filter of the later of two changes is also the one that is shown.
    let mut current = lock(&log.current);
    let changed = log.handle.reload(filter.to_filter());
    changed.map_err(|error| error.to_string())?;
    current.clone_from(filter);
    Ok(())
}

/// Returns the filter that the environment or `-v` sets, which takes precedence over a file.
pub(crate) fn chosen_filter() -> Option<LogFilter> {
    CHANGEABLE.get()?.chosen.clone()
}

/// Returns the current filter of the log.
#[cfg(unix)]
pub(crate) fn current_filter() -> Option<LogFilter> {
    Some(lock(&CHANGEABLE.get()?.current).clone())
}

fn lock(filter: &Mutex<LogFilter>) -> MutexGuard<'_, LogFilter> {
    // A panic cannot leave a change half done, because a change is one assignment.
    filter.lock().unwrap_or_else(PoisonError::into_inner)
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

/// Returns the filter that the environment or `-v` sets.
fn chosen(verbose: u8) -> Result<Option<LogFilter>, Failure> {
    let text = match env::var_os(FILTER).filter(|filter| !filter.is_empty()) {
        Some(filter) => filter.to_string_lossy().into_owned(),
        None => match verbose {
            0 => return Ok(None),
            // Warnings of the crate `discv5` are hidden, as by default.
            1 => "info,discv5=error".to_owned(),
            2 => "debug".to_owned(),
            _ => "trace".to_owned(),
        },
    };
    let filter = text.parse::<LogFilter>();
    filter
        .map(Some)
        .map_err(|error| Failure::Usage(format!("{FILTER}: {error}")))
}

fn lost_notice(lines: u64, form: Form) -> String {
    let text =
        format!("{lines} lines of the log were lost: standard error was not read fast enough");
    match form {
        Form::Text => format!("{text}\n"),
        Form::Json => json_line("WARN", &text),
    }
}
