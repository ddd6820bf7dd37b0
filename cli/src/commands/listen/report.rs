//! The lines that a node prints.

use std::fmt;
use std::time::Duration;

use peermux::server::ConnectionEvent;
use peermux::setup::{FailureInfo, SetupError};
use peermux::{
    DialError, DisconnectReason, Endpoint, Enode, NodeId, NodeRecord, Peer, PeerEvent, PeerOutcome,
    Server,
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
#[serde(tag = "event", rename = "record")]
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
        write!(f, "record {}: {endpoints}", self.record)
    }
}

/// The description of a peer.
#[derive(Debug, Serialize)]
pub(crate) struct About {
    node_id: NodeId,
    addr: Option<String>,
    direction: &'static str,
    client: String,
    capabilities: Vec<CapabilityReport>,
}

impl About {
    fn new(peer: &Peer) -> Self {
        Self {
            node_id: peer.id(),
            addr: peer.remote_addr().map(|addr| addr.to_string()),
            direction: peer.direction().as_str(),
            client: peer.hello().client_text(),
            capabilities: peer.shared_capabilities().iter().map(Into::into).collect(),
        }
    }
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addr = self.addr.as_deref().unwrap_or("-");
        let Self {
            node_id,
            direction,
            client,
            ..
        } = self;
        write!(
            f,
            "{node_id} {direction} {addr} {client} [{}]",
            list(&self.capabilities)
        )
    }
}

/// A peer was added or dropped.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum PeerReport {
    PeerAdd(About),
    PeerDrop {
        #[serde(flatten)]
        about: About,
        cause: &'static str,
        reason: Option<DisconnectReason>,
        requested_by: &'static str,
        connected_ms: u64,
        error: FailureInfo,
        /// The number of entries in the peer's recording, which `peermux why` shows.
        recorded: usize,
        /// The explanation that people get.
        #[serde(skip)]
        ending: String,
    },
}

impl PeerReport {
    /// Returns the report on an event that adds or drops a peer.
    pub(crate) fn of(event: &PeerEvent) -> Option<Self> {
        match event {
            PeerEvent::Added { peer } => Some(Self::PeerAdd(About::new(peer))),
            PeerEvent::Dropped { peer, outcome } => Some(Self::dropped(peer, outcome)),
            _ => None,
        }
    }

    fn dropped(peer: &Peer, outcome: &PeerOutcome) -> Self {
        Self::PeerDrop {
            about: About::new(peer),
            cause: outcome.error.cause(),
            reason: outcome.error.reason(),
            requested_by: outcome.error.requested_by(),
            connected_ms: millis(peer.lifetime()),
            error: (&outcome.error).into(),
            recorded: peer.recording().len(),
            ending: printable(&explain::ending(&outcome.error)),
        }
    }
}

/// A connection that did not become a peer.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum ConnectionReport {
    Dial(DialReport),
    Inbound(InboundReport),
}

impl ConnectionReport {
    /// Returns the report on an event, if the event is to be printed.
    pub(super) fn of(event: &ConnectionEvent, refusals: &mut Refusals) -> Option<Self> {
        if let Some(dial) = DialReport::of(event) {
            return Some(Self::Dial(dial));
        }
        let mut capabilities = None;
        let (event, addr, node_id, claimed_id, error) = match event {
            ConnectionEvent::InboundRejected { addr, cause } => {
                let cause = FailureInfo::of_text(cause.to_string());
                ("inbound_rejected", addr, None, None, cause)
            }
            ConnectionEvent::InboundFailed {
                addr,
                id,
                claimed,
                error,
            } => {
                if let SetupError::NothingShared { theirs, .. } = &**error {
                    capabilities = Some(theirs.iter().map(Into::into).collect());
                }
                let error = FailureInfo::from(&**error);
                ("inbound_failed", addr, *id, *claimed, error)
            }
            _ => return None,
        };
        // A duplicate connection is not reported: if two nodes dial each other at the same time,
        // one connection is kept and the other is rejected.
        if error.reason == Some(DisconnectReason::ALREADY_CONNECTED) {
            return None;
        }
        Some(Self::Inbound(InboundReport {
            event,
            addr: addr.to_string(),
            node_id,
            claimed_id,
            capabilities,
            error,
            left_out: refusals.next(Instant::now())?,
        }))
    }
}

impl fmt::Display for ConnectionReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dial(report) => report.fmt(f),
            Self::Inbound(report) => report.fmt(f),
        }
    }
}

/// An inbound connection that did not become a peer.
#[derive(Debug, Serialize)]
pub(super) struct InboundReport {
    event: &'static str,
    addr: String,
    node_id: Option<NodeId>,
    /// The node id that the remote claims, if it has not proven the id.
    claimed_id: Option<NodeId>,
    /// The remote's capabilities, if this node shares none of them.
    capabilities: Option<Vec<CapabilityReport>>,
    error: FailureInfo,
    /// How many such connections were not printed before this one.
    left_out: u64,
}

impl fmt::Display for InboundReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.event, self.addr)?;
        match (self.node_id, self.claimed_id) {
            (Some(id), _) => write!(f, " {id}")?,
            (None, Some(id)) => write!(f, " (claims to be {id})")?,
            (None, None) => {}
        }
        write!(f, ": {}", printable(&self.error.text))?;
        match self.left_out {
            0 => Ok(()),
            more => write!(f, "; {more} before it are not shown"),
        }
    }
}

/// A failed dial.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename = "dial_failed")]
pub(super) struct DialReport {
    node_id: NodeId,
    addr: Option<String>,
    error: FailureInfo,
    failures: u32,
    /// Milliseconds until the next dial of the node, if there will be one.
    retry_in_ms: Option<u64>,
}

impl DialReport {
    /// Returns the report on an event, if the event is about a failed dial.
    ///
    /// If a static node has dialled this node in the meantime, that is no failure.
    pub(super) fn of(event: &ConnectionEvent) -> Option<Self> {
        let ConnectionEvent::DialFailed {
            node,
            error,
            failures,
            retry_in,
            ..
        } = event
        else {
            return None;
        };
        let connected = DisconnectReason::ALREADY_CONNECTED;
        if matches!(error, DialError::Unwanted { reason, .. } if *reason == connected) {
            return None;
        }
        Some(Self {
            node_id: node.node_id(),
            addr: node.endpoint().map(host_and_port),
            error: error.into(),
            failures: *failures,
            retry_in_ms: retry_in.map(millis),
        })
    }
}

/// Formats an endpoint without the port for discovery.
fn host_and_port(endpoint: &Endpoint) -> String {
    format!("{}:{}", endpoint.host, endpoint.tcp)
}

impl fmt::Display for DialReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dial_failed {}", printable(&self.error.text))?;
        match self.retry_in_ms {
            Some(millis) => write!(f, ", next try in {} s", millis.div_ceil(1000)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for PeerReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PeerAdd(about) => write!(f, "peer_add {about}"),
            Self::PeerDrop {
                about,
                ending,
                connected_ms,
                recorded,
                reason,
                ..
            } => {
                let time = human::time(Duration::from_millis(*connected_ms));
                write!(f, "peer_drop {about} after {time}: {ending}")?;
                let usual = [
                    DisconnectReason::CLIENT_QUITTING,
                    DisconnectReason::REQUESTED,
                ];
                if *recorded > 0 && !reason.is_some_and(|reason| usual.contains(&reason)) {
                    let id = about.node_id.to_string();
                    write!(f, " (`peermux why {}` shows more)", &id[..SHORT_ID])?;
                }
                Ok(())
            }
        }
    }
}
