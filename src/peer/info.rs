//! A node's descriptions of itself and its peers, for other programs.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Peer, PeerError, Protocol, ProtocolStats};
use crate::channel::MemoryLimits;
use crate::node::{NodeId, NodeRecord};
use crate::p2p::{Capability, SharedCapability};
use crate::setup::{Direction, FailureInfo};
use crate::time::millis;

/// A node's description of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NodeInfo {
    /// The version of this format. It is raised when a field is removed or changes its meaning.
    pub schema: u32,
    /// The node id.
    pub node_id: NodeId,
    /// The client name in the node's Hello.
    pub client: String,
    /// The enode URL.
    pub enode: String,
    /// The node's own record, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<NodeRecord>,
    /// The address on which the node listens.
    pub listen_addr: Option<SocketAddr>,
    /// How many peers are connected.
    pub peers: usize,
    /// The limit on connected peers.
    pub max_peers: usize,
    /// The memory held for remotes.
    pub memory: MemoryInfo,
    /// Each protocol's description of the node; `"unknown"` if the protocol has none.
    pub protocols: BTreeMap<String, Value>,
}

impl NodeInfo {
    /// The version of the format that this crate writes.
    pub const SCHEMA: u32 = 1;
}

/// How much memory is held for all peers, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MemoryInfo {
    /// The amount held now.
    pub used: usize,
    /// The limit, in addition to 32 KiB per peer.
    pub limit: usize,
    /// The limit for one peer in each direction; 0 if unknown.
    #[serde(default)]
    pub peer_limit: usize,
}

impl MemoryInfo {
    pub(crate) fn new(used: usize, limits: MemoryLimits) -> Self {
        Self {
            used,
            limit: limits.per_node(),
            peer_limit: limits.per_peer(),
        }
    }
}

/// A node's description of one of its peers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PeerInfo {
    /// The node id.
    pub node_id: NodeId,
    /// The enode URL with the connection's remote address.
    pub enode: String,
    /// The peer's record, if the [store of nodes](crate::server::NodeStore::record) knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<NodeRecord>,
    /// The full client name.
    pub client: String,
    /// All announced capabilities, sorted by name and version.
    pub capabilities: Vec<CapabilityInfo>,
    /// Which side opened the connection.
    pub direction: Direction,
    /// The remote address, if the transport has one.
    pub addr: Option<SocketAddr>,
    /// The local address, if the transport has one.
    pub local_addr: Option<SocketAddr>,
    /// Whether the node is exempt from the limits on peers.
    pub trusted: bool,
    /// Whether this is a static node, to which the server keeps a connection.
    #[serde(rename = "static")]
    pub static_dialled: bool,
    /// How long the peer has been connected, in milliseconds.
    pub connected_ms: u64,
    /// The peer's score for misbehaviour; see [`Peer::penalise`].
    pub score: u32,
    /// The round trip of the last Ping, in microseconds.
    pub rtt_us: Option<u64>,
    /// The median round trip, in microseconds.
    pub rtt_p50_us: Option<u64>,
    /// The 99th percentile of the round trips, in microseconds.
    pub rtt_p99_us: Option<u64>,
    /// How long the current Ping has been unanswered, in milliseconds.
    pub unanswered_ms: Option<u64>,
    /// The protocols that run with the peer, by name.
    pub protocols: BTreeMap<String, LaneInfo>,
}

/// A capability, and its message codes on the connection if it is shared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CapabilityInfo {
    /// The capability's name.
    pub name: String,
    /// The capability's version.
    pub version: u64,
    /// The capability's first message code, if the capability is shared.
    pub offset: Option<u64>,
    /// The number of the capability's message codes, if the capability is shared.
    pub length: Option<u64>,
}

/// One protocol's traffic with one peer, and its description of the peer.
///
/// Sizes are bytes of uncompressed payloads; [`ProtocolStats`] explains each number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[allow(missing_docs, reason = "as in `ProtocolStats`, with their units")]
pub struct LaneInfo {
    /// The version that runs.
    pub version: u64,
    /// The protocol's description of the peer.
    ///
    /// This is `"handshake"` during the protocol's own handshake, and `"unknown"` without a
    /// description.
    pub info: Value,
    pub sent: u64,
    pub sent_bytes: u64,
    pub received: u64,
    pub received_bytes: u64,
    pub dropped: u64,
    pub waiting: usize,
    pub waiting_bytes: usize,
    pub unread: usize,
    pub unread_bytes: usize,
    pub pauses: u64,
    pub paused_ms: u64,
    pub gate_wait_p50_us: Option<u64>,
    pub gate_wait_p99_us: Option<u64>,
}

impl CapabilityInfo {
    /// Describes an announced capability, with its codes if it is shared.
    pub(crate) fn of(announced: &Capability, shared: &[SharedCapability]) -> Self {
        let codes = shared.iter().find(|shared| shared.capability == *announced);
        Self {
            name: announced.name().to_owned(),
            version: announced.version(),
            offset: codes.map(|shared| shared.offset),
            length: codes.map(|shared| shared.length),
        }
    }
}

impl From<&SharedCapability> for CapabilityInfo {
    fn from(shared: &SharedCapability) -> Self {
        Self::of(&shared.capability, std::slice::from_ref(shared))
    }
}

/// Describes a capability that is not shared.
impl From<&Capability> for CapabilityInfo {
    fn from(announced: &Capability) -> Self {
        Self::of(announced, &[])
    }
}

impl LaneInfo {
    pub(crate) fn new(stats: &ProtocolStats, info: Value) -> Self {
        Self {
            version: stats.protocol.version(),
            info,
            sent: stats.sent,
            sent_bytes: stats.sent_bytes,
            received: stats.received,
            received_bytes: stats.received_bytes,
            dropped: stats.dropped,
            waiting: stats.waiting,
            waiting_bytes: stats.waiting_bytes,
            unread: stats.unread,
            unread_bytes: stats.unread_bytes,
            pauses: stats.pauses,
            paused_ms: millis(stats.paused),
            gate_wait_p50_us: stats.gate_wait_p50.map(micros),
            gate_wait_p99_us: stats.gate_wait_p99.map(micros),
        }
    }
}

impl PeerInfo {
    /// Describes `peer`, which runs some of `protocols`.
    ///
    /// The description does not include the peer's record.
    #[must_use]
    pub fn new(peer: &Peer, protocols: &[Protocol]) -> Self {
        let stats = peer.stats();
        let shared = peer.shared_capabilities();
        let running = stats.protocols.iter().filter_map(|lane| {
            let shared = shared.iter().find(|s| s.capability == lane.protocol)?;
            let info = protocols.get(shared.local)?.info_or_handshake(peer.id());
            let name = lane.protocol.name().to_owned();
            Some((name, LaneInfo::new(lane, info.into())))
        });
        let announced = peer.capabilities().iter();
        Self {
            node_id: peer.id(),
            enode: peer.enode().to_string(),
            record: None,
            client: peer.full_name(),
            capabilities: announced
                .map(|one| CapabilityInfo::of(one, shared))
                .collect(),
            direction: peer.direction(),
            addr: peer.remote_addr(),
            local_addr: peer.local_addr(),
            trusted: peer.is_trusted(),
            static_dialled: peer.is_static(),
            connected_ms: millis(stats.lifetime),
            score: peer.score(),
            rtt_us: stats.round_trip.map(micros),
            rtt_p50_us: stats.round_trip_p50.map(micros),
            rtt_p99_us: stats.round_trip_p99.map(micros),
            unanswered_ms: stats.unanswered.map(millis),
            protocols: running.collect(),
        }
    }
}

impl From<&PeerError> for FailureInfo {
    fn from(error: &PeerError) -> Self {
        Self::new(
            error.stage(),
            error.fault(),
            error.reason(),
            error.to_string(),
        )
    }
}

pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Returns each protocol's description of the node. Of several versions of a protocol, the first
/// one's description is used.
pub(crate) fn node_protocols(protocols: &[Protocol]) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for protocol in protocols {
        all.entry(protocol.capability().name().to_owned())
            .or_insert_with(|| protocol.node_info().into());
    }
    all
}
