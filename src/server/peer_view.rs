//! Serialises a peer's information without copying it first.
//!
//! The fields of [`PeerInfo`](crate::peer::PeerInfo) are written here a second time, by hand. A
//! `PeerInfo` can also be deserialised, so it owns its texts and needs two dozen allocations. A
//! table of peers would need that many for each peer, which is too many while thousands of peers
//! are served. A test checks that both types produce the same text.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, SerializeStruct, Serializer};

use crate::node::NodeRecord;
use crate::peer::{CapabilityInfo, LaneInfo, Peer, PeerStats, Protocol, micros};
use crate::time::millis;

/// Serialises like a peer's current [`PeerInfo`](crate::peer::PeerInfo), without creating one.
///
/// This takes a fraction of the time that a `PeerInfo` takes.
///
/// ```
/// # tokio_test::block_on(async {
/// use peermux::peer::PeerInfo;
/// use peermux::{SecretKey, Server};
///
/// let server = Server::builder(SecretKey::generate()).start().await?;
/// for view in server.peer_views() {
///     let line = serde_json::to_string(&view)?;
///     let info: PeerInfo = serde_json::from_str(&line)?;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct PeerView<'a> {
    peer: Peer,
    record: Option<NodeRecord>,
    protocols: &'a [Protocol],
}

impl<'a> PeerView<'a> {
    pub(super) fn new(peer: Peer, record: Option<NodeRecord>, protocols: &'a [Protocol]) -> Self {
        Self {
            peer,
            record,
            protocols,
        }
    }
}

impl Serialize for PeerView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let peer = &self.peer;
        let stats = peer.stats();
        let fields = 16 + usize::from(self.record.is_some());
        let mut object = serializer.serialize_struct("PeerInfo", fields)?;
        object.serialize_field("node_id", &peer.id())?;
        object.serialize_field("enode", &peer.enode())?;
        if let Some(record) = &self.record {
            object.serialize_field("record", record)?;
        }
        object.serialize_field("client", &peer.full_name())?;
        object.serialize_field("capabilities", &Capabilities(peer))?;
        object.serialize_field("direction", &peer.direction())?;
        object.serialize_field("addr", &peer.remote_addr())?;
        object.serialize_field("local_addr", &peer.local_addr())?;
        object.serialize_field("trusted", &peer.is_trusted())?;
        object.serialize_field("static", &peer.is_static())?;
        object.serialize_field("connected_ms", &millis(stats.lifetime))?;
        object.serialize_field("score", &peer.score())?;
        object.serialize_field("rtt_us", &stats.round_trip.map(micros))?;
        object.serialize_field("rtt_p50_us", &stats.round_trip_p50.map(micros))?;
        object.serialize_field("rtt_p99_us", &stats.round_trip_p99.map(micros))?;
        object.serialize_field("unanswered_ms", &stats.unanswered.map(millis))?;
        object.serialize_field("protocols", &Lanes(self, &stats))?;
        object.end()
    }
}

struct Capabilities<'a>(&'a Peer);

impl Serialize for Capabilities<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let announced = self.0.capabilities();
        let mut list = serializer.serialize_seq(Some(announced.len()))?;
        for one in announced {
            list.serialize_element(&CapabilityInfo::of(one, self.0.shared_capabilities()))?;
        }
        list.end()
    }
}

struct Lanes<'a>(&'a PeerView<'a>, &'a PeerStats);

impl Serialize for Lanes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let PeerView {
            peer, protocols, ..
        } = self.0;
        let mut map = serializer.serialize_map(None)?;
        // The lanes are sorted by protocol name, and each name occurs once.
        for lane in &self.1.protocols {
            let mut shared = peer.shared_capabilities().iter();
            let shared = shared.find(|shared| shared.capability == lane.protocol);
            let Some(protocol) = shared.and_then(|shared| protocols.get(shared.local)) else {
                continue;
            };
            let info = protocol.info_or_handshake(peer.id());
            map.serialize_entry(lane.protocol.name(), &LaneInfo::new(lane, info.into()))?;
        }
        map.end()
    }
}
