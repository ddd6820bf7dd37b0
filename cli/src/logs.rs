//! Logs, on standard error.

use std::env;
use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use crate::failure::Failure;

/// The environment variable with a filter, as in `peermux=debug`.
const FILTER: &str = "PEERMUX_LOG";

/// Starts logging: what the environment says, else warnings, and more with each `-v`.
pub(crate) fn init(verbose: u8) -> Result<(), Failure> {
    let filter = match env::var_os(FILTER) {
        Some(filter) => {
            let filter = EnvFilter::try_new(filter.to_string_lossy());
            filter.map_err(|error| Failure::Usage(format!("{FILTER}: {error}")))?
        }
        None => EnvFilter::new(match verbose {
            0 => "warn",
            1 => "info",
            2 => "debug",
            _ => "trace",
        }),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        // It would complain on standard error that standard error is closed, and panic.
        .log_internal_errors(false)
        .init();
    Ok(())
}
