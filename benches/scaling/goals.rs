//! The goals and their results.

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

    /// Whether all goals are met.
    pub(crate) fn are_met(&self) -> bool {
        self.0.iter().all(|goal| goal.met)
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

/// Returns the median. For an even number of values, this is the mean of the middle two.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() % 2 {
        0 => (sorted[middle - 1] + sorted[middle]) / 2.0,
        _ => sorted[middle],
    }
}

/// Formats median, minimum and maximum.
pub(crate) fn spread(values: &[f64]) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(0.0, f64::max);
    format!("{:.2} ({least:.2}–{most:.2})", median(values))
}

/// Prints a table of round trip times in microseconds under two conditions. The rows are results of
/// [`round_trips`](crate::load::round_trips). Returns the median of p99 for each condition.
pub(crate) fn compare(what: &str, conditions: [&str; 2], told: &[Vec<Vec<f64>>; 2]) -> [f64; 2] {
    let [first, second] = conditions;
    println!("\n| {what}, µs | {first} | {second} | ratio |\n| --- | --- | --- | --- |");
    let column = |at: usize| {
        told.each_ref()
            .map(|rows| rows.iter().map(|row| row[at]).collect())
    };
    for (at, part) in ["p50", "p99", "p99.9"].into_iter().enumerate() {
        let [first, second]: [Vec<f64>; 2] = column(at);
        let ratio = median(&second) / median(&first);
        println!(
            "| {part} | {} | {} | {ratio:.2} |",
            spread(&first),
            spread(&second)
        );
    }
    column(1).map(|p99s: Vec<f64>| median(&p99s))
}
