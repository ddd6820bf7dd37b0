//! The cost of additional peers for a node, and the peers' effects on each other.
//!
//!     cargo bench --bench scaling [-- --quick] [-- --only echo]
//!
//! The measured node and its peers are separate processes, started from this binary with a role.
//! Commands and answers are lines of words. A table and the result of each goal are printed to
//! standard output.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark has no caller to hand errors to"
)]

mod announced;
mod beside;
mod burst;
mod cost;
mod crowd;
mod goals;
#[path = "../greet.rs"]
mod greet;
mod isolation;
mod latency;
mod load;
#[path = "../machine/mod.rs"]
mod machine;
mod node;
mod process;
mod roles;
mod storm;
mod talker;
#[path = "../machine/worker.rs"]
mod worker;

use std::alloc::System;
use std::env::args;
use std::process::ExitCode;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

use crate::goals::Goals;

/// Counts the allocated bytes, at a few nanoseconds per allocation.
#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> ExitCode {
    let arguments: Vec<String> = args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [worker::ROLE, "node", mode] => node::run(mode.parse().expect("a mode of a node")),
        [worker::ROLE, "crowd", enode] => crowd::run(enode),
        [worker::ROLE, "storm", enode] => storm::run(enode),
        [worker::ROLE, "talker", enode] => talker::run(enode),
        words => return measure(words),
    }
    ExitCode::SUCCESS
}

/// Prints the figures and goals. In an optimised build, fails if a goal is missed.
fn measure(words: &[&str]) -> ExitCode {
    let quick = words.contains(&"--quick");
    let only = words.iter().position(|word| *word == "--only");
    let only = only.and_then(|at| words.get(at + 1)).unwrap_or(&"");
    // Raise the limit on open files: thousands of connections have both ends in child processes,
    // which inherit the limit.
    let limit = machine::more_files();
    let mut goals = Goals::default();
    type Scenario = fn(bool, u64, &mut Goals);
    let scenarios: [(&str, Scenario); 7] = [
        ("cost", cost::measure),
        ("echo", latency::measure),
        ("storm", storm::measure),
        ("announced", announced::measure),
        ("isolation", isolation::measure),
        ("beside", beside::measure),
        ("burst", burst::measure),
    ];
    for (name, scenario) in scenarios {
        if name.contains(only) {
            scenario(quick, limit, &mut goals);
        }
    }
    print!("{goals}");
    if goals.are_met() || cfg!(debug_assertions) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
