//! Logs, on standard error.

use std::env;
use std::io::{self, IsTerminal};
use std::sync::OnceLock;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt};

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
pub(crate) struct Logs(Lines);

impl Logs {
    /// Starts logging: what the environment says, else warnings, and more with each `-v`.
    pub(crate) fn start(verbose: u8) -> Result<Self, Failure> {
        let filter = filter(verbose)?;
        // What cannot be logged ends nothing.
        let failed = CancellationToken::new();
        let lines = Lines::start(io::stderr(), lost_notice, failed).map_err(Failure::because)?;
        let writer = lines.clone();
        let (filter, handle) = reload::Layer::new(filter);
        let layer = fmt::layer()
            .with_writer(move || writer.clone())
            .with_ansi(io::stderr().is_terminal())
            // It would complain on standard error that standard error is closed, and panic.
            .log_internal_errors(false);
        tracing_subscriber::registry()
            .with(filter)
            .with(layer)
            .init();
        // There is one in a process, as the subscriber.
        let _ = CHANGEABLE.set(handle);
        Ok(Self(lines))
    }

    /// Says why the command failed, and gives it and what was logged time to be written.
    pub(crate) async fn finish(&self, result: &Result<(), Failure>) {
        if let Some(text) = result.as_ref().err().and_then(Failure::text) {
            self.0.push(line(&text));
        }
        // If nobody reads it, there is nobody to tell.
        let _ = timeout(PATIENCE, self.0.written()).await;
    }
}

/// Logs by this filter from now on.
#[cfg(unix)]
pub(crate) fn set_filter(text: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(text).map_err(|error| error.to_string())?;
    let handle = CHANGEABLE.get().ok_or("nothing is logged")?;
    handle.reload(filter).map_err(|error| error.to_string())
}

/// Why a command failed, as standard error shows it.
pub(crate) fn line(text: &str) -> String {
    format!("peermux: {}\n", printable(text))
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
            1 => "info",
            2 => "debug",
            _ => "trace",
        }),
    })
}

fn lost_notice(lines: u64) -> String {
    format!("{lines} lines of the log were lost: standard error was not read fast enough\n")
}
