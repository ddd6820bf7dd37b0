//! The effect of an unread protocol on another one of the same peer.

use crate::goals::{Goals, median, spread};
use crate::roles;
use crate::worker::Worker;

const REPETITIONS: usize = 15;
const MESSAGES: usize = 100_000;
const THROUGHPUT: f64 = 0.9;
const PONG_MS: f64 = 50.0;

/// Two nodes take turns with the same mixture of messages. One reads both protocols, the other
/// reads only one.
pub(crate) fn measure(quick: bool, _open_files: u64, goals: &mut Goals) {
    let messages = if quick { MESSAGES / 4 } else { MESSAGES };
    let nodes = ["serve", "neglect"].map(roles::node);
    let mut talkers = nodes
        .each_ref()
        .map(|node| Worker::start(&["talker", &node.greeting]));
    let (mut rates, mut pongs) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for repetition in 0..=REPETITIONS {
        for (at, talker) in talkers.iter_mut().enumerate() {
            // One Ping per connection, later each time.
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
        "\n| beside 4 MB of another protocol | messages/s of 1 KiB | pong, ms |\n| --- | --- | --- |"
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
        "isolation: beside an unread protocol another keeps 90 % of its throughput until the bounds are reached",
        format!("{:.1} %", ratio * 100.0),
        ratio >= THROUGHPUT,
    );
    let slowest = pongs[1].iter().copied().fold(0.0, f64::max);
    goals.add(
        "isolation: no pong is later than 50 ms meanwhile",
        format!("{slowest:.1} ms at most"),
        slowest <= PONG_MS,
    );
}
