//! The table of metrics in the guide.

use std::fmt::Write as _;

use peermux::metrics::{Label, Unit, all};

/// The chapter of the guide.
const CHAPTER: &str = include_str!("../../../docs/metrics.md");

fn label(label: &Label) -> String {
    let name = label.name();
    match label.values() {
        // There are too many values for a cell of the table; the chapter lists them separately.
        _ if matches!(name, "reason" | "cause" | "protocol") => format!("`{name}`"),
        Some(values) => {
            let values: Vec<_> = values.iter().map(|value| format!("`{value}`")).collect();
            format!("`{name}` ({})", values.join(", "))
        }
        None => format!("`{name}`"),
    }
}

#[test]
fn the_chapter_contains_the_table_of_all_metrics() {
    let mut table =
        String::from("| name | kind | unit | labels | what it is |\n|---|---|---|---|---|\n");
    for metric in all() {
        let labels: Vec<_> = metric.labels().iter().map(label).collect();
        let unit = match metric.unit() {
            Unit::Count => "",
            Unit::Bytes => "bytes",
            Unit::Seconds => "seconds",
        };
        let (name, kind, labels) = (metric.name(), metric.kind(), labels.join(", "));
        writeln!(
            table,
            "| `{name}` | {kind} | {unit} | {labels} | {} |",
            metric.help()
        )
        .unwrap();
    }
    assert!(
        CHAPTER.contains(&table),
        "the chapter should contain\n{table}"
    );
}

#[test]
fn the_chapter_lists_all_values_of_labels() {
    for metric in all() {
        for label in metric.labels() {
            for value in label.values().unwrap_or_default() {
                let quoted = format!("`{value}`");
                assert!(CHAPTER.contains(&quoted), "{} of {}", value, metric.name());
            }
        }
    }
}
