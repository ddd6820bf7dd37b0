//! Round trips of one protocol alongside bulk traffic of another on one connection.

use crate::goals::{Goals, median, spread};
use crate::roles;
use crate::worker::Worker;

const REPETITIONS: usize = 9;
const ROUND_TRIPS: usize = 500;

struct Bulk {
    name: &'static str,
    bytes: usize,
    goal_ms: f64,
}

const BULK: [Bulk; 3] = [
    Bulk {
        name: "nothing",
        bytes: 0,
        goal_ms: 1.0,
    },
    Bulk {
        name: "messages of 32 KiB",
        bytes: 32 << 10,
        goal_ms: 1.0,
    },
    Bulk {
        name: "messages of 1 MiB",
        bytes: 1 << 20,
        goal_ms: 10.0,
    },
];

/// The results. Each list has one number per repetition.
#[derive(Default)]
struct Told {
    p50s: Vec<f64>,
    p99s: Vec<f64>,
    rates: Vec<f64>,
}

pub(crate) fn measure(quick: bool, _open_files: u64, goals: &mut Goals) {
    let count = if quick { ROUND_TRIPS / 10 } else { ROUND_TRIPS };
    let node = roles::node("serve");
    let mut talker = Worker::start(&["talker", &node.greeting]);
    let mut told = BULK.each_ref().map(|_| Told::default());
    for _ in 0..REPETITIONS {
        for (bulk, told) in BULK.iter().zip(&mut told) {
            let numbers = talker.ask(&format!("beside {} {count}", bulk.bytes));
            let [p50, p99, rate] = numbers[..] else {
                panic!("three numbers");
            };
            told.p50s.push(p50 / 1e3);
            told.p99s.push(p99 / 1e3);
            told.rates.push(rate);
        }
    }
    println!(
        "\n| echo of 32 B alongside | p50, ms | p99, ms | bulk, MB/s |\n| --- | --- | --- | --- |"
    );
    for (bulk, told) in BULK.iter().zip(&told) {
        let columns = [&told.p50s, &told.p99s, &told.rates].map(|column| spread(column));
        println!("| {} | {} |", bulk.name, columns.join(" | "));
        let p50 = median(&told.p50s);
        goals.add(
            format!(
                "alongside {}: p50 of an echo is below {} ms",
                bulk.name, bulk.goal_ms
            ),
            format!("{p50:.3} ms"),
            p50 < bulk.goal_ms,
        );
    }
}
