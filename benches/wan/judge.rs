//! The goals.

use crate::figures::{Figures, Metric};
use crate::goals::{Goals, median};
use crate::kind::Kind;
use crate::load::{Load, bytes};
use crate::path::Path;

/// The path is the limit if the copy beats go-ethereum by less than this factor.
const PATH_IS_LIMIT: f64 = 1.25;

/// A processor counts as a possible limit if its idle share is smaller than this.
const IDLE: f64 = 0.1;

/// Compares the medians of all measurements that provide the figures for a goal.
pub(crate) fn judge(figures: &Figures, goals: &mut Goals) {
    for (path, load) in figures.rows() {
        match load {
            Load::Sink(size) => throughput(figures, path, size, goals),
            Load::Beside(size) if path.is_for_echo() => beside(figures, path, size, goals),
            Load::Echo | Load::Beside(_) | Load::Connect => {}
        }
    }
}

fn throughput(figures: &Figures, path: Path, size: usize, goals: &mut Goals) {
    let load = Load::Sink(size);
    let rates = |kind| figures.get(path, load, kind, Metric::MbPerS);
    let [Some(ours), Some(geth), Some(tcp)] = Kind::ALL.map(rates) else {
        return;
    };
    let limited = median(tcp) < PATH_IS_LIMIT * median(geth);
    let name = format!("{}, {}", path.title(), bytes(size));
    let to_geth = median(ours) / median(geth);
    match (size < 32 << 10, limited) {
        (true, true) => {}
        (true, false) => goals.add(
            format!("{name}: at least 1.3 × go-ethereum"),
            format!("{to_geth:.2}"),
            to_geth >= 1.3,
        ),
        (false, false) => goals.add(
            format!("{name}: at least go-ethereum"),
            format!("{to_geth:.2}"),
            to_geth >= 1.0,
        ),
        (false, true) => {
            let best = ours.iter().copied().fold(0.0, f64::max);
            let least = geth.iter().copied().fold(f64::INFINITY, f64::min);
            goals.add(
                format!("{name}: at least 0.97 × go-ethereum, or within the spread, as the path is the limit"),
                format!("{to_geth:.2}"),
                to_geth >= 0.97 || best >= least,
            );
        }
    }
    let idle = figures.median(path, load, Kind::Peermux, Metric::Idle);
    if let Some(idle) = idle.filter(|idle| size >= 32 << 10 && *idle >= IDLE) {
        let to_tcp = median(ours) / median(tcp);
        goals.add(
            format!("{name}: at least 0.9 × plain TCP, as processors have time"),
            format!("{to_tcp:.2}, {:.0} % idle", idle * 100.0),
            to_tcp >= 0.9,
        );
    }
}

fn beside(figures: &Figures, path: Path, size: usize, goals: &mut Goals) {
    let value = |metric| figures.median(path, Load::Beside(size), Kind::Peermux, metric);
    let (Some(same), Some(second)) = (value(Metric::P50Ms), value(Metric::SecondP50Ms)) else {
        return;
    };
    let name = format!("{}, echo beside {}", path.title(), bytes(size));
    let (message, words) = if size > 32 << 10 {
        (path.time_of(size).as_secs_f64() * 1e3, " and one message")
    } else {
        (0.0, "")
    };
    let bound = 1.5 * second + message;
    goals.add(
        format!("{name}: p50 at most 1.5 × that of a second connection{words}, {bound:.0} ms"),
        format!("{same:.0} ms"),
        same <= bound,
    );
}
