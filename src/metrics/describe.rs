//! Access to the table of metrics, for programs and recorders.

use super::MetricInfo;
use super::table::ALL;

/// Returns all metrics of the library.
#[must_use]
pub fn all() -> &'static [MetricInfo] {
    ALL
}

/// Passes the names, units and help of all metrics to the recorder.
///
/// Each server does this when it starts.
pub fn describe() {
    ALL.iter().for_each(MetricInfo::describe);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::metrics::table::PEER_REASONS;
    use crate::metrics::{Kind, Label, Unit};
    use crate::p2p::DisconnectReason;

    #[test]
    fn names_follow_the_conventions_of_prometheus() {
        let mut seen = BTreeSet::new();
        for metric in all() {
            let name = metric.name();
            assert!(seen.insert(name), "{name} occurs twice");
            assert!(name.starts_with("peermux_"), "{name}");
            let letters = |c: char| c.is_ascii_lowercase() || c == '_';
            assert!(name.chars().all(letters), "{name}");
            let is_total = name.ends_with("_total");
            assert_eq!(is_total, metric.kind() == Kind::Counter, "{name}");
            let base = name.trim_end_matches("_total");
            assert_eq!(
                base.ends_with("_seconds"),
                metric.unit() == Unit::Seconds,
                "{name}"
            );
            assert_eq!(
                base.ends_with("_bytes"),
                metric.unit() == Unit::Bytes,
                "{name}"
            );
            assert!(metric.help().ends_with('.'), "{name}: {}", metric.help());
        }
    }

    #[test]
    fn labels_differ_and_so_do_their_values() {
        for metric in all() {
            let names: BTreeSet<_> = metric.labels().iter().map(Label::name).collect();
            assert_eq!(names.len(), metric.labels().len(), "{}", metric.name());
            for label in metric.labels() {
                let values = label.values().unwrap_or_default();
                let distinct: BTreeSet<_> = values.iter().collect();
                assert_eq!(distinct.len(), values.len(), "{}", metric.name());
            }
        }
    }

    #[test]
    fn the_reasons_match_those_of_a_disconnect() {
        let named = DisconnectReason::NAMED.iter().map(|reason| reason.label());
        let others = [DisconnectReason(0x42).label(), "none".to_owned()];
        let all: Vec<_> = named.chain(others).collect();
        assert_eq!(all, PEER_REASONS);
    }
}
