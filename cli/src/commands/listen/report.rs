//! The lines that a node prints.

use std::fmt;

use peermux::server::ConnectionEvent;
use peermux::{
    DialError, DisconnectReason, Enode, NodeRecord, Peer, PeerEvent, PeerOutcome, Server,
};
use serde::Serialize;
use tokio::time::Instant;

use super::refusals::Refusals;
use crate::advertised::{self, Advertised};
use crate::explain;
use crate::human;
use crate::output::{CapabilityReport, SHORT_ID, list, millis, printable};

/// The node's enode URL, printed once it accepts connections.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename = "listening")]
pub(crate) struct Listening {
    enode: Enode,
}

impl Listening {
    pub(crate) fn of(server: &Server) -> Self {
        if server.is_stand_in() {
            tracing::warn!(
                "the node listens on all addresses, and the address in its URL works on this machine only; --advertise HOST[:PORT] sets one for others"
            );
        }
        let enode = server.enode();
        Self { enode }
    }
}

impl fmt::Display for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.enode.fmt(f)
    }
}

/// The node's own record at its start.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename = "record")]
pub(super) struct OwnRecord {
    pub(super) record: NodeRecord,
}

impl fmt::Display for OwnRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "record {}", self.record)
    }
}

/// The node's own record after a change.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename = "record_changed")]
pub(super) struct ChangedRecord {
    record: NodeRecord,
    endpoints: Vec<Advertised>,
}

impl ChangedRecord {
    pub(super) fn of(record: NodeRecord) -> Self {
        let endpoints = advertised::of(&record);
        Self { record, endpoints }
    }
}

impl fmt::Display for ChangedRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoints = advertised::text(&self.endpoints);
        write!(f, "record_changed {}: {endpoints}", self.record)
    }
}

/// A peer was added or dropped.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct PeerReport(PeerEvent);

impl PeerReport {
    /// Returns the report on an event that adds or drops a peer.
    pub(crate) fn of(event: &PeerEvent) -> Option<Self> {
        match event {
            PeerEvent::Added { .. } | PeerEvent::Dropped { .. } => Some(Self(event.clone())),
            _ => None,
        }
    }
}

impl fmt::Display for PeerReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            PeerEvent::Added { peer } => write!(f, "peer_add {}", About(peer)),
            PeerEvent::Dropped { peer, outcome } => dropped(f, peer, outcome),
            _ => Ok(()),
        }
    }
}

fn dropped(f: &mut fmt::Formatter<'_>, peer: &Peer, outcome: &PeerOutcome) -> fmt::Result {
    let time = human::time(outcome.lifetime);
    let ending = printable(&explain::ending(&outcome.error));
    write!(f, "peer_drop {} after {time}: {ending}", About(peer))?;
    let usual = [
        DisconnectReason::CLIENT_QUITTING,
        DisconnectReason::REQUESTED,
    ];
    let is_usual = |reason| usual.contains(&reason);
    if !peer.recording().is_empty() && !outcome.error.reason().is_some_and(is_usual) {
        let id = peer.id().to_string();
        write!(f, " (`peermux why {}` shows more)", &id[..SHORT_ID])?;
    }
    Ok(())
}

/// The description of a peer, for people.
struct About<'a>(&'a Peer);

impl fmt::Display for About<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peer = self.0;
        let (id, direction) = (peer.id(), peer.direction().as_str());
        let addr = peer.remote_addr();
        let addr = addr.map_or_else(|| "-".to_owned(), |addr| addr.to_string());
        let shared = peer.shared_capabilities().iter();
        let capabilities: Vec<CapabilityReport> = shared.map(Into::into).collect();
        let (client, capabilities) = (peer.hello().client_text(), list(&capabilities));
        write!(f, "{id} {direction} {addr} {client} [{capabilities}]")
    }
}

/// A connection that did not become a peer.
#[derive(Debug, Serialize)]
pub(super) struct ConnectionReport {
    #[serde(flatten)]
    event: ConnectionEvent,
    /// How many inbound connections like this one were not printed before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<u64>,
}

impl ConnectionReport {
    /// Returns the report on an event, if the event is to be printed.
    pub(super) fn of(event: &ConnectionEvent, refusals: &mut Refusals) -> Option<Self> {
        // A duplicate connection is not reported: if two nodes dial each other at the same time,
        // one connection is kept and the other is rejected.
        let duplicate = DisconnectReason::ALREADY_CONNECTED;
        let left_out = match event {
            ConnectionEvent::DialFailed {
                error: DialError::Unwanted { reason, .. },
                ..
            } if *reason == duplicate => return None,
            ConnectionEvent::InboundFailed { error, .. } if error.reason() == Some(duplicate) => {
                return None;
            }
            ConnectionEvent::DialFailed { .. } => None,
            ConnectionEvent::InboundRejected { .. } | ConnectionEvent::InboundFailed { .. } => {
                Some(refusals.next(Instant::now())?)
            }
            _ => return None,
        };
        let event = event.clone();
        Some(Self { event, left_out })
    }
}

impl fmt::Display for ConnectionReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.event {
            ConnectionEvent::DialFailed {
                error, retry_in, ..
            } => {
                write!(f, "dial_failed {}", printable(&error.to_string()))?;
                if let Some(time) = retry_in {
                    write!(f, ", next try in {} s", millis(*time).div_ceil(1000))?;
                }
            }
            ConnectionEvent::InboundRejected { addr, cause } => {
                write!(f, "inbound_rejected {addr}: {cause}")?;
            }
            ConnectionEvent::InboundFailed {
                addr,
                id,
                claimed,
                error,
            } => {
                write!(f, "inbound_failed {addr}")?;
                match (id, claimed) {
                    (Some(id), _) => write!(f, " {id}")?,
                    (None, Some(id)) => write!(f, " (claims to be {id})")?,
                    (None, None) => {}
                }
                write!(f, ": {}", printable(&error.to_string()))?;
            }
            _ => {}
        }
        match self.left_out {
            None | Some(0) => Ok(()),
            Some(more) => write!(f, "; {more} before it are not shown"),
        }
    }
}
