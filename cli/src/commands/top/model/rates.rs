//! Computes rates from two successive descriptions of a peer.

use std::collections::HashMap;
use std::ops::AddAssign;

use peermux::NodeId;
use peermux::peer::{LaneInfo, PeerInfo};

/// The minimum time between two descriptions for a new rate, in seconds. If the time is shorter, the
/// previous rate stays.
const SHORTEST: f64 = 0.1;

/// The traffic per second of a peer or a protocol.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Rate {
    pub(crate) received: f64,
    pub(crate) received_bytes: f64,
    pub(crate) sent: f64,
    pub(crate) sent_bytes: f64,
    pub(crate) dropped: f64,
    /// The share of the time in which reading paused, from 0 to 1.
    pub(crate) paused: f64,
}

impl AddAssign for Rate {
    fn add_assign(&mut self, other: Self) {
        self.received += other.received;
        self.received_bytes += other.received_bytes;
        self.sent += other.sent;
        self.sent_bytes += other.sent_bytes;
        self.dropped += other.dropped;
        self.paused += other.paused;
    }
}

/// A peer with its rates, if known.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) info: PeerInfo,
    /// The rate of all protocols together; `None` before the second description of the connection.
    pub(crate) rate: Option<Rate>,
    /// The rate of each protocol, in the order of `info`.
    pub(crate) lanes: Vec<Option<Rate>>,
}

impl Row {
    /// Makes the row of a peer from its previous row.
    fn new(info: PeerInfo, before: Option<&Row>) -> Self {
        // If the connection is younger than before, it is a new connection.
        let passed = before
            .and_then(|before| info.connected_ms.checked_sub(before.info.connected_ms))
            .map(|millis| millis as f64 / 1e3);
        let Some((seconds, before)) = passed.zip(before) else {
            let lanes = vec![None; info.protocols.len()];
            return Self {
                info,
                rate: None,
                lanes,
            };
        };
        if seconds < SHORTEST {
            let (rate, lanes) = (before.rate, before.lanes.clone());
            return Self { info, rate, lanes };
        }
        let lane = |(name, lane): (&String, &LaneInfo)| {
            let before = before.info.protocols.get(name)?;
            Some(between(before, lane, seconds))
        };
        let lanes: Vec<_> = info.protocols.iter().map(lane).collect();
        let mut rate = Rate::default();
        for lane in lanes.iter().flatten() {
            rate += *lane;
        }
        Self {
            info,
            rate: Some(rate),
            lanes,
        }
    }

    /// Returns how many bytes wait to be sent, and how many wait to be read.
    pub(crate) fn queues(&self) -> [u64; 2] {
        let sum = |of: fn(&LaneInfo) -> usize| {
            let lanes = self.info.protocols.values();
            lanes.map(|lane| of(lane) as u64).sum()
        };
        [
            sum(|lane| lane.waiting_bytes),
            sum(|lane| lane.unread_bytes),
        ]
    }

    /// Returns how often reading has paused since the peer connected.
    pub(crate) fn pauses(&self) -> u64 {
        self.info.protocols.values().map(|lane| lane.pauses).sum()
    }
}

fn between(before: &LaneInfo, now: &LaneInfo, seconds: f64) -> Rate {
    let each = |of: fn(&LaneInfo) -> u64| of(now).saturating_sub(of(before)) as f64 / seconds;
    Rate {
        received: each(|lane| lane.received),
        received_bytes: each(|lane| lane.received_bytes),
        sent: each(|lane| lane.sent),
        sent_bytes: each(|lane| lane.sent_bytes),
        dropped: each(|lane| lane.dropped),
        paused: (each(|lane| lane.paused_ms) / 1e3).min(1.0),
    }
}

/// Makes the rows of the peers from their previous rows.
pub(super) fn rows(peers: Vec<PeerInfo>, before: &[Row]) -> Vec<Row> {
    let before: HashMap<NodeId, &Row> = before.iter().map(|row| (row.info.node_id, row)).collect();
    let row = |peer: PeerInfo| {
        let before = before.get(&peer.node_id).copied();
        Row::new(peer, before)
    };
    peers.into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::super::samples::Peer;
    use super::*;

    fn rate_of(rows: &[Row]) -> Option<Rate> {
        rows[0].rate
    }

    #[test]
    fn rates_are_what_passed_in_the_time_of_the_connection() {
        let first = Peer::new(1).aged(1_000).passed("echo", 10, 5);
        let rows_before = rows(vec![first.info()], &[]);
        assert_eq!(
            rate_of(&rows_before),
            None,
            "there is no previous description"
        );

        let later = Peer::new(1).aged(3_000).passed("echo", 30, 6);
        let now = rows(vec![later.info()], &rows_before);
        let rate = rate_of(&now).expect("a second description");
        assert_eq!((rate.received, rate.sent), (10.0, 0.5));
        assert_eq!(rate.received_bytes, 10_000.0);
        assert_eq!(now[0].lanes, [Some(rate)]);

        let again = rows(vec![later.info()], &now);
        assert_eq!(rate_of(&again), Some(rate), "at the same moment");
        let soon = Peer::new(1).aged(3_099).passed("echo", 99, 99);
        assert_eq!(rate_of(&rows(vec![soon.info()], &now)), Some(rate));
    }

    #[test]
    fn another_connection_of_the_node_has_no_rate_at_first() {
        let first = Peer::new(1).aged(9_000).passed("echo", 1_000, 0);
        let before = rows(vec![first.info()], &[]);
        let other = Peer::new(1).aged(2_000).passed("echo", 3, 0);
        assert_eq!(rate_of(&rows(vec![other.info()], &before)), None);
    }

    #[test]
    fn a_protocol_that_began_since_has_no_rate() {
        let first = Peer::new(1).aged(1_000);
        let before = rows(vec![first.info()], &[]);
        let later = Peer::new(1).aged(2_000).passed("echo", 7, 7);
        let now = rows(vec![later.info()], &before);
        assert_eq!(now[0].lanes, [None]);
        assert_eq!(rate_of(&now), Some(Rate::default()));
    }
}
