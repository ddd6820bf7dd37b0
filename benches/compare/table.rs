//! The figures as Markdown.

use crate::figures::{Figure, Figures, Section};
use crate::kind::Kind;
use crate::machine;

/// Returns one table per section.
///
/// Each table contains a row for each load, a column for each pair, and ratios to ours.
pub(crate) fn table(figures: &Figures) -> String {
    let sections = Section::ALL.into_iter().filter_map(|section| {
        let cells = figures.section(section);
        (!cells.is_empty()).then(|| format!("\n### {}\n\n{}", section.title(), rows(&cells)))
    });
    let machine = machine::description();
    let sections: String = sections.collect();
    format!("{machine}, two processes over loopback TCP. Medians (least–most).\n{sections}")
}

fn rows(cells: &[&Figure]) -> String {
    let columns = distinct(cells.iter().map(|cell| cell.column.as_str()));
    let rows = distinct(cells.iter().map(|cell| (cell.row.as_str(), cell.unit)));
    let (ours, theirs) = (Kind::Peermux.name(), Kind::Geth.name());
    let mut head = vec![String::new(), "unit".to_owned()];
    head.extend(columns.iter().map(ToString::to_string));
    head.push(format!("{ours} / {theirs}"));
    let rule = vec!["---".to_owned(); head.len()];
    let body = rows.into_iter().map(|(row, unit)| {
        let cell = |column: &str| {
            let mut cells = cells.iter().copied();
            cells.find(|cell| {
                (cell.row.as_str(), cell.unit, cell.column.as_str()) == (row, unit, column)
            })
        };
        let median = |column| cell(column).map(|cell| cell.summary().median);
        let ratio = median(ours)
            .zip(median(theirs))
            .map(|(ours, theirs)| ours / theirs);
        let mut words = vec![row.to_owned(), unit.name().to_owned()];
        words.extend(
            columns
                .iter()
                .map(|column| cell(column).map_or_else(String::new, show)),
        );
        words.push(ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}")));
        line(&words)
    });
    [line(&head), line(&rule)].into_iter().chain(body).collect()
}

fn line(words: &[String]) -> String {
    format!("| {} |\n", words.join(" | "))
}

fn show(figure: &Figure) -> String {
    let summary = figure.summary();
    let [median, min, max] = [summary.median, summary.min, summary.max].map(number);
    format!("{median} ({min}–{max})")
}

/// Formats at least three digits, with commas between thousands.
fn number(value: f64) -> String {
    match value {
        _ if value < 10.0 => format!("{value:.2}"),
        _ if value < 100.0 => format!("{value:.1}"),
        _ => {
            let digits = format!("{value:.0}");
            let mut grouped = String::new();
            for (index, digit) in digits.chars().enumerate() {
                if index > 0 && (digits.len() - index) % 3 == 0 {
                    grouped.push(',');
                }
                grouped.push(digit);
            }
            grouped
        }
    }
}

/// Returns each value once, in the order of first appearance.
fn distinct<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = Vec::new();
    for one in all {
        if !seen.contains(&one) {
            seen.push(one);
        }
    }
    seen
}
