//! The traffic between this node and a peer, as plain data.

use std::time::Duration;

use super::Peer;
use crate::channel::LaneStats;
use crate::node::NodeId;
use crate::p2p::Capability;

/// The traffic between this node and a peer since it connected.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PeerStats {
    /// The peer's node id.
    pub id: NodeId,
    /// How long the peer has been connected.
    pub lifetime: Duration,
    /// The round trip of the last Ping.
    pub round_trip: Option<Duration>,
    /// The median round trip.
    pub round_trip_p50: Option<Duration>,
    /// The 99th percentile of the round trips.
    pub round_trip_p99: Option<Duration>,
    /// How long the current Ping has been unanswered.
    pub unanswered: Option<Duration>,
    /// The running protocols; empty once the connection is ending.
    pub protocols: Vec<ProtocolStats>,
}

/// The traffic of one protocol with a peer.
///
/// Sizes are bytes of uncompressed payloads.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ProtocolStats {
    /// The protocol.
    pub protocol: Capability,
    /// Messages that have been handed to the socket.
    pub sent: u64,
    /// The payload bytes of these sent messages.
    pub sent_bytes: u64,
    /// Messages that the protocol has taken.
    pub received: u64,
    /// The payload bytes of these received messages.
    pub received_bytes: u64,
    /// Received messages that were dropped for lack of room, or because they arrived too fast.
    pub dropped: u64,
    /// Messages that are waiting to be sent.
    pub waiting: usize,
    /// The payload bytes of the messages that are waiting to be sent.
    pub waiting_bytes: usize,
    /// Received messages that the protocol has not yet taken, or still holds.
    pub unread: usize,
    /// The payload bytes of these unread messages.
    pub unread_bytes: usize,
    /// How often reading paused because there was no room for the protocol's next message.
    pub pauses: u64,
    /// How long reading paused in total for lack of room for this protocol.
    pub paused: Duration,
    /// The median wait of outgoing messages, measured for one in 16.
    pub gate_wait_p50: Option<Duration>,
    /// The 99th percentile of the wait of outgoing messages.
    pub gate_wait_p99: Option<Duration>,
}

impl Peer {
    /// Returns the traffic between this node and the peer so far.
    #[must_use]
    pub fn stats(&self) -> PeerStats {
        let [round_trip_p50, round_trip_p99] = self.round_trips();
        let protocols = self.open_lanes().filter_map(|(shared, open)| {
            let lane = open.lane.upgrade()?;
            Some(of_protocol(&shared.capability, lane.stats(), open))
        });
        PeerStats {
            id: self.id(),
            lifetime: self.lifetime(),
            round_trip: self.rtt(),
            round_trip_p50,
            round_trip_p99,
            unanswered: self.unanswered(),
            protocols: protocols.collect(),
        }
    }
}

/// Messages waiting in both directions of one protocol, and their bytes.
#[cfg(feature = "metrics")]
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Waiting {
    pub(crate) ingress: (usize, usize),
    pub(crate) egress: (usize, usize),
}

#[cfg(feature = "metrics")]
impl Peer {
    /// Returns the waiting messages of each running protocol.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = (&Capability, Waiting)> {
        self.open_lanes().filter_map(|(shared, open)| {
            let inbox = open.inbox.stats();
            let waiting = Waiting {
                ingress: (inbox.unread, inbox.unread_bytes),
                egress: open.lane.upgrade()?.waiting(),
            };
            Some((&shared.capability, waiting))
        })
    }
}

fn of_protocol(protocol: &Capability, lane: LaneStats, open: &super::OpenLane) -> ProtocolStats {
    let passed = open.tap.passed();
    let inbox = open.inbox.stats();
    ProtocolStats {
        protocol: protocol.clone(),
        sent: passed.sent,
        sent_bytes: passed.sent_bytes,
        received: passed.received,
        received_bytes: passed.received_bytes,
        dropped: passed.dropped,
        waiting: lane.waiting,
        waiting_bytes: lane.waiting_bytes,
        unread: inbox.unread,
        unread_bytes: inbox.unread_bytes,
        pauses: inbox.pauses,
        paused: inbox.paused,
        gate_wait_p50: lane.wait_p50,
        gate_wait_p99: lane.wait_p99,
    }
}
