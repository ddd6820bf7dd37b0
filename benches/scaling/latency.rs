//! Round trips with one peer, alone and among many idle ones.

use crate::goals::{Goals, compare};
use crate::process;
use crate::roles;

const IDLE: usize = 1000;
const REPETITIONS: usize = 9;
const SIZE: usize = 32;
const ROUND_TRIPS: usize = 10_000;
const GOAL: f64 = 1.2;

/// Measures two nodes in turn. One has a single peer; the other also has a thousand idle ones. The
/// answering peer is a separate process each time, so only the node differs.
pub(crate) fn measure(quick: bool, open_files: u64, goals: &mut Goals) {
    if let Some(why) = process::obstacle(IDLE, open_files) {
        eprintln!("{why}");
        return;
    }
    let count = if quick { ROUND_TRIPS / 10 } else { ROUND_TRIPS };
    let mut alone = roles::node("lend");
    let _one = roles::crowd(&alone, 1);
    alone.ask("peers 1");
    let mut among = roles::node("lend");
    let _idle = roles::crowd(&among, IDLE);
    among.ask(&format!("peers {IDLE}"));
    let _another = roles::crowd(&among, 1);
    among.ask(&format!("peers {}", IDLE + 1));

    let command = format!("echo {count} {SIZE}");
    let mut told = [Vec::new(), Vec::new()];
    for repetition in 0..=REPETITIONS {
        for (node, told) in [&mut alone, &mut among].into_iter().zip(&mut told) {
            let percentiles = node.ask(&command);
            // The first results are only for warming up.
            if repetition > 0 {
                told.push(percentiles);
            }
        }
    }
    let conditions = ["alone", &format!("among {IDLE} idle peers")];
    let [alone, among] = compare("echo of 32 B", conditions, &told);
    let ratio = among / alone;
    goals.add(
        "latency: p99 of an echo among 1,000 idle peers is within 1.2 × alone",
        format!("{ratio:.2} ×, medians of {REPETITIONS}, not pinned"),
        ratio <= GOAL,
    );
}
