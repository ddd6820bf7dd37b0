use std::fmt;

use super::Label;

/// The description of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricInfo {
    name: &'static str,
    kind: Kind,
    unit: Unit,
    labels: &'static [Label],
    help: &'static str,
}

/// The kind of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number that only grows while the process lives.
    Counter,
    /// A number that goes up and down.
    Gauge,
    /// Values in buckets or as quantiles, as the recorder decides.
    Histogram,
}

/// The unit of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// None: a number of things.
    Count,
    /// Bytes.
    Bytes,
    /// Seconds.
    Seconds,
}

impl MetricInfo {
    pub(super) const fn new(
        name: &'static str,
        kind: Kind,
        unit: Unit,
        labels: &'static [Label],
        help: &'static str,
    ) -> Self {
        Self {
            name,
            kind,
            unit,
            labels,
            help,
        }
    }

    /// The name, with the suffixes that Prometheus recommends.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The unit.
    #[must_use]
    pub const fn unit(&self) -> Unit {
        self.unit
    }

    /// The labels, without `node`, which is added if the server has a label.
    #[must_use]
    pub const fn labels(&self) -> &'static [Label] {
        self.labels
    }

    /// The help: one sentence about what it counts.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        self.help
    }

    /// Hands it to the recorder.
    pub(super) fn describe(&self) {
        let unit = match self.unit {
            Unit::Count => ::metrics::Unit::Count,
            Unit::Bytes => ::metrics::Unit::Bytes,
            Unit::Seconds => ::metrics::Unit::Seconds,
        };
        match self.kind {
            Kind::Counter => ::metrics::describe_counter!(self.name, unit, self.help),
            Kind::Gauge => ::metrics::describe_gauge!(self.name, unit, self.help),
            Kind::Histogram => ::metrics::describe_histogram!(self.name, unit, self.help),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        })
    }
}
