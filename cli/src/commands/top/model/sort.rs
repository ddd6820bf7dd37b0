//! The order of the peers.

use std::cmp::{Ordering, Reverse};

use clap::ValueEnum;

use super::rates::{Rate, Row};
use crate::round_trip::RoundTrip;

/// The column that sorts the peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sort {
    Id,
    Client,
    /// Longest connected first
    Age,
    /// Highest rate of received bytes first
    In,
    /// Highest rate of sent bytes first
    Out,
    /// Longest queues first
    Queue,
    /// Most pauses of reading first
    Stalls,
    /// Slowest median round trip first
    P50,
    /// Slowest round trip at the 99th percentile first
    P99,
    /// Most points for misbehaviour first
    Score,
}

impl Sort {
    /// Returns the next column. After the last column comes the first.
    pub(super) fn next(self) -> Self {
        let all = Self::value_variants();
        let mut rest = all.iter().skip_while(|one| **one != self).skip(1);
        rest.next().copied().unwrap_or(Self::Id)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Client => "client",
            Self::Age => "age",
            Self::In => "in",
            Self::Out => "out",
            Self::Queue => "queue",
            Self::Stalls => "stalls",
            Self::P50 => "p50",
            Self::P99 => "p99",
            Self::Score => "score",
        }
    }

    /// Compares two rows. Equal rows keep the order of their ids.
    pub(super) fn compare(self, one: &Row, other: &Row) -> Ordering {
        let most = |of: fn(&Row) -> u64| of(other).cmp(&of(one));
        let fastest = |of: fn(&Rate) -> f64| {
            let rate = |row: &Row| row.rate.as_ref().map_or(-1.0, of);
            rate(other).total_cmp(&rate(one))
        };
        let slowest = |of: fn(&Row) -> Option<u64>| Reverse(of(one)).cmp(&Reverse(of(other)));
        let order = match self {
            Self::Id => Ordering::Equal,
            Self::Client => one.info.client.cmp(&other.info.client),
            Self::Age => most(|row| row.info.connected_ms),
            Self::In => fastest(|rate| rate.received_bytes),
            Self::Out => fastest(|rate| rate.sent_bytes),
            Self::Queue => most(|row| row.queues().iter().sum()),
            Self::Stalls => most(Row::pauses),
            Self::P50 => slowest(|row| RoundTrip::of(&row.info).micros()),
            Self::P99 => slowest(|row| row.info.rtt_p99_us),
            Self::Score => most(|row| row.info.score.into()),
        };
        order.then_with(|| one.info.node_id.cmp(&other.info.node_id))
    }
}
