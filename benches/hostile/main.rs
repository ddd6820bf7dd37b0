//! What strangers can cost a node, and the service that honest peers still get.
//!
//!     cargo bench -p peermux-cli --bench hostile [-- --quick] [-- --only echoes] [-- --attackers 50]
//!
//! The node is a process with its own processor. The attackers are one process and the honest peer
//! is another; these two share a second processor. The same attackers first write to a process that
//! discards everything, which shows the honest peer's undisturbed throughput. Commands and answers
//! between the processes are lines of words. A table and the result of each goal are printed to
//! standard output; a missed goal fails the run.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a benchmark has no caller to hand errors to, and measures by the clock"
)]

mod attackers;
mod attacks;
mod certificates;
mod connect;
#[path = "../greet.rs"]
mod greet;
mod honest;
#[path = "../machine/mod.rs"]
mod machine;
mod member;
mod messages;
mod node;
mod pin;
mod proof;
mod report;
mod scene;
mod sink;
mod states;
#[path = "../machine/worker.rs"]
mod worker;

use std::alloc::System;
use std::env::args;
use std::process::ExitCode;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

/// Counts the allocated bytes, at a few nanoseconds per allocation.
#[cfg_attr(not(feature = "jemalloc"), global_allocator)]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// With jemalloc only the resident memory is shown; allocated bytes are not counted.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static JEMALLOC: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The processor of the node, and the processor that all other processes share.
const NODE: usize = 0;
const OTHERS: usize = 1;

fn main() -> ExitCode {
    let arguments: Vec<String> = args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [worker::ROLE, "node", seats] => node::run(seats.parse().expect("a number")),
        [worker::ROLE, "sink"] => sink::run(),
        [worker::ROLE, "honest", enode] => honest::run(enode),
        [worker::ROLE, "attackers", enode, sink] => attackers::run(enode, sink),
        words => return measure(words),
    }
    ExitCode::SUCCESS
}

fn measure(words: &[&str]) -> ExitCode {
    let after = |option: &str| {
        let at = words.iter().position(|word| *word == option);
        at.and_then(|at| words.get(at + 1)).copied()
    };
    let (quick, only) = (words.contains(&"--quick"), after("--only").unwrap_or(""));
    let sizes: Vec<usize> = match after("--attackers") {
        Some(number) => vec![number.parse().expect("a number of attackers")],
        None if quick => vec![50],
        None => vec![50, 1000],
    };
    // The children inherit the limit.
    machine::more_files();
    let mut report = report::Report::default();
    if "states".contains(only) {
        states::measure(&mut report);
    }
    for attackers in sizes {
        for attack in attacks::all().filter(|attack| attack.name.contains(only)) {
            scene::measure(&attack, attackers, quick, &mut report);
        }
    }
    print!("{report}");
    if report.is_met() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
