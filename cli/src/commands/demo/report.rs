//! The reports of the demo, for people and for programs.

use std::fmt;

use peermux::setup::FailureInfo;
use peermux::{DisconnectReason, Endpoint, Enode, Peer, PeerOutcome};
use peermux_protocols::bench::Measured;
use serde::Serialize;

use super::nodes::Node;
use crate::explain;
use crate::output::{CapabilityReport, list, micros};

/// A node has started.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename = "started")]
pub(super) struct NodeReport {
    name: &'static str,
    enode: Enode,
    capabilities: Vec<CapabilityReport>,
}

impl NodeReport {
    pub(super) fn of(node: &Node) -> Self {
        let protocols = node.server.protocols().iter();
        let mut protocols: Vec<_> = protocols.map(|p| p.capability().clone()).collect();
        protocols.sort();
        Self {
            name: node.name,
            enode: node.server.enode(),
            capabilities: protocols.iter().map(Into::into).collect(),
        }
    }
}

impl fmt::Display for NodeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id: String = self.enode.node_id().to_string().chars().take(8).collect();
        let addr = self.enode.endpoint().and_then(Endpoint::socket_addr);
        let addr = addr.map_or_else(String::new, |addr| addr.to_string());
        let protocols = list(&self.capabilities);
        write!(
            f,
            "   {:<6} {id}… at {addr:<16} speaks {protocols}",
            self.name
        )
    }
}

/// Two nodes are connected.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename = "matched")]
pub(super) struct Matched {
    from: &'static str,
    to: &'static str,
    capabilities: Vec<CapabilityReport>,
}

impl Matched {
    pub(super) fn new(from: &'static str, to: &'static str, peer: &Peer) -> Self {
        let capabilities = peer.shared_capabilities().iter().map(Into::into).collect();
        Self {
            from,
            to,
            capabilities,
        }
    }
}

impl fmt::Display for Matched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            from,
            to,
            capabilities,
        } = self;
        write!(f, "   {from} – {to:<6} {}", list(capabilities))
    }
}

/// A message arrived at a protocol's handler.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename = "message")]
pub(super) struct MessageReport {
    pub(super) to: &'static str,
    pub(super) protocol: &'static str,
    pub(super) code: u64,
    pub(super) text: String,
}

impl fmt::Display for MessageReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            to,
            protocol,
            code,
            text,
        } = self;
        write!(f, "   {to:<6} gets message {code} of {protocol}: {text}")
    }
}

/// A measurement.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename = "throughput")]
pub(super) struct Throughput {
    mode: &'static str,
    size: usize,
    count: u64,
    msgs_per_s: f64,
    mb_per_s: f64,
    /// The median, if round trips were measured.
    p50_us: Option<f64>,
}

impl Throughput {
    pub(super) fn new(mode: &'static str, measured: &Measured) -> Self {
        Self {
            mode,
            size: measured.size,
            count: measured.count,
            msgs_per_s: measured.messages_per_second(),
            mb_per_s: measured.megabytes_per_second(),
            p50_us: measured.percentile(0.5).map(micros),
        }
    }
}

impl fmt::Display for Throughput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            mode,
            size,
            count,
            msgs_per_s,
            mb_per_s,
            p50_us,
        } = self;
        write!(f, "   {mode:<6} {count:>6} × {size:>5} bytes: ")?;
        match p50_us {
            Some(p50) => write!(f, "median round trip {p50:.0} µs"),
            None => write!(f, "{msgs_per_s:>9.0} messages/s, {mb_per_s:>6.1} MB/s"),
        }
    }
}

/// Round trips while another protocol does not read its messages.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename = "slow")]
pub(super) struct SlowReport {
    pub(super) queued: usize,
    pub(super) p50_before_us: f64,
    pub(super) p50_beside_us: f64,
}

impl fmt::Display for SlowReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            queued,
            p50_before_us,
            p50_beside_us,
        } = self;
        writeln!(f, "   {:<41} median {p50_before_us:.0} µs", "echo before")?;
        let beside = format!("echo while {queued} messages wait unread");
        write!(f, "   {beside:<41} median {p50_beside_us:.0} µs")
    }
}

/// A peer was dropped.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename = "dropped")]
pub(super) struct Dropped {
    at: &'static str,
    peer: &'static str,
    cause: &'static str,
    reason: Option<DisconnectReason>,
    requested_by: &'static str,
    error: FailureInfo,
    /// The explanation that people get.
    #[serde(skip)]
    ending: String,
}

impl Dropped {
    pub(super) fn new(at: &'static str, peer: &'static str, outcome: &PeerOutcome) -> Self {
        Self {
            at,
            peer,
            cause: outcome.error.cause(),
            reason: outcome.error.reason(),
            requested_by: outcome.error.requested_by(),
            error: (&outcome.error).into(),
            ending: explain::ending(&outcome.error),
        }
    }
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            at, peer, ending, ..
        } = self;
        write!(f, "   {at} drops {peer}: {ending}")
    }
}

/// The demo is over.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename = "done")]
pub(super) struct Done {
    pub(super) ok: bool,
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\nAll connections are closed.")
    }
}
