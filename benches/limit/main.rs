//! The maximum speed of this machine, as a reference for the speed of the library.
//!
//! `cargo bench --bench limit` uses only published crates and none of the library's own code. It
//! measures how fast one thread seals frames, how fast one thread opens them, and how fast these
//! two loops are with loopback TCP between them. It also measures how many handshakes the
//! public-key cryptography allows, and how many connects over loopback TCP, 8 at once. Each figure
//! is the median of several interleaved repetitions, with minimum and maximum. Two options, given
//! after `--`, make it possible to interleave these measurements with other programs. `--tcp SIZE
//! COUNT` prints the messages per second over loopback TCP, and `--handshakes` prints handshakes
//! and connects per second, each once.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a benchmark has no caller to hand errors to, and measures real time"
)]

mod connect;
mod frame;
mod handshake;
mod loops;
mod tcp;

use std::time::Duration;

/// Payload sizes, and the number of messages per repetition.
const SIZES: [(usize, usize); 5] = [
    (16, 400_000),
    (256, 300_000),
    (1 << 10, 150_000),
    (32 << 10, 6_000),
    (1 << 20, 200),
];

const REPETITIONS: usize = 5;

type Rate = fn() -> f64;

/// The parts of a connect and their measurements.
const HANDSHAKES: [(&str, Rate); 4] = [
    ("both ends' cryptography, 1 core", || handshake::rate(1)),
    ("both ends' cryptography, 2 cores", || handshake::rate(2)),
    ("connects without cryptography", || connect::rate(false)),
    ("connects with cryptography", || connect::rate(true)),
];

/// Minimum, median and maximum.
struct Spread([f64; 3]);

impl Spread {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self([
            values[0],
            values[values.len() / 2],
            values[values.len() - 1],
        ])
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [least, median, most] = self.0.map(|value| format!("{value:.*}", digits(value)));
        write!(f, "{median} ({least}–{most})")
    }
}

fn digits(value: f64) -> usize {
    if value < 100.0 { 2 } else { 0 }
}

/// Returns the time per operation in microseconds.
fn micros(elapsed: Duration, count: usize) -> f64 {
    elapsed.as_secs_f64() * 1e6 / count as f64
}

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--tcp") {
        let [size, count] = [1, 2].map(|i| arguments[at + i].parse().unwrap());
        return println!("{}", count as f64 / tcp::one_way(size, count).as_secs_f64());
    }
    if arguments.iter().any(|argument| argument == "--handshakes") {
        for (name, rate) in HANDSHAKES {
            println!("{:.0}: {name}", rate());
        }
        return;
    }
    println!("| payload | seal, µs | open, µs | both over loopback TCP, msg/s | MB/s |");
    println!("|---|---|---|---|---|");
    for (size, count) in SIZES {
        let (mut seal, mut open, mut tcp) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..REPETITIONS {
            seal.push(micros(loops::seal(size, count), count));
            open.push(micros(loops::open(size, count), count));
            tcp.push(count as f64 / tcp::one_way(size, count).as_secs_f64());
        }
        let megabytes = tcp.iter().map(|rate| rate * size as f64 / 1e6).collect();
        let [seal, open, tcp, megabytes] = [seal, open, tcp, megabytes].map(Spread::of);
        println!("| {size} B | {seal} | {open} | {tcp} | {megabytes} |");
    }
    println!("\n| handshakes | a second |\n|---|---|");
    for (name, rate) in HANDSHAKES {
        let rates = (0..REPETITIONS).map(|_| rate()).collect();
        println!("| {name} | {} |", Spread::of(rates));
    }
}
