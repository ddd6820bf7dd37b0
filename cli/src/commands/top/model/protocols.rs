//! Sums the traffic of each protocol over all peers.

use std::collections::BTreeMap;

use super::rates::{Rate, Row};

/// A protocol, summed over all peers that speak it.
#[derive(Debug, Default)]
pub(crate) struct ProtocolRow {
    pub(crate) name: String,
    /// The versions that run with any peer, ascending.
    pub(crate) versions: Vec<u64>,
    pub(crate) peers: usize,
    pub(crate) rate: Rate,
    /// The number of dropped messages of the peers that are still connected.
    pub(crate) dropped: u64,
    pub(crate) waiting_bytes: u64,
    pub(crate) unread_bytes: u64,
    pub(crate) pauses: u64,
    /// The 99th percentile of the slowest peer's waits at the write gate, in microseconds.
    pub(crate) gate_wait: Option<u64>,
}

/// Returns the offered and the running protocols, by name.
pub(super) fn of<'a>(offered: impl Iterator<Item = &'a String>, rows: &[Row]) -> Vec<ProtocolRow> {
    let mut all: BTreeMap<&str, ProtocolRow> = BTreeMap::new();
    for name in offered {
        all.entry(name).or_default();
    }
    for row in rows {
        for ((name, lane), rate) in row.info.protocols.iter().zip(&row.lanes) {
            let sum = all.entry(name).or_default();
            if let Err(place) = sum.versions.binary_search(&lane.version) {
                sum.versions.insert(place, lane.version);
            }
            sum.peers += 1;
            sum.rate += rate.unwrap_or_default();
            sum.dropped = sum.dropped.saturating_add(lane.dropped);
            sum.waiting_bytes += lane.waiting_bytes as u64;
            sum.unread_bytes += lane.unread_bytes as u64;
            sum.pauses = sum.pauses.saturating_add(lane.pauses);
            sum.gate_wait = sum.gate_wait.max(lane.gate_wait_p99_us);
        }
    }
    let named = all.into_iter().map(|(name, sum)| ProtocolRow {
        name: name.to_owned(),
        ..sum
    });
    named.collect()
}
