//! The facade of the crate `metrics`.

pub(crate) use ::metrics::{Counter, Gauge, Histogram, SharedString};
use ::metrics::{Label, counter, gauge, histogram};

/// A handle on one time series.
pub(crate) trait Handle: Sized {
    /// Returns the handle on the series with this name and these labels.
    fn register(
        name: &'static str,
        labels: impl Iterator<Item = (&'static str, SharedString)>,
    ) -> Self;
}

fn collected(labels: impl Iterator<Item = (&'static str, SharedString)>) -> Vec<Label> {
    labels
        .map(|(name, value)| Label::new(name, value))
        .collect()
}

impl Handle for Counter {
    fn register(
        name: &'static str,
        labels: impl Iterator<Item = (&'static str, SharedString)>,
    ) -> Self {
        counter!(name, collected(labels))
    }
}

impl Handle for Gauge {
    fn register(
        name: &'static str,
        labels: impl Iterator<Item = (&'static str, SharedString)>,
    ) -> Self {
        gauge!(name, collected(labels))
    }
}

impl Handle for Histogram {
    fn register(
        name: &'static str,
        labels: impl Iterator<Item = (&'static str, SharedString)>,
    ) -> Self {
        histogram!(name, collected(labels))
    }
}
