//! The table of peers.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::Duration;

use clap::ValueEnum;
use peermux::peer::{LaneInfo, PeerInfo};
use peermux::{Direction, NodeId};
use serde::Serialize;

use crate::failure::Failure;
use crate::human;
use crate::output::{Output, printable};
use crate::round_trip::RoundTrip;
use crate::table::Table;

/// The order of the peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Sort {
    Id,
    /// Longest connected first
    Age,
    /// Slowest first
    Rtt,
    /// Most received bytes first
    In,
    /// Most sent bytes first
    Out,
    /// Longest queues first
    Queue,
    Client,
}

/// The received and sent bytes of a peer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Passed {
    received: u64,
    sent: u64,
}

/// The sorted peers.
pub(super) struct Rows {
    peers: Vec<(PeerInfo, Passed)>,
    /// Whether the bytes are rates per second.
    rates: bool,
}

/// The line that programs get about a peer.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename = "peer")]
struct Line<'a> {
    #[serde(flatten)]
    peer: &'a PeerInfo,
}

impl std::fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.peer.node_id.fmt(f)
    }
}

fn passed(peer: &PeerInfo) -> Passed {
    let sum = |of: fn(&LaneInfo) -> u64| peer.protocols.values().map(of).sum();
    Passed {
        received: sum(|lane| lane.received_bytes),
        sent: sum(|lane| lane.sent_bytes),
    }
}

fn queue(peer: &PeerInfo) -> u64 {
    let lanes = peer.protocols.values();
    lanes
        .map(|lane| lane.waiting_bytes.saturating_add(lane.unread_bytes) as u64)
        .sum()
}

impl Rows {
    pub(super) fn new(mut peers: Vec<PeerInfo>, sort: Sort) -> Self {
        match sort {
            Sort::Id => peers.sort_by_key(|peer| peer.node_id),
            Sort::Age => peers.sort_by_key(|peer| Reverse(peer.connected_ms)),
            Sort::Rtt => peers.sort_by_key(|peer| Reverse(RoundTrip::of(peer).micros())),
            Sort::In => peers.sort_by_key(|peer| Reverse(passed(peer).received)),
            Sort::Out => peers.sort_by_key(|peer| Reverse(passed(peer).sent)),
            Sort::Queue => peers.sort_by_key(|peer| Reverse(queue(peer))),
            Sort::Client => peers.sort_by(|one, other| one.client.cmp(&other.client)),
        }
        let peers = peers.into_iter().map(|peer| {
            let passed = passed(&peer);
            (peer, passed)
        });
        Self {
            peers: peers.collect(),
            rates: false,
        }
    }

    /// Returns the received and sent bytes of each peer.
    pub(super) fn passed(&self) -> HashMap<NodeId, Passed> {
        let peers = self.peers.iter();
        peers
            .map(|(peer, _)| (peer.node_id, passed(peer)))
            .collect()
    }

    /// Converts bytes to rates. `earlier` was counted `ago` before the present bytes.
    ///
    /// The rate of a peer that has connected since then is 0.
    pub(super) fn as_rates(&mut self, earlier: &HashMap<NodeId, Passed>, ago: Duration) {
        let rate =
            |now: u64, then: u64| (now.saturating_sub(then) as f64 / ago.as_secs_f64()) as u64;
        for (peer, passed) in &mut self.peers {
            let then = earlier.get(&peer.node_id).unwrap_or(passed);
            *passed = Passed {
                received: rate(passed.received, then.received),
                sent: rate(passed.sent, then.sent),
            };
        }
        self.rates = true;
    }

    pub(super) fn show(&self, out: &Output) -> Result<(), Failure> {
        if out.is_json() {
            let lines = self.peers.iter().map(|(peer, _)| Line { peer });
            return out.tell_all(&lines.collect::<Vec<_>>());
        }
        if self.peers.is_empty() {
            out.remark("no peers");
            return Ok(());
        }
        let [incoming, outgoing] = if self.rates {
            ["in/s", "out/s"]
        } else {
            ["in", "out"]
        };
        let mut table = Table::new([
            "node id",
            "dir",
            "address",
            "client",
            "protocols",
            "age",
            "rtt",
            incoming,
            outgoing,
            "queue",
            "score",
            "notes",
        ]);
        for (peer, passed) in &self.peers {
            table.push(row(peer, *passed, out));
        }
        out.remark(&table.to_string());
        out.remark(&self.totals());
        Ok(())
    }

    fn totals(&self) -> String {
        let all = self.peers.len();
        let inbound = |(peer, _): &&(PeerInfo, Passed)| peer.direction == Direction::Inbound;
        let inbound = self.peers.iter().filter(inbound).count();
        let sum = |of: fn(&Passed) -> u64| self.peers.iter().map(|(_, passed)| of(passed)).sum();
        let each = if self.rates { "/s" } else { "" };
        format!(
            "{}, {inbound} inbound and {} outbound; in {}{each}, out {}{each}",
            human::count(all, "peer"),
            all - inbound,
            human::bytes(sum(|passed| passed.received)),
            human::bytes(sum(|passed| passed.sent)),
        )
    }
}

fn row(peer: &PeerInfo, passed: Passed, out: &Output) -> [String; 12] {
    let shared = peer.capabilities.iter().filter(|one| one.offset.is_some());
    let shared: Vec<_> = shared
        .map(|one| format!("{}/{}", one.name, one.version))
        .collect();
    let mut notes = Vec::new();
    if peer.static_dialled {
        notes.push("static");
    }
    if peer.trusted {
        notes.push("trusted");
    }
    let direction = match peer.direction {
        Direction::Inbound => "in",
        Direction::Outbound => "out",
    };
    [
        out.id(&peer.node_id),
        direction.to_owned(),
        peer.addr
            .map_or_else(|| "-".to_owned(), |addr| addr.to_string()),
        printable(&peer.client),
        printable(&shared.join(",")),
        human::time(Duration::from_millis(peer.connected_ms)),
        RoundTrip::of(peer).to_string(),
        human::bytes(passed.received),
        human::bytes(passed.sent),
        human::bytes(queue(peer)),
        peer.score.to_string(),
        notes.join(" "),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn id(number: u8) -> NodeId {
        NodeId::from_bytes([number; 32])
    }

    /// Returns a peer with these numbers.
    fn peer(
        number: u8,
        client: &str,
        age: u64,
        rtt: u64,
        [received, sent, queued]: [u64; 3],
    ) -> PeerInfo {
        let described = json!({
            "node_id": id(number).to_string(),
            "enode": ENODE,
            "client": client,
            "capabilities": [],
            "direction": "inbound",
            "addr": "127.0.0.1:30303",
            "local_addr": "127.0.0.1:30304",
            "trusted": false,
            "static": false,
            "connected_ms": age,
            "score": 0,
            "rtt_us": rtt,
            "rtt_p50_us": rtt,
            "rtt_p99_us": rtt,
            "protocols": { "echo": {
                "version": 1, "info": "unknown",
                "sent": 1, "sent_bytes": sent, "received": 1, "received_bytes": received,
                "dropped": 0, "waiting": 1, "waiting_bytes": queued, "unread": 0, "unread_bytes": 0,
                "pauses": 0, "paused_ms": 0, "gate_wait_p50_us": 12, "gate_wait_p99_us": 80,
            } },
        });
        serde_json::from_value::<PeerInfo>(described).expect("a description")
    }

    const ENODE: &str = "enode://79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8@127.0.0.1:1";

    fn peers() -> Vec<PeerInfo> {
        vec![
            peer(2, "b", 30, 100, [1000, 5, 70]),
            peer(3, "a", 10, 300, [2000, 4, 80]),
            peer(1, "c", 20, 200, [3000, 6, 60]),
        ]
    }

    #[test]
    fn each_column_has_its_order() {
        for (sort, order) in [
            (Sort::Id, [1, 2, 3]),
            (Sort::Age, [2, 1, 3]),
            (Sort::Rtt, [3, 1, 2]),
            (Sort::In, [1, 3, 2]),
            (Sort::Out, [1, 2, 3]),
            (Sort::Queue, [3, 2, 1]),
            (Sort::Client, [3, 2, 1]),
        ] {
            let rows = Rows::new(peers(), sort);
            let sorted = rows.peers.iter().map(|(peer, _)| peer.node_id);
            assert_eq!(sorted.collect::<Vec<_>>(), order.map(id), "{sort:?}");
        }
    }

    #[test]
    fn bytes_become_rates_and_a_new_peer_has_none() {
        let before = Rows::new(vec![peer(2, "b", 0, 1, [200, 1, 0])], Sort::Id).passed();
        let mut rows = Rows::new(peers(), Sort::Id);
        rows.as_rates(&before, Duration::from_secs(2));
        let rates = rows
            .peers
            .iter()
            .map(|(_, passed)| (passed.received, passed.sent));
        assert_eq!(rates.collect::<Vec<_>>(), [(0, 0), (400, 2), (0, 0)]);
        let totals = "3 peers, 3 inbound and 0 outbound; in 400 B/s, out 2 B/s";
        assert_eq!(rows.totals(), totals);
    }
}
