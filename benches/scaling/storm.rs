//! Round trips with an established peer while strangers connect as fast as they can.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use peermux::{Capability, DisconnectReason, Enode, SecretKey};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::crowd::meet;
use crate::goals::{Goals, compare, spread};
use crate::load::ASIDE;
use crate::roles;
use crate::worker::{Worker, commands, tell};

/// The number of concurrent strangers.
const STRANGERS: usize = 64;
const REPETITIONS: usize = 7;
const SIZE: usize = 32;
const ROUND_TRIPS: usize = 2000;
const GOAL_MS: f64 = 10.0;

pub(crate) fn measure(quick: bool, _open_files: u64, goals: &mut Goals) {
    let count = if quick { ROUND_TRIPS / 4 } else { ROUND_TRIPS };
    let mut node = roles::node("visited");
    let _one = roles::crowd(&node, 1);
    node.ask("peers 1");
    let mut storm = Worker::start(&["storm", &node.greeting]);
    let command = format!("beat {count} {SIZE}");
    let (mut told, mut rates) = ([Vec::new(), Vec::new()], Vec::new());
    for repetition in 0..=REPETITIONS {
        let alone = node.ask(&command);
        storm.ask("begin");
        let amid = node.ask(&command);
        let rate = storm.ask("end");
        // The first results are only for warming up.
        if repetition > 0 {
            told[0].push(alone);
            told[1].push(amid);
            rates.extend(rate);
        }
    }
    let conditions = ["alone", &format!("while {STRANGERS} at a time connect")];
    let [_, amid] = compare("paced echo of 32 B", conditions, &told);
    let late = amid / 1e3;
    goals.add(
        "latency: p99 of an echo while 64 at a time connect is within 10 ms",
        format!("{late:.2} ms, median of {REPETITIONS}"),
        late <= GOAL_MS,
    );
    println!("\nconnects per second during the storm: {}", spread(&rates));
}

/// The role of the strangers: each connects, sends a Hello and leaves, repeatedly.
#[tokio::main]
pub(crate) async fn run(enode: &str) {
    let enode: Enode = enode.parse().expect("an enode URL");
    tell("ready");
    let mut storm = None;
    for command in commands() {
        match command.join(" ").as_str() {
            "begin" => {
                storm = Some(Storm::begin(&enode));
                tell("0");
            }
            "end" => {
                let storm: Storm = storm.take().expect("begun");
                tell(&storm.end().await.to_string());
            }
            other => panic!("not a command of a storm: {other}"),
        }
    }
}

struct Storm {
    started: Instant,
    over: Arc<AtomicBool>,
    connects: Arc<AtomicU64>,
    strangers: JoinSet<()>,
}

impl Storm {
    fn begin(node: &Enode) -> Self {
        let (over, connects) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let strangers = (0..STRANGERS).map(|_| {
            let (node, over, connects) = (node.clone(), Arc::clone(&over), Arc::clone(&connects));
            async move {
                while !over.load(Ordering::Relaxed) {
                    let key = SecretKey::generate();
                    let met = meet(&node, &key, Capability::new(ASIDE, 1)).await;
                    let met = met.unwrap_or_else(|error| panic!("connecting: {error}"));
                    met.refuse(DisconnectReason::CLIENT_QUITTING).await;
                    connects.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        let strangers = strangers.collect();
        Self {
            started: Instant::now(),
            over,
            connects,
            strangers,
        }
    }

    /// Ends the storm and returns the connects per second.
    async fn end(mut self) -> f64 {
        let rate =
            self.connects.load(Ordering::Relaxed) as f64 / self.started.elapsed().as_secs_f64();
        self.over.store(true, Ordering::Relaxed);
        while let Some(ended) = self.strangers.join_next().await {
            ended.expect("no stranger panics");
        }
        rate
    }
}
