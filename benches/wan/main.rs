//! Compares peermux over distance with go-ethereum and with a plain TCP copy.
//!
//! The copy uses the system's buffers. The three programs run interleaved.
//!
//!     cargo bench -p peermux-cli --bench wan -- [--full] [--only 100ms/sink] [--repetitions 9] [--congestion cubic]
//!
//! A path is simulated on this machine: two network namespaces, a TUN device in each, and a program
//! between them (`path`, in Go) that adds delay, rate, queue and loss. Diallers run in one
//! namespace, listeners in the other. Our programs are `peermux bench` and `peermux listen`;
//! go-ethereum's is the program of the interop tests. The copy is this binary in a role, and so is
//! the peer that makes round trips alongside bulk messages of another protocol.
//!
//! The benchmark needs Linux, root, `/dev/net/tun`, `ip` and Go, and fails with a list of what is
//! missing. The namespaces' only route is the path, and their only addresses are the ends of the
//! path and loopback. The namespaces are removed at the end, after a panic, and at SIGINT, SIGTERM
//! and SIGHUP. If a run is killed, the next run removes its namespaces.
//!
//! The amount of data is determined once per path with the copy, and is the same for all
//! implementations. It is an amount that takes the copy a few seconds and at least 30 round trips,
//! but no more than go-ethereum can encrypt in that time. There is no warm-up, so slow start is
//! part of each measurement. Nothing that one connection has learned about the path is kept for the
//! next. Within a repetition, the packets with the same numbers are lost for all implementations.
//! The clock runs from the first message until the listener has confirmed the last one.
//!
//! Tables and goals are printed to standard output; the figures are written as JSON to `wan` below
//! the target folder. Sender, receiver and path share the machine: "idle" is the unused share of
//! the busier processor during a measurement. The exit code reports whether everything ran and, in an
//! optimised build, whether all goals are met.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark has no caller to hand errors to"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "blocking programs are measured, so time is the system's"
)]

mod copy;
#[path = "../../tests/interop/ethereumjs.rs"]
mod ethereumjs;
mod figures;
#[path = "../../tests/interop/foreign.rs"]
#[expect(dead_code, reason = "the interop tests use more of it")]
mod foreign;
mod forwarder;
#[path = "../../tests/interop/geth.rs"]
mod geth;
#[path = "../scaling/goals.rs"]
#[expect(dead_code, reason = "the other benchmark uses more of it")]
mod goals;
mod grid;
mod judge;
mod kind;
mod large;
mod load;
#[path = "../compare/machine.rs"]
#[expect(dead_code, reason = "the other benchmark uses more of it")]
mod machine;
mod namespaces;
mod needs;
mod options;
mod path;
#[path = "../../tests/interop/program.rs"]
#[expect(dead_code, reason = "the interop tests use more of it")]
mod program;
mod report;
mod scene;
mod talk;
mod watch;

use std::env::args;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

use crate::goals::Goals;
use crate::grid::Grid;
use crate::options::Options;

/// The first argument of a process in a role.
const ROLE: &str = "role";

fn main() -> ExitCode {
    let arguments: Vec<String> = args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [ROLE, copy::LISTEN, addr] => copy::listen(addr),
        [ROLE, copy::SEND, addr, amount] => copy::send(addr, amount.parse().expect("an amount")),
        [ROLE, talk::TALK, enode, size, seconds] => {
            let (size, seconds) = (size.parse(), seconds.parse());
            talk::run(enode, size.expect("bytes"), seconds.expect("seconds"));
        }
        _ => return measure(&Options::parse()),
    }
    ExitCode::SUCCESS
}

fn measure(options: &Options) -> ExitCode {
    let forwarder = match needs::ready() {
        Ok(forwarder) => forwarder,
        Err(missing) => {
            eprint!("{missing}");
            return ExitCode::FAILURE;
        }
    };
    namespaces::remove_stale();
    namespaces::remove_at_signals();
    let started = Instant::now();
    let mut grid = Grid::new(options, &forwarder);
    let mut goals = Goals::default();
    grid.run();
    if options.wants_large() {
        large::check(&forwarder, options, &mut goals);
    } else if grid.is_empty() {
        eprintln!("nothing is selected: see --only");
        return ExitCode::FAILURE;
    }
    let Grid {
        figures,
        failures,
        conditions,
        ..
    } = grid;
    judge::judge(&figures, &mut goals);
    print!(
        "{}",
        report::markdown(options, &figures, &conditions, &goals)
    );
    eprintln!("took {:.1} minutes", started.elapsed().as_secs_f64() / 60.0);
    let written = report::write(options, &figures, &conditions);
    if let Err(error) = &written {
        eprintln!("writing below {}: {error}", options.output.display());
    }
    for failure in &failures {
        eprintln!("failed: {failure}");
    }
    let met = goals.are_met() || cfg!(debug_assertions);
    if failures.is_empty() && written.is_ok() && met {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
