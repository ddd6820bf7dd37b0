//! The queries for Prometheus in the dashboard and in the guide.

use std::collections::BTreeSet;

use serde_json::Value;

const DASHBOARD: &str = include_str!("../../contrib/grafana/peermux.json");

/// The chapters that contain queries.
const CHAPTERS: [&str; 2] = [
    include_str!("../../docs/metrics.md"),
    include_str!("../../docs/operating.md"),
];

/// Returns all queries of the dashboard, for every instance and the last minute.
pub(crate) fn dashboard() -> BTreeSet<String> {
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels").iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().expect("targets"));
    let queries = targets.map(|target| target["expr"].as_str().expect("a query"));
    queries
        .map(|query| {
            let query = query.replace("$instance", ".*");
            query.replace("$__rate_interval", "1m")
        })
        .collect()
}

/// Returns all queries of the guide.
///
/// These are the lines of blocks of PromQL, the quoted arguments of `promtool query`, and calls of
/// functions on metrics within sentences.
pub(crate) fn guide() -> BTreeSet<String> {
    let mut queries = BTreeSet::new();
    for chapter in CHAPTERS {
        let mut block = None;
        for line in chapter.lines() {
            match (block, line.strip_prefix("```")) {
                (None, Some(language)) => block = Some(language),
                (Some(_), Some(_)) => block = None,
                (Some("promql"), None) => add(&mut queries, line),
                (Some(_), None) if line.starts_with("promtool query") => {
                    add(
                        &mut queries,
                        line.split('\'').nth(1).expect("a quoted query"),
                    );
                }
                (Some(_), None) => {}
                (None, None) => {
                    let code = line.split('`').skip(1).step_by(2);
                    let is_query = |code: &&str| code.contains("(peermux_");
                    code.filter(is_query)
                        .for_each(|code| add(&mut queries, code));
                }
            }
        }
        assert_eq!(block, None, "a block that does not end");
    }
    queries
}

fn add(queries: &mut BTreeSet<String>, query: &str) {
    queries.insert(query.to_owned());
}
