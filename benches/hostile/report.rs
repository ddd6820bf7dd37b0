//! The costs of an attack, and whether the goals are met.

use std::fmt::{self, Write};

use crate::attacks::Attack;
use crate::machine::Spread;
use crate::scene::Service;

const MIB: f64 = 1024.0 * 1024.0;

/// The minimum share of its messages that the honest peer keeps.
const KEPT: f64 = 0.5;
const CONNECT_MS: f64 = 1000.0;
const LIVE: f64 = 1.01;
/// Deviations of live memory (bytes) and resident memory (factor) that even a small node shows.
const NOISE: f64 = 32.0 * 1024.0;
const RESIDENT: f64 = 1.5;

/// One run of one attack.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) undisturbed: Service,
    pub(crate) disturbed: Service,
    /// Bytes, connections and CPU seconds of the attackers.
    pub(crate) spent: [f64; 3],
    pub(crate) seconds: f64,
    /// The node's CPU seconds.
    pub(crate) cpu: f64,
    /// The number of connections at the end of the attack.
    pub(crate) peers: f64,
    /// The maximum number of connections that the goal allows.
    pub(crate) most_peers: f64,
    /// Whether the node accepts strangers.
    pub(crate) has_seats: bool,
    /// The number of the honest identity's messages that arrived.
    pub(crate) heard: f64,
    /// The number of the node's open files and sockets at the end of the attack.
    pub(crate) files: f64,
    /// The peak of live bytes, above those of the idle node.
    pub(crate) peak: f64,
    /// The bound on the peak.
    pub(crate) bound: f64,
    /// Live and resident bytes, before and after the attack.
    pub(crate) idle: (f64, f64),
    /// The memory that may stay after the attack, since the node remembers other nodes.
    pub(crate) remembered: f64,
    pub(crate) peak_resident: f64,
    pub(crate) after: (f64, f64),
}

/// A figure that is measured in every run, and how to format it.
type Figure = (&'static str, fn(&Row) -> f64);

const FIGURES: [Figure; 16] = [
    ("attackers' MiB", |row| row.spent[0] / MIB),
    ("connections", |row| row.spent[1]),
    ("CPU s", |row| row.spent[2]),
    ("node's CPU, %", |row| 100.0 * row.cpu / row.seconds),
    ("peers", |row| row.peers),
    ("open files", |row| row.files),
    ("peak live, MiB", |row| row.peak / MIB),
    ("peak resident, MiB", |row| row.peak_resident / MIB),
    ("live after, KiB more", |row| {
        (row.after.0 - row.idle.0) / 1024.0
    }),
    ("live after, of idle", |row| row.after.0 / row.idle.0),
    ("resident after, of idle", |row| row.after.1 / row.idle.1),
    ("messages kept", |row| {
        row.disturbed.rate / row.undisturbed.rate
    }),
    ("comm kept, %", |row| 100.0 * row.heard / row.disturbed.said),
    ("echo p99, ms", |row| row.disturbed.p99_us / 1e3),
    ("connect p95, ms", |row| row.disturbed.connect_p95_ms),
    ("refused newcomers, %", |row| {
        100.0 * row.disturbed.refused / row.disturbed.newcomers
    }),
];

type Goal = (&'static str, fn(&Row) -> bool);

const GOALS: [Goal; 8] = [
    ("peak within the budgets", |row| row.peak <= row.bound),
    ("live bytes released", |row| {
        row.after.0 <= row.idle.0 * LIVE + NOISE + row.remembered
    }),
    ("resident memory released", |row| {
        row.after.1 <= row.idle.1 * RESIDENT
    }),
    ("half of the messages kept", |row| {
        row.disturbed.rate >= row.undisturbed.rate * KEPT
    }),
    ("newcomers connect within a second", |row| {
        !row.has_seats || row.disturbed.connect_p95_ms <= CONNECT_MS
    }),
    ("half of comm's messages arrive", |row| {
        row.heard >= row.disturbed.said * KEPT
    }),
    ("one network has its share of seats", |row| {
        row.peers <= row.most_peers
    }),
    ("the honest peer stays", |row| row.disturbed.ended == 0.0),
];

#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: String,
    states: String,
    missed: Vec<String>,
}

impl Report {
    /// Adds the runs of an attack. Goals apply to the median run, since the machine is noisy.
    pub(crate) fn add(&mut self, attack: &Attack, attackers: usize, runs: &[Row]) {
        let mut line = format!("| {} | {attackers} |", attack.name);
        for (_, figure) in FIGURES {
            let values: Vec<_> = runs.iter().map(figure).collect();
            write!(line, " {} |", spread(values)).expect("text");
        }
        eprintln!("{line}");
        writeln!(self.rows, "{line}").expect("text");
        for (goal, met) in GOALS {
            let missed = runs.iter().filter(|row| !met(row)).count();
            if 2 * missed > runs.len() {
                let what = format!("{} × {attackers}: {goal}", attack.name);
                eprintln!("missed: {what}");
                self.missed.push(what);
            }
        }
    }

    /// Adds the memory of one connection in a state. Memory and bound are in bytes.
    pub(crate) fn add_state(&mut self, state: &str, live: f64, resident: f64, bound: f64) {
        let line = format!(
            "| {state} | {:.1} | {:.1} | {:.0} |",
            live / 1024.0,
            resident / 1024.0,
            bound / 1024.0
        );
        eprintln!("{line}");
        writeln!(self.states, "{line}").expect("text");
        if live > bound {
            self.missed.push(format!("memory of a connection: {state}"));
        }
    }

    pub(crate) fn is_met(&self) -> bool {
        self.missed.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.states.is_empty() {
            writeln!(
                f,
                "| a connection that is | live, KiB | resident, KiB | bound, KiB |"
            )?;
            writeln!(f, "| --- | ---: | ---: | ---: |\n{}", self.states)?;
        }
        if !self.rows.is_empty() {
            write!(f, "| attack | attackers |")?;
            for (name, _) in FIGURES {
                write!(f, " {name} |")?;
            }
            writeln!(f, "\n| --- | ---: |{}", " ---: |".repeat(FIGURES.len()))?;
            writeln!(f, "{}", self.rows)?;
        }
        match self.missed.as_slice() {
            [] => writeln!(f, "all goals are met"),
            missed => missed
                .iter()
                .try_for_each(|what| writeln!(f, "missed: {what}")),
        }
    }
}

/// Formats the median, with minimum and maximum if there are several values.
fn spread(values: Vec<f64>) -> String {
    let several = values.len() > 1;
    let Spread {
        least,
        median,
        most,
    } = Spread::of(values);
    if several {
        format!("{median:.2} ({least:.2}–{most:.2})")
    } else {
        format!("{median:.2}")
    }
}
