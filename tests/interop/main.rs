//! Interop tests: peermux and other implementations are peers of each other over TCP.
//!
//! README.md describes the foreign programs. A test whose program cannot be built is shown as
//! ignored, with the reason on standard error. With `PEERMUX_INTEROP=required` in the environment,
//! such a test fails.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in helper functions too"
)]

mod cases;
mod daemon;
mod eth_node;
mod ethereumjs;
mod ethereumjs_client;
mod foreign;
mod geth;
mod namespace;
mod network;
mod node;
mod ours;
mod peermux_cli;
mod program;
mod prometheus;
mod promql;
mod report;
mod router;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion};

use crate::foreign::{Foreign, Implementation};

fn main() -> ExitCode {
    let inside = ethereumjs_client::inside().or_else(router::inside);
    let inside = inside.or_else(prometheus::inside);
    if let Some(done) = inside.or_else(network::inside) {
        return done;
    }
    let trials = Implementation::ALL.into_iter().flat_map(|implementation| {
        let cases = cases::all().filter(move |case| case.concerns(implementation));
        cases.map(move |case| {
            let name = format!("{}::{}", implementation.name(), case.name);
            let run = move |foreign: &Foreign| {
                (case.run)(foreign);
                Ok(Completion::Completed)
            };
            report::trial(name, move || implementation.ready(), run)
        })
    });
    let trials = trials.chain([ethereumjs_client::trial()]);
    let trials = trials.chain(router::trials()).chain([network::trial()]);
    let trials = trials.chain(prometheus::trials());
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials.collect());
    if let Err(error) = report::write() {
        eprintln!("the report cannot be written: {error}");
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}
