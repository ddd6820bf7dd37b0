//! Ours over distance, beside go-ethereum and a plain TCP copy with the system's buffers, in one run whose repetitions
//! take turns.
//!
//!     cargo bench -p peermux-cli --bench wan -- [--full] [--only 100ms/sink] [--repetitions 9] [--congestion cubic]
//!
//! A path is made on this machine: two network namespaces, a TUN device in each, and between them a program (`path`, in Go)
//! that adds delay, rate, queue and loss. Diallers run in one namespace, listeners in the other. Ours are `peermux bench`
//! and `peermux listen`; go-ethereum's is the program of the interop tests; the copy is this binary, started again
//! with a role, as is the peer that makes round trips beside bulk messages of another protocol.
//!
//! It needs Linux, root, `/dev/net/tun`, `ip` and Go, and fails with the list of what is missing. The namespaces' only route is
//! the path and their only addresses are its ends and loopback. They are removed at the end, at a panic, and at SIGINT, SIGTERM and
//! SIGHUP; those of a run that was killed are removed by the next one.
//!
//! How much is sent is found out once for a path, with the copy, and is the same for all implementations: what takes the copy a
//! few seconds, at least 30 round trips, and no more than go-ethereum can encrypt in that time. Nobody warms up, so
//! that slow start is part of each measurement; nothing that one connection learned of the path is kept for the next, and within
//! a repetition all lose the packets of the same numbers. The
//! clock runs from the first message until the listener has confirmed the last one.
//!
//! Tables and goals go to standard output, the figures as JSON to `wan` below the target folder. Sender, receiver and
//! path share the machine: "idle" is the share of the busier processor that nobody used during a measurement. The
//! exit code reports whether everything ran, not whether goals are met.
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
        eprintln!("nothing is wanted: see --only");
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
    match failures.is_empty() && written.is_ok() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
