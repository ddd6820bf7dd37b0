//! The effect of an unread protocol on another protocol of the same peer.

use crate::goals::{Goals, median, spread};
use crate::roles;
use crate::worker::Worker;

const REPETITIONS: usize = 15;
const MESSAGES: usize = 100_000;
const THROUGHPUT: f64 = 0.9;
const PONG_MS: f64 = 50.0;

/// Sends the same mixture of messages to two nodes in turn. One node reads both protocols, the
/// other reads only one.
pub(crate) fn measure(quick: bool, _open_files: u64, goals: &mut Goals) {
    let messages = if quick { MESSAGES / 4 } else { MESSAGES };
    let nodes = ["serve", "neglect"].map(roles::node);
    let mut talkers = nodes
        .each_ref()
        .map(|node| Worker::start(&["talker", &node.greeting]));
    let (mut rates, mut pongs) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for repetition in 0..=REPETITIONS {
        for (at, talker) in talkers.iter_mut().enumerate() {
            // Each connection sends one Ping, after a delay that grows with each repetition.
            let delay = 2 * repetition;
            let told = talker.ask(&format!("mix {messages} {delay}"));
            let [seconds, pong] = told[..] else {
                panic!("two numbers");
            };
            if repetition > 0 {
                rates[at].push(messages as f64 / seconds);
                pongs[at].push(pong);
            }
        }
    }
    println!(
        "\n| alongside 4 MB of another protocol | messages/s of 1 KiB | pong, ms |\n| --- | --- | --- |"
    );
    for (at, name) in ["read", "neglected"].into_iter().enumerate() {
        println!(
            "| {name} | {} | {} |",
            spread(&rates[at]),
            spread(&pongs[at])
        );
    }
    let ratio = median(&rates[1]) / median(&rates[0]);
    goals.add(
        "isolation: next to an unread protocol another one keeps 90 % of its throughput until the bounds are reached",
        format!("{:.1} %", ratio * 100.0),
        ratio >= THROUGHPUT,
    );
    let slowest = pongs[1].iter().copied().fold(0.0, f64::max);
    goals.add(
        "isolation: no pong is later than 50 ms in the meantime",
        format!("{slowest:.1} ms at most"),
        slowest <= PONG_MS,
    );
}
