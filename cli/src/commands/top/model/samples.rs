//! Sample data for tests of the model and the view.

use peermux::SecretKey;
use peermux::peer::{NodeInfo, PeerInfo};
use peermux_cli::request::{DiscoveryInfo, Event};
use serde_json::{Value, json};

use super::Snapshot;
use crate::commands::peers::StaticNode;

/// Builds the description of a peer.
#[derive(Debug, Clone)]
pub(in super::super) struct Peer(Value);

/// Returns the enode URL of the node with this number, on loopback.
pub(in super::super) fn enode(number: u16) -> String {
    let mut bytes = [1; SecretKey::LENGTH];
    bytes[30..].copy_from_slice(&number.to_be_bytes());
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let key: SecretKey = text.parse().expect("a key");
    let digits = key.public_key().to_string();
    let digits = digits.trim_start_matches("0x");
    format!("enode://{digits}@127.0.0.1:{}", 30_000 + number)
}

fn node_id(number: u16) -> String {
    let enode: peermux::Enode = enode(number).parse().expect("an enode URL");
    enode.node_id().to_string()
}

impl Peer {
    pub(in super::super) fn new(number: u16) -> Self {
        let inbound = number.is_multiple_of(3);
        Self(json!({
            "node_id": node_id(number),
            "enode": enode(number),
            "client": format!("peermux/v0.1.{number}"),
            "capabilities": [
                {"name": "bench", "version": 1, "offset": 16, "length": 8},
                {"name": "echo", "version": 1, "offset": 24, "length": 2},
            ],
            "direction": if inbound { "inbound" } else { "outbound" },
            "addr": format!("127.0.0.1:{}", 30_000 + number),
            "local_addr": "127.0.0.1:30303",
            "trusted": false,
            "static": false,
            "connected_ms": 1000 * (u64::from(number) + 1),
            "score": 0,
            "rtt_us": 210,
            "rtt_p50_us": 200 + u64::from(number),
            "rtt_p99_us": 2_600,
            "protocols": {},
        }))
    }

    pub(in super::super) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0[key] = value.into();
        self
    }

    pub(in super::super) fn aged(self, millis: u64) -> Self {
        self.with("connected_ms", millis)
    }

    /// Sets the numbers of received and sent messages, each of 1,000 bytes.
    pub(in super::super) fn passed(mut self, protocol: &str, received: u64, sent: u64) -> Self {
        self.0["protocols"][protocol] = json!({
            "version": 1, "info": "unknown",
            "sent": sent, "sent_bytes": sent * 1000,
            "received": received, "received_bytes": received * 1000,
            "dropped": 0, "waiting": 0, "waiting_bytes": 0, "unread": 0, "unread_bytes": 0,
            "pauses": 0, "paused_ms": 0, "gate_wait_p50_us": 12, "gate_wait_p99_us": 80,
        });
        self
    }

    /// Sets a number in the description of a protocol.
    pub(in super::super) fn lane(mut self, protocol: &str, key: &str, value: u64) -> Self {
        self.0["protocols"][protocol][key] = value.into();
        self
    }

    pub(in super::super) fn info(&self) -> PeerInfo {
        serde_json::from_value(self.0.clone()).expect("a description")
    }
}

/// Returns the snapshot of a node with these peers.
pub(in super::super) fn snapshot(peers: &[Peer]) -> Snapshot {
    let node: NodeInfo = serde_json::from_value(json!({
        "schema": 1,
        "node_id": node_id(0),
        "client": "peermux/v0.1.0",
        "enode": enode(0),
        "listen_addr": "127.0.0.1:30303",
        "peers": peers.len(),
        "max_peers": 50,
        "memory": {"used": 10_485_760, "limit": 536_870_912, "peer_limit": 33_554_432},
        "protocols": {"bench": "unknown", "echo": "unknown"},
    }))
    .expect("a description");
    Snapshot {
        node,
        peers: peers.iter().map(Peer::info).collect(),
        kept: Vec::new(),
        discovery: DiscoveryInfo::default(),
        events: Vec::new(),
        from_start: true,
    }
}

/// Returns a static node that is connected or whose last `failures` dials failed.
pub(in super::super) fn kept(number: u16, connected: bool, failures: u32) -> StaticNode {
    let error =
        json!({"stage": "dial", "fault": "io", "text": "cannot connect: Connection refused"});
    let waits = !connected && failures > 0;
    serde_json::from_value(json!({
        "node_id": node_id(number),
        "enode": enode(number),
        "connected": connected,
        "failures": failures,
        "retry_in_ms": if waits { json!(61_000) } else { Value::Null },
        "error": if waits { error } else { Value::Null },
    }))
    .expect("a description")
}

/// Returns the `peer_add` event with this number.
pub(in super::super) fn event(number: u64) -> Event {
    let Value::Object(what) = json!({
        "event": "peer_add",
        "node_id": node_id(number as u16),
        "addr": format!("127.0.0.1:{}", 30_000 + number),
        "direction": "outbound",
        "client": "peermux/v0.1.0",
        "capabilities": [],
        "time": "2026-11-27T17:30:12.366Z",
    }) else {
        unreachable!("an object");
    };
    Event { number, what }
}
