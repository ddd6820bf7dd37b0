//! The measured figures.

use serde::Serialize;

use crate::goals::median;
use crate::kind::Kind;
use crate::load::Load;
use crate::path::Path;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Metric {
    MbPerS,
    /// The idle share of the busier processor, from 0 to 1.
    Idle,
    P50Ms,
    P99Ms,
    SecondP50Ms,
    SecondP99Ms,
    BulkMbPerS,
    ConnectsPerS,
}

/// The values of all repetitions in order.
#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) path: Path,
    pub(crate) load: Load,
    pub(crate) kind: Kind,
    pub(crate) metric: Metric,
    pub(crate) values: Vec<f64>,
}

/// All figures, in the order of their first measurements.
#[derive(Debug, Default)]
pub(crate) struct Figures(Vec<Figure>);

impl Figures {
    pub(crate) fn add(&mut self, path: Path, load: Load, kind: Kind, metric: Metric, value: f64) {
        let key = (path, load, kind, metric);
        let mut all = self.0.iter_mut();
        match all.find(|one| (one.path, one.load, one.kind, one.metric) == key) {
            Some(figure) => figure.values.push(value),
            None => self.0.push(Figure {
                path,
                load,
                kind,
                metric,
                values: vec![value],
            }),
        }
    }

    /// Returns the values of one figure, at least one, or `None`.
    pub(crate) fn get(&self, path: Path, load: Load, kind: Kind, metric: Metric) -> Option<&[f64]> {
        let key = (path, load, kind, metric);
        let mut all = self.0.iter();
        let found = all.find(|one| (one.path, one.load, one.kind, one.metric) == key)?;
        Some(&found.values)
    }

    pub(crate) fn median(&self, path: Path, load: Load, kind: Kind, metric: Metric) -> Option<f64> {
        self.get(path, load, kind, metric).map(median)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Figure> {
        self.0.iter()
    }

    /// Returns the measured paths and loads, each once, with paths in list order.
    pub(crate) fn rows(&self) -> Vec<(Path, Load)> {
        let mut rows = Vec::new();
        for path in Path::all() {
            for load in Load::all() {
                if self.iter().any(|one| (one.path, one.load) == (path, load)) {
                    rows.push((path, load));
                }
            }
        }
        rows
    }
}
