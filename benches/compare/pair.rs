//! Measurements between a dialler and a listener.

use crate::figures::{Figures, Section, Unit};
use crate::kind::{Kind, Served};
use crate::load::Load;
use crate::options::Options;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pair {
    dialler: Kind,
    listener: Kind,
}

/// A pair with its number of messages per measurement.
struct Run {
    pair: Pair,
    count: u64,
}

impl Pair {
    /// Returns each implementation paired with itself, then ours with the others. Each mixed pair
    /// occurs in both roles.
    fn all(kinds: &[Kind]) -> Vec<Self> {
        let pair = |dialler, listener| Self { dialler, listener };
        let alike = kinds.iter().map(|&kind| pair(kind, kind));
        let others = kinds.iter().copied().filter(|kind| *kind != Kind::Peermux);
        let mixed = others.flat_map(|kind| [pair(Kind::Peermux, kind), pair(kind, Kind::Peermux)]);
        alike.chain(mixed).collect()
    }

    fn id(self) -> String {
        if self.dialler == self.listener {
            self.dialler.id().to_owned()
        } else {
            format!("{}-{}", self.dialler.id(), self.listener.id())
        }
    }

    fn name(self) -> String {
        if self.dialler == self.listener {
            self.dialler.name().to_owned()
        } else {
            format!("{} → {}", self.dialler.name(), self.listener.name())
        }
    }
}

/// Runs every selected load between every pair.
pub(crate) fn measure(options: &Options, kinds: &[Kind], figures: &mut Figures) {
    let mut nodes: Vec<(Kind, Served)> = Vec::new();
    for load in Load::all() {
        let wanted = |pair: &Pair| options.wants(&format!("{}/{}", load.id(), pair.id()));
        let pairs: Vec<_> = Pair::all(kinds).into_iter().filter(wanted).collect();
        for pair in &pairs {
            if !nodes.iter().any(|(kind, _)| *kind == pair.listener) {
                nodes.push((pair.listener, pair.listener.serve()));
            }
        }
        let node = |pair: Pair| {
            let mut nodes = nodes.iter();
            let found = nodes.find(|(kind, _)| *kind == pair.listener);
            &found.expect("started above").1
        };
        let runs: Vec<_> = pairs
            .into_iter()
            .filter_map(|pair| calibrate(options, load, pair, node(pair)))
            .collect();
        for repetition in 1..=options.repetitions() {
            for run in &runs {
                eprintln!("{repetition} {} {}", load.title(), run.pair.name());
                once(load, run, node(run.pair), figures);
            }
        }
    }
}

/// Finds the number of messages for one measurement. The tries for this also warm up the listener.
fn calibrate(options: &Options, load: Load, pair: Pair, node: &Served) -> Option<Run> {
    let mut count = load.first_count();
    loop {
        let result = match pair.dialler.drive(&node.enode, load, count) {
            Ok(result) => result,
            Err(why) => {
                eprintln!("{} {} is left out: {why}", load.title(), pair.name());
                return None;
            }
        };
        let seconds = result["seconds"].as_f64().unwrap_or_default();
        match options.calibrate(count, seconds) {
            Ok(count) => return Some(Run { pair, count }),
            Err(more) => count = more,
        }
    }
}

fn once(load: Load, run: &Run, node: &Served, figures: &mut Figures) {
    let Run { pair, count } = run;
    let before = node.process.cpu_seconds();
    let result = match pair.dialler.drive(&node.enode, load, *count) {
        Ok(result) => result,
        Err(why) => {
            eprintln!("{} {} failed: {why}", load.title(), pair.name());
            return;
        }
    };
    let after = node.process.cpu_seconds();
    let name = pair.name();
    for (section, row, unit, value) in load.told(&result) {
        figures.add(section, row, unit, &name, value);
    }
    let each = |seconds: f64, count: u64| seconds * 1e6 / count as f64;
    let row = |end: &str| format!("{}, {end}", load.title());
    if let Some(seconds) = result["cpu_seconds"].as_f64() {
        let value = each(seconds, *count);
        figures.add(
            Section::Cpu,
            row("dialler"),
            Unit::Microseconds,
            &name,
            value,
        );
    }
    if let Some((after, before)) = after.zip(before) {
        let value = each(after - before, *count + pair.dialler.warm_up(load, *count));
        figures.add(
            Section::Cpu,
            row("listener"),
            Unit::Microseconds,
            &name,
            value,
        );
    }
}
