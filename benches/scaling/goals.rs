//! What is to be reached, and what was.

use std::fmt;

#[derive(Debug, Default)]
pub(crate) struct Goals(Vec<Goal>);

#[derive(Debug)]
struct Goal {
    what: String,
    figure: String,
    met: bool,
}

impl Goals {
    pub(crate) fn add(&mut self, what: impl Into<String>, figure: String, met: bool) {
        self.0.push(Goal {
            what: what.into(),
            figure,
            met,
        });
    }
}

impl fmt::Display for Goals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n| goal | reached | |\n| --- | --- | --- |")?;
        for Goal { what, figure, met } in &self.0 {
            let met = if *met { "met" } else { "not met" };
            writeln!(f, "| {what} | {figure} | {met} |")?;
        }
        Ok(())
    }
}

/// The middle one, or the mean of both.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() % 2 {
        0 => (sorted[middle - 1] + sorted[middle]) / 2.0,
        _ => sorted[middle],
    }
}

/// Median, least and most.
pub(crate) fn spread(values: &[f64]) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(0.0, f64::max);
    format!("{:.2} ({least:.2}–{most:.2})", median(values))
}
