//! The metrics of a peer.

use std::time::Duration;

use super::{Peer, PeerError, ProtocolError};
use crate::metrics::table::{DISCONNECTS, PEERS, ROUND_TRIP};
use crate::metrics::{Level, NodeLabel};
use crate::p2p::{Capability, DisconnectReason};
use crate::setup::Direction;

/// Counts a peer as long as the peer is connected.
pub(crate) struct PeerMeter(Level);

impl PeerMeter {
    pub(crate) fn new(peer: &Peer) -> Self {
        Self(level_of(peer, "active"))
    }

    /// Counts the peer as ending.
    pub(crate) fn ending(&mut self, peer: &Peer) {
        self.0 = level_of(peer, "ending");
    }

    pub(crate) fn ended(self, peer: &Peer, error: &PeerError) {
        count_disconnects(peer.control().meters.node(), error, 1);
    }
}

fn level_of(peer: &Peer, state: &'static str) -> Level {
    level(peer.control().meters.node(), peer.direction(), state)
}

fn level(node: &NodeLabel, direction: Direction, state: &'static str) -> Level {
    Level::raise(PEERS.of(node, [direction.as_str().into(), state.into()]))
}

fn count_disconnects(node: &NodeLabel, error: &PeerError, count: u64) {
    let reason = error.reason();
    let reason = reason.map_or_else(|| "none".into(), |reason| reason.label().into());
    let protocol = error.protocol().map(ToString::to_string);
    let labels = [
        error.cause().into(),
        reason,
        error.requested_by().into(),
        protocol.unwrap_or_default().into(),
    ];
    DISCONNECTS.of(node, labels).increment(count);
}

/// Records the round trip of an answered Ping.
pub(crate) fn count_round_trip(peer: &Peer, round_trip: Duration) {
    // The peer keeps no handle to this metric, since Pings are rare and idle peers are many.
    let round_trips = ROUND_TRIP.of(peer.control().meters.node(), []);
    round_trips.record(round_trip);
}

/// Creates, at zero, the metric series that a node with these protocols may need.
///
/// Otherwise the first disconnect would create a series instead of changing one, and no change
/// would be visible.
pub(crate) fn prepare_disconnects<'a>(
    node: &NodeLabel,
    protocols: impl Iterator<Item = &'a Capability>,
) {
    for direction in [Direction::Inbound, Direction::Outbound] {
        for state in ["active", "ending"] {
            drop(level(node, direction, state));
        }
    }
    let prepare = |error: &PeerError| count_disconnects(node, error, 0);
    prepare(&PeerError::Remote(None));
    for reason in DisconnectReason::NAMED {
        prepare(&PeerError::Remote(Some(*reason)));
        if reason.sent().is_some() {
            prepare(&PeerError::Local(*reason));
        }
    }
    let own = [
        PeerError::Kicked,
        PeerError::Banned,
        PeerError::Removed,
        PeerError::Closed,
        PeerError::Evicted,
        PeerError::PingFlood,
        PeerError::Silent(Duration::ZERO),
        PeerError::UnknownMessage { id: 0, last: 0 },
    ];
    own.iter().for_each(prepare);
    for capability in protocols {
        let capability = || capability.clone();
        let of_protocol = [
            PeerError::ProtocolReturned(capability()),
            PeerError::Protocol {
                capability: capability(),
                source: ProtocolError::Panicked,
            },
            PeerError::Stalled {
                capability: capability(),
                stalled: Duration::ZERO,
            },
            PeerError::NoRoom {
                capability: capability(),
                waited: Duration::ZERO,
            },
            PeerError::TooFast(capability()),
        ];
        of_protocol.iter().for_each(prepare);
    }
}
