//! The `peermux` command line: run a node, look at one, measure one, talk to one.
//!
//! Results go to standard output, for people or, with `--json`, one JSON object a line. Logs and
//! the one line that says why a command failed go to standard error. The exit code is 0 for
//! success, 1 for failure, 2 for wrong usage.
#![forbid(unsafe_code)]

#[cfg(unix)]
mod admin;
mod args;
mod commands;
mod config;
mod data_dir;
mod explain;
mod failure;
mod keys;
mod logs;
mod node;
mod output;
mod signals;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use args::Cli;
use failure::Failure;
use output::printable;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = logs::init(cli.common.verbose).and_then(|()| run(cli));
    if let Err(failure) = &result {
        if let Some(text) = failure.text() {
            // Without standard error there is nobody to tell.
            let _ = writeln!(io::stderr(), "peermux: {}", printable(&text));
        }
        return failure.exit_code();
    }
    ExitCode::SUCCESS
}

fn run(cli: Cli) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::because)?;
    // On a worker, as what it talks to: this thread would have to be woken for every answer.
    let command = runtime.spawn(commands::run(cli));
    let result = runtime.block_on(command).map_err(Failure::because);
    let result = result.and_then(|result| result);
    // A thread may still wait for a line of standard input, which nobody wants any more.
    runtime.shutdown_background();
    result
}
