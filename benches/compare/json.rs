//! The figures as JSON.

use serde::Serialize;

use crate::figures::{Figure, Figures, Summary};
use crate::machine::Machine;
use crate::options::Options;

#[derive(Serialize)]
struct Report<'a> {
    machine: Machine,
    repetitions: usize,
    seconds_each: f64,
    figures: Vec<Cell<'a>>,
}

#[derive(Serialize)]
struct Cell<'a> {
    #[serde(flatten)]
    figure: &'a Figure,
    #[serde(flatten)]
    summary: Summary,
}

pub(crate) fn json(options: &Options, figures: &Figures) -> String {
    let cell = |figure| Cell {
        figure,
        summary: Figure::summary(figure),
    };
    let report = Report {
        machine: Machine::this(),
        repetitions: options.repetitions(),
        seconds_each: options.target().as_secs_f64(),
        figures: figures.iter().map(cell).collect(),
    };
    serde_json::to_string_pretty(&report).expect("numbers and strings with string keys")
}
