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
    /// The longest connected first
    Age,
    /// Those that send most now first
    In,
    /// Those that are sent most now first
    Out,
    /// Those for which most waits first
    Queue,
    /// Those whose protocols paused reading most often first
    Stalls,
    /// The slowest first
    P50,
    /// The slowest first, by the round trip that 99 % do not exceed
    P99,
    /// Those with the most points for misbehaviour first
    Score,
}

impl Sort {
    /// The next one, and the first after the last.
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

    /// Compares two rows; of equal ones the order of their ids counts.
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
