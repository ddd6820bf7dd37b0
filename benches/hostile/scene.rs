//! One attack: what happens before it, during it and after it.

use std::time::{Duration, Instant};

use crate::attacks::{Attack, How};
use crate::machine;
use crate::node::{BESIDE, BUDGET, PENDING};
use crate::report::{Report, Row};
use crate::worker::Worker;

/// How long the attackers take to arrive.
const ARRIVAL: Duration = Duration::from_secs(2);
/// The time limit for releasing the memory of the first attack, in seconds.
const AGAIN: u64 = 6;
/// The time limit for releasing the memory of the measured attack, in seconds.
const SETTLED: u64 = 10;

/// The service that the honest remotes got.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Service {
    pub(crate) rate: f64,
    pub(crate) p99_us: f64,
    pub(crate) connect_p95_ms: f64,
    pub(crate) newcomers: f64,
    pub(crate) refused: f64,
    pub(crate) ended: f64,
    pub(crate) said: f64,
}

impl Service {
    fn measure(honest: &mut Worker, time: Duration) -> Self {
        let told = honest.ask(&format!("measure {}", time.as_millis()));
        let [
            rate,
            p99_us,
            connect_p95_ms,
            newcomers,
            refused,
            ended,
            said,
        ] = told[..]
        else {
            panic!("seven numbers");
        };
        Self {
            rate,
            p99_us,
            connect_p95_ms,
            newcomers,
            refused,
            ended,
            said,
        }
    }
}

pub(crate) fn measure(attack: &Attack, attackers: usize, quick: bool, report: &mut Report) {
    let repetitions = if quick || attackers > 100 { 1 } else { 3 };
    let time = Duration::from_secs(2);
    let rows: Vec<_> = (0..repetitions)
        .map(|_| once(attack, attackers, time))
        .collect();
    report.add(attack, attackers, &rows);
}

fn once(attack: &Attack, attackers: usize, time: Duration) -> Row {
    let mut node = Worker::start(&["node", &attack.seats(attackers).to_string()]);
    let sink = Worker::start(&["sink"]);
    let mut honest = Worker::start(&["honest", &node.greeting]);
    let has_seats = attack.seats(attackers) > 0;
    if !has_seats {
        // Trust the honest peer, since nodes that are not strangers can still connect.
        node.ask(&format!("trust {}", honest.greeting));
    }
    let mut crowd = Worker::start(&["attackers", &node.greeting, &sink.greeting]);
    // Run the attack once, to allocate in advance what first use allocates: tables keep the
    // capacity that a first attack needed.
    Service::measure(&mut honest, Duration::from_millis(500));
    // The allocator may keep what a first attack has freed, so the resident memory is compared with
    // its value before the first attack.
    let fresh_resident = machine::resident_kib(node.id()) * 1024.0;
    let begin = format!("begin node {attackers} {}", attack.name);
    crowd.ask(&begin);
    std::thread::sleep(ARRIVAL);
    // Newcomers connect in this run too, as they do later. Otherwise a table that grows for one of
    // them would look like a leak.
    Service::measure(&mut honest, time);
    crowd.ask("end");

    crowd.ask(&format!("begin sink {attackers} {}", attack.name));
    std::thread::sleep(ARRIVAL);
    let undisturbed = Service::measure(&mut honest, time);
    crowd.ask("end");

    node.ask(&format!("settle {AGAIN}"));
    Service::measure(&mut honest, Duration::from_millis(100));
    node.ask("settle 1");
    let idle = (node.ask("live")[0], fresh_resident);
    node.ask("reset");
    let (begun, cpu) = (Instant::now(), machine::cpu_seconds(node.id()));
    crowd.ask(&begin);
    std::thread::sleep(ARRIVAL);
    let disturbed = Service::measure(&mut honest, time);
    let peers = node.ask("peers")[0];
    let (heard, files) = (node.ask("heard")[0], machine::open_files(node.id()));
    let (cpu, seconds) = (
        machine::cpu_seconds(node.id()) - cpu,
        begun.elapsed().as_secs_f64(),
    );
    let peak = node.ask("peak")[0] - idle.0;
    let peak_resident = machine::peak_resident_kib(node.id()) * 1024.0;
    let spent = crowd.ask("end");
    let remembered = spent[1].min(4096.0) * attack.remembered() as f64;
    node.ask(&format!("settle {SETTLED}"));
    // Let some connections arrive, because outdated addresses are removed only then.
    Service::measure(&mut honest, Duration::from_millis(100));
    node.ask("settle 1");
    Row {
        undisturbed,
        disturbed,
        spent: [spent[0], spent[1], spent[2]],
        seconds,
        cpu,
        peers,
        // The attackers may get an eighth of the seats. The other connections are those of the
        // honest remotes.
        most_peers: match attack.how {
            How::Seats => (attack.seats(attackers) / 8 + 10) as f64,
            _ => f64::INFINITY,
        },
        has_seats,
        heard,
        files,
        peak,
        bound: (BUDGET + BESIDE + attackers.max(PENDING) * attack.allowance()) as f64,
        idle,
        remembered,
        peak_resident,
        after: (
            node.ask("live")[0],
            machine::resident_kib(node.id()) * 1024.0,
        ),
    }
}
