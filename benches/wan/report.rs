//! The figures as Markdown and as JSON.

use std::error::Error;
use std::fmt::Write;

use serde_json::{Value, json};

use crate::figures::{Figures, Metric};
use crate::goals::{Goals, median, spread};
use crate::grid::Conditions;
use crate::kind::Kind;
use crate::load::{CONCURRENCY, ECHO, Load, bytes};
use crate::machine::{self, Machine};
use crate::options::Options;
use crate::path::Path;
use crate::scene::Settings;

pub(crate) fn markdown(
    options: &Options,
    figures: &Figures,
    conditions: &Conditions,
    goals: &Goals,
) -> String {
    let mut text = format!(
        "{}, {} interleaved repetitions. Medians (least–most).\n",
        machine::description(),
        options.repetitions(),
    );
    if let Some(settings) = &conditions.settings {
        let Settings {
            congestion,
            available,
            receive_buffers,
            send_buffers,
        } = settings;
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "Congestion control: {congestion} (there are {available}). Buffers in bytes, least, default, most: \
             tcp_rmem {receive_buffers}, tcp_wmem {send_buffers}. Nothing that one connection learned is kept for the next; \
             nobody warms up."
        );
    }
    if !conditions.others.is_empty() {
        let percent: Vec<f64> = conditions.others.iter().map(|part| part * 100.0).collect();
        let _ = writeln!(
            text,
            "Other programs used {} % of the busier processor before the measurements on each path.",
            spread(&percent)
        );
    }
    let rows = figures.rows();
    let of = |wanted: fn(&Load) -> bool| rows.iter().copied().filter(move |(_, load)| wanted(load));
    let sink = of(|load| matches!(load, Load::Sink(_)));
    let echo = of(|load| matches!(load, Load::Echo));
    let beside = of(|load| matches!(load, Load::Beside(_)));
    let connect = of(|load| matches!(load, Load::Connect));
    text += &table(
        "Throughput, MB/s, the dialler sends",
        "path | messages | peermux | go-ethereum | plain TCP | : go-ethereum | : plain TCP | the busier processor idle, % of each",
        sink.map(|(path, load)| throughput(figures, path, load)),
    );
    text += &table(
        &format!("Round trips of {ECHO} B, ms"),
        "path | peermux, p50 | go-ethereum, p50 | peermux, p99 | go-ethereum, p99",
        echo.map(|(path, load)| round_trips(figures, path, load)),
    );
    text += &table(
        &format!("Round trips of {ECHO} B beside bulk messages of another protocol, ms"),
        "path | beside | p50 | p50 on a second connection | ratio | p99 | p99 on a second connection | bulk, MB/s",
        beside.map(|(path, load)| beside_bulk(figures, path, load)),
    );
    text += &table(
        &format!(
            "Full connects a second, {CONCURRENCY} at once (ours also wait until the other end has closed)"
        ),
        "path | peermux | go-ethereum | : go-ethereum",
        connect.map(|(path, load)| connects(figures, path, load)),
    );
    let _ = write!(text, "{goals}");
    text
}

fn table(title: &str, head: &str, rows: impl Iterator<Item = Vec<String>>) -> String {
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return String::new();
    }
    let rule = vec!["---"; head.split(" | ").count()].join(" | ");
    let mut text = format!("\n### {title}\n\n| {head} |\n| {rule} |\n");
    for row in rows {
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    text
}

fn throughput(figures: &Figures, path: Path, load: Load) -> Vec<String> {
    let rates = Kind::ALL.map(|kind| figures.get(path, load, kind, Metric::MbPerS));
    let [ours, geth, tcp] = rates;
    let size = match load {
        Load::Sink(size) => bytes(size),
        _ => String::new(),
    };
    let idle = Kind::ALL.map(|kind| {
        let idle = figures.median(path, load, kind, Metric::Idle);
        idle.map_or("–".to_owned(), |idle| format!("{:.0}", idle * 100.0))
    });
    let mut row = vec![path.title(), size];
    row.extend(rates.map(show));
    row.extend([ratio(ours, geth), ratio(ours, tcp), idle.join(" / ")]);
    row
}

fn round_trips(figures: &Figures, path: Path, load: Load) -> Vec<String> {
    let mut row = vec![path.title()];
    for metric in [Metric::P50Ms, Metric::P99Ms] {
        row.extend(
            [Kind::Peermux, Kind::Geth].map(|kind| show(figures.get(path, load, kind, metric))),
        );
    }
    row
}

fn beside_bulk(figures: &Figures, path: Path, load: Load) -> Vec<String> {
    let get = |metric| figures.get(path, load, Kind::Peermux, metric);
    let size = match load {
        Load::Beside(size) => bytes(size),
        _ => String::new(),
    };
    let (same, second) = (get(Metric::P50Ms), get(Metric::SecondP50Ms));
    vec![
        path.title(),
        size,
        show(same),
        show(second),
        ratio(same, second),
        show(get(Metric::P99Ms)),
        show(get(Metric::SecondP99Ms)),
        show(get(Metric::BulkMbPerS)),
    ]
}

fn connects(figures: &Figures, path: Path, load: Load) -> Vec<String> {
    let [ours, geth] =
        [Kind::Peermux, Kind::Geth].map(|kind| figures.get(path, load, kind, Metric::ConnectsPerS));
    vec![path.title(), show(ours), show(geth), ratio(ours, geth)]
}

fn show(values: Option<&[f64]>) -> String {
    values.map_or_else(String::new, spread)
}

fn ratio(over: Option<&[f64]>, under: Option<&[f64]>) -> String {
    let both = over.zip(under);
    both.map_or_else(String::new, |(over, under)| {
        format!("{:.2}", median(over) / median(under))
    })
}

/// Writes the figures to the output folder.
pub(crate) fn write(
    options: &Options,
    figures: &Figures,
    conditions: &Conditions,
) -> Result<(), Box<dyn Error>> {
    let each = figures.iter().map(|figure| {
        json!({
            "path": figure.path.id(),
            "load": figure.load.id(),
            "kind": figure.kind,
            "metric": figure.metric,
            "median": median(&figure.values),
            "values": figure.values,
        })
    });
    let all = json!({
        "machine": Machine::this(),
        "conditions": conditions,
        "repetitions": options.repetitions(),
        "figures": each.collect::<Vec<Value>>(),
    });
    std::fs::create_dir_all(&options.output)?;
    let file = options.output.join("wan.json");
    std::fs::write(&file, serde_json::to_string_pretty(&all)?)?;
    eprintln!("wrote {}", file.display());
    Ok(())
}
