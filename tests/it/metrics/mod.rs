//! Counters and gauges through the `metrics` facade.

mod connections;
mod documentation;
mod gauges;
mod messages;

use std::collections::BTreeMap;
use std::time::Duration;

use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use metrics_util::{CompositeKey, MetricKind};
use peermux::metrics::{Kind, all};
use peermux::{Protocol, SecretKey, Server, ServerBuilder};

const SECOND: Duration = Duration::from_secs(1);

/// Returns the values of all series by `name{label=value,…}`. The labels are in the order of the
/// series. The value of a histogram is its number of observations. Each series must be in the table
/// of metrics, so no remote can create others.
pub(crate) fn values(snapshotter: &Snapshotter) -> BTreeMap<String, f64> {
    let snapshot = snapshotter.snapshot().into_vec().into_iter();
    snapshot
        .map(|(key, _, help, value)| {
            check(&key);
            if let Some(help) = help {
                let described = all().iter().any(|metric| metric.help() == &*help);
                assert!(described, "{help}");
            }
            let labels: Vec<_> = key
                .key()
                .labels()
                .map(|label| format!("{}={}", label.key(), label.value()))
                .collect();
            let value = match value {
                DebugValue::Counter(count) => count as f64,
                DebugValue::Gauge(level) => level.into_inner(),
                DebugValue::Histogram(values) => values.len() as f64,
            };
            (
                format!("{}{{{}}}", key.key().name(), labels.join(",")),
                value,
            )
        })
        .collect()
}

/// Fails for a series that is not in the table of metrics.
fn check(key: &CompositeKey) {
    let (kind, key) = (key.kind(), key.key());
    let metric = all().iter().find(|metric| metric.name() == key.name());
    let metric = metric.unwrap_or_else(|| panic!("{key} is not in the table"));
    let documented = match metric.kind() {
        Kind::Counter => MetricKind::Counter,
        Kind::Gauge => MetricKind::Gauge,
        Kind::Histogram => MetricKind::Histogram,
    };
    assert_eq!(kind, documented, "{key}");
    let labels: Vec<_> = key.labels().filter(|label| label.key() != "node").collect();
    assert_eq!(labels.len(), metric.labels().len(), "{key}");
    for (label, documented) in labels.iter().zip(metric.labels()) {
        assert_eq!(label.key(), documented.name(), "{key}");
        if let Some(values) = documented.values() {
            assert!(values.contains(&label.value()), "{key}");
        }
    }
}

/// Returns a protocol that does nothing until the connection ends.
fn idle() -> Protocol {
    Protocol::builder("idle", 1, 1).run(|peer, _conn| async move {
        peer.ending().await;
        Ok(())
    })
}

fn node() -> ServerBuilder {
    Server::builder(SecretKey::generate()).protocol(idle())
}

/// Runs a test on its own clock and with its own recorder.
fn counted(test: impl Future<Output = ()>) -> Snapshotter {
    observed(async |_| test.await)
}

/// As [`counted`], for a test that also reads the metrics while it runs.
fn observed(test: impl AsyncFnOnce(&Snapshotter)) -> Snapshotter {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    metrics::with_local_recorder(&recorder, || runtime.block_on(test(&snapshotter)));
    snapshotter
}
