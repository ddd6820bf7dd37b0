//! Metrics of a node, through the facade of the crate [`metrics`](https://docs.rs/metrics).
//!
//! A program installs a recorder, such as that of `metrics-exporter-prometheus`, before it starts
//! its first server. Without a recorder, counting costs almost nothing and has no effect.
//!
//! [`all`] lists each metric with its kind, unit, labels and help. [`describe`] passes the help to
//! the recorder; each server calls this function when it starts. The chapter
//! [`guide::metrics`](crate::guide::metrics) shows the same table and the questions that the
//! metrics answer.
//!
//! Labels have values from closed sets, or names that this node's program chooses, such as those of
//! its protocols, so a remote cannot add a time series. If several servers run in one process,
//! [`ServerBuilder::metrics_label`](crate::ServerBuilder::metrics_label) distinguishes their
//! series.

#[cfg(feature = "metrics")]
mod describe;
#[cfg(feature = "metrics")]
mod facade;
#[cfg(not(feature = "metrics"))]
#[path = "silent.rs"]
mod facade;
mod family;
#[cfg(feature = "metrics")]
mod info;
#[cfg_attr(
    not(feature = "metrics"),
    allow(
        dead_code,
        unreachable_pub,
        reason = "part of the public interface only with that feature"
    )
)]
mod label;
mod level;
pub(crate) mod table;

#[cfg(feature = "metrics")]
pub use describe::{all, describe};
#[cfg(feature = "metrics")]
pub use info::{Kind, MetricInfo, Unit};
#[cfg(feature = "metrics")]
pub use label::Label;

pub(crate) use facade::{Counter, Gauge, Histogram, SharedString};
pub(crate) use family::NodeLabel;
#[cfg(not(feature = "metrics"))]
use label::Label;
pub(crate) use level::Level;
