//! The `peermux` command line, which runs, shows and measures nodes.
//!
//! Results go to standard output, for people or, with `--json`, one JSON object a line. Logs and
//! the one line that says why a command failed go to standard error. The exit code is 0 for
//! success, 1 for failure, 2 for wrong usage, 141 if the reader of the output closed it.
#![forbid(unsafe_code)]

#[cfg(unix)]
mod admin;
mod advertised;
mod args;
#[cfg(unix)]
mod bans;
mod bootnodes;
mod commands;
mod config_file;
mod core_dumps;
mod data_dir;
mod dns_servers;
mod duration;
mod explain;
mod failure;
mod human;
#[cfg(unix)]
mod kept_nodes;
mod keys;
mod last_events;
mod lines;
mod logs;
#[cfg_attr(not(feature = "metrics"), path = "metrics/not_built.rs")]
mod metrics;
mod networks;
mod node;
mod output;
mod progress;
mod refused;
#[cfg(unix)]
mod round_trip;
mod service_manager;
#[cfg(unix)]
mod settings;
mod signals;
#[cfg(unix)]
mod table;
mod udp;
mod usage;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use failure::Failure;
use logs::{Form, Logs};
use signals::Interrupts;

/// An allocator that returns the memory of large messages to the system; see docs/security.md.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage::answer(error),
    };
    let refused = if cli.common.core_dumps {
        Ok(())
    } else {
        core_dumps::refuse()
    };
    let form = cli.common.log;
    let result = Logs::start(cli.common.verbose, form);
    if let Err(error) = refused {
        tracing::warn!(%error, "core dumps are not disabled, and would contain the node's keys");
    }
    let result = result.map_err(|failure| report(&failure, form));
    let result = result.and_then(|logs| run(cli, &logs));
    result.err().unwrap_or(ExitCode::SUCCESS)
}

/// Runs a command, and returns the exit code of its failure.
fn run(cli: Cli, logs: &Logs) -> Result<(), ExitCode> {
    let form = cli.common.log;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| report(&Failure::because(error), form))?;
    let interrupts = Interrupts::watch().map_err(|error| report(&Failure::because(error), form))?;
    // A node handles the second signal itself, because it has to save its address book.
    let is_node = matches!(cli.command, Command::Listen(_));
    // The command runs on a worker thread, like the tasks that it waits for. Otherwise each answer would
    // have to wake this thread.
    let command = runtime.spawn(commands::run(cli, interrupts.clone()));
    let result = runtime.block_on(async {
        let result = tokio::select! {
            // Check the result first: if the command has ended, a second interrupt no longer matters.
            biased;
            result = command => result.map_err(Failure::because).flatten(),
            () = interrupts.twice.cancelled(), if !is_node => Err(Failure::in_haste()),
        };
        logs.finish(&result).await;
        result
    });
    // Do not wait for all threads, because one may still be blocked on standard input.
    runtime.shutdown_background();
    result.map_err(|failure| failure.exit_code())
}

/// Reports why nothing runs, and returns the exit code.
fn report(failure: &Failure, form: Form) -> ExitCode {
    if let Some(text) = failure.text() {
        // An error is ignored, because there is no way to report a closed standard error.
        let _ = io::stderr().write_all(logs::line(&text, form).as_bytes());
    }
    failure.exit_code()
}
