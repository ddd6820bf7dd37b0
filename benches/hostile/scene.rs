//! One attack: undisturbed, during it, and after it.

use std::time::Duration;

use crate::attacks::Attack;
use crate::machine;
use crate::node::{BUDGET, PENDING, SPARE};
use crate::report::{Report, Row};
use crate::worker::Worker;

/// How long the attackers take to come.
const ARRIVAL: Duration = Duration::from_secs(2);
/// After how many seconds memory must be given back.
const SETTLED: u64 = 10;

/// What the honest reached.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Service {
    pub(crate) rate: f64,
    pub(crate) p99_us: f64,
    pub(crate) connect_p95_ms: f64,
    pub(crate) newcomers: f64,
    pub(crate) refused: f64,
    pub(crate) ended: f64,
}

impl Service {
    fn measure(honest: &mut Worker, time: Duration) -> Self {
        let told = honest.ask(&format!("measure {}", time.as_millis()));
        let [rate, p99_us, connect_p95_ms, newcomers, refused, ended] = told[..] else {
            panic!("six numbers");
        };
        Self {
            rate,
            p99_us,
            connect_p95_ms,
            newcomers,
            refused,
            ended,
        }
    }
}

pub(crate) fn measure(attack: &Attack, attackers: usize, quick: bool, report: &mut Report) {
    let (repetitions, time) = match quick {
        true => (1, Duration::from_secs(2)),
        false if attackers > 100 => (1, Duration::from_secs(4)),
        false => (3, Duration::from_secs(4)),
    };
    let rows: Vec<_> = (0..repetitions)
        .map(|_| once(attack, attackers, time))
        .collect();
    report.add(attack, attackers, &rows);
}

fn once(attack: &Attack, attackers: usize, time: Duration) -> Row {
    let mut node = Worker::start(&["node", &attack.seats(attackers).to_string()]);
    let sink = Worker::start(&["sink"]);
    let mut honest = Worker::start(&["honest", &node.greeting]);
    let mut crowd = Worker::start(&["attackers", &node.greeting, &sink.greeting]);
    // So that what comes with the first use is there: tables keep the places that a first attack needed.
    Service::measure(&mut honest, Duration::from_millis(500));
    // The allocator may keep what a first attack has freed, so that only this shows what it gives back.
    let fresh_resident = machine::resident_kib(node.id()) * 1024.0;
    let begin = format!("begin node {attackers} {}", attack.name);
    crowd.ask(&begin);
    std::thread::sleep(ARRIVAL + 2 * time);
    crowd.ask("end");
    node.ask(&format!("settle {SETTLED}"));

    crowd.ask(&format!("begin sink {attackers} {}", attack.name));
    std::thread::sleep(ARRIVAL);
    let undisturbed = Service::measure(&mut honest, time);
    crowd.ask("end");

    node.ask(&format!("settle {SETTLED}"));
    Service::measure(&mut honest, Duration::from_millis(100));
    node.ask("settle 1");
    let idle = (node.ask("live")[0], fresh_resident);
    node.ask("reset");
    let cpu = machine::cpu_seconds(node.id());
    crowd.ask(&begin);
    std::thread::sleep(ARRIVAL);
    let disturbed = Service::measure(&mut honest, time);
    let peers = node.ask("peers")[0];
    let cpu = machine::cpu_seconds(node.id()) - cpu;
    let peak = node.ask("peak")[0] - idle.0;
    let peak_resident = machine::peak_resident_kib(node.id()) * 1024.0;
    let spent = crowd.ask("end");
    node.ask(&format!("settle {SETTLED}"));
    // Addresses that are out of date are forgotten when somebody comes.
    Service::measure(&mut honest, Duration::from_millis(100));
    node.ask("settle 1");
    Row {
        undisturbed,
        disturbed,
        spent: [spent[0], spent[1], spent[2]],
        seconds: (ARRIVAL + 2 * time).as_secs_f64(),
        cpu,
        peers,
        peak,
        bound: (BUDGET + SPARE + attackers.max(PENDING) * attack.allowance()) as f64,
        idle,
        peak_resident,
        after: (
            node.ask("live")[0],
            machine::resident_kib(node.id()) * 1024.0,
        ),
    }
}
