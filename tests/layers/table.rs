//! The table of layers in ARCHITECTURE.md.

use std::collections::{BTreeMap, BTreeSet};

/// What each layer may use.
pub(crate) struct Table(BTreeMap<String, BTreeSet<String>>);

impl Table {
    /// Reads the rows between `<!-- layers -->` and `<!-- /layers -->`. A row lists layers, then
    /// the layers that they may use. The layers of all other rows may use those of the last row.
    pub(crate) fn parse(text: &str) -> Self {
        let (_, rest) = text
            .split_once("<!-- layers -->")
            .expect("the table begins");
        let (rows, _) = rest.split_once("<!-- /layers -->").expect("the table ends");
        let rows: Vec<_> = rows
            .lines()
            .filter(|row| row.starts_with("| `"))
            .map(cells)
            .collect();
        let (tools, _) = rows.last().cloned().expect("a row");
        let mut table = BTreeMap::new();
        for (layers, mut uses) in rows {
            if layers != tools {
                uses.extend(tools.iter().cloned());
            }
            for layer in layers {
                let twice = table.insert(layer.clone(), uses.iter().cloned().collect());
                assert!(twice.is_none(), "`{layer}` is listed twice");
            }
        }
        let table = Self(table);
        for (layer, uses) in &table.0 {
            for used in uses {
                assert!(
                    table.has(used),
                    "`{layer}` may use `{used}`, which is not a layer"
                );
            }
        }
        table
    }

    pub(crate) fn layers(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(crate) fn has(&self, layer: &str) -> bool {
        self.0.contains_key(layer)
    }

    pub(crate) fn allows(&self, layer: &str, target: &str) -> bool {
        layer == target || self.0.get(layer).is_some_and(|uses| uses.contains(target))
    }

    /// Returns whether `from` uses `to`, directly or through other layers.
    pub(crate) fn reaches(&self, from: &str, to: &str) -> bool {
        let mut seen = BTreeSet::new();
        let mut next = vec![from];
        while let Some(layer) = next.pop() {
            for used in self.0.get(layer).into_iter().flatten() {
                if used == to {
                    return true;
                }
                if seen.insert(used) {
                    next.push(used);
                }
            }
        }
        false
    }
}

/// Returns the layers of a row, and what they may use.
fn cells(row: &str) -> (Vec<String>, Vec<String>) {
    let mut cells = row.split('|').skip(1).map(names);
    (
        cells.next().unwrap_or_default(),
        cells.next().unwrap_or_default(),
    )
}

/// Returns the names that are in backticks in a cell.
fn names(cell: &str) -> Vec<String> {
    cell.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}
