//! What an attack cost, whom, and whether that is within the goals.

use std::fmt::{self, Write};

use crate::attacks::Attack;
use crate::machine::Spread;
use crate::scene::Service;

const MIB: f64 = 1024.0 * 1024.0;

/// The honest peer keeps this part of its messages at least.
const KEPT: f64 = 0.5;
const CONNECT_MS: f64 = 1000.0;
const LIVE: f64 = 1.01;
/// What a node that small has more or less of in any case.
const NOISE: f64 = 32.0 * 1024.0;
const RESIDENT: f64 = 1.5;

/// One run of one attack.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) undisturbed: Service,
    pub(crate) disturbed: Service,
    /// Bytes, connections and seconds on processors, of the attackers.
    pub(crate) spent: [f64; 3],
    pub(crate) seconds: f64,
    /// The node's seconds on processors.
    pub(crate) cpu: f64,
    /// How many were connected at the end of the attack.
    pub(crate) peers: f64,
    /// How many that may be.
    pub(crate) most_peers: f64,
    /// Whether the node takes strangers.
    pub(crate) has_seats: bool,
    /// How many messages of the honest identity arrived.
    pub(crate) heard: f64,
    /// How many files and sockets the node had open then.
    pub(crate) files: f64,
    /// The most live bytes beyond those when idle.
    pub(crate) peak: f64,
    /// How many these may be.
    pub(crate) bound: f64,
    /// Live and resident bytes, before and after it.
    pub(crate) idle: (f64, f64),
    /// What may be left of it, as the node remembers whom it has met.
    pub(crate) remembered: f64,
    pub(crate) peak_resident: f64,
    pub(crate) after: (f64, f64),
}

/// A figure that is measured in every run, and how it is shown.
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
    ("live bytes given back", |row| {
        row.after.0 <= row.idle.0 * LIVE + NOISE + row.remembered
    }),
    ("resident memory given back", |row| {
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
    /// The runs of an attack. Each goal holds for the median run, as the bench has a noisy machine.
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

    /// What one connection in a state takes of the node, and what it may take, in bytes.
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

/// The median, and beside it the least and the most if there are several.
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
