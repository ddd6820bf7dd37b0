//! One request and its phase.

use tokio::time::Instant;

use crate::connmgr::claims::Claim;
use crate::connmgr::request::{
    Address, Candidate, ConnState, Count, Counts, Kind, ReqId, RequestInfo,
};

/// The phase of a request. A request that has ended is forgotten, so it has no phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The request waits for a dial slot.
    Queued {
        /// The request's position in the queue.
        place: u64,
    },
    /// The request's dial is in flight.
    Dialing,
    /// The request waits until a given time.
    Waiting {
        until: Instant,
        /// Whether the wait follows a failed dial. Otherwise it follows the end of a connection, or
        /// an earlier request's dial of the same candidate.
        failed: bool,
    },
    /// The request is connected.
    Connected {
        since: Instant,
        /// Whether the owner has marked the connection ready.
        ready: bool,
    },
}

#[derive(Debug)]
pub(super) struct Entry<A: Address> {
    pub(super) kind: Kind,
    pub(super) candidate: Candidate<A>,
    pub(super) phase: Phase,
    /// Number of dials so far. Reports about a dial or its connection carry this number, so that a
    /// report about an earlier dial can be ignored.
    pub(super) generation: u32,
    pub(super) failures: u32,
    /// Number of failures that were this side's own refusals, not the remote's faults.
    pub(super) unwanted: u32,
    /// When the next attempt would be due without this side's own refusals.
    pub(super) due: Option<Instant>,
    pub(super) last_dial: Option<Instant>,
    /// The claim, held while the request exists; an accepted connection claims nothing.
    pub(super) claim: Option<Claim<A>>,
}

impl<A: Address> Entry<A> {
    pub(super) fn state(&self) -> ConnState {
        match self.phase {
            Phase::Waiting { failed: true, .. } => ConnState::Failing,
            Phase::Queued { .. } | Phase::Dialing | Phase::Waiting { .. } => ConnState::Pending {
                attempt: self.failures,
            },
            Phase::Connected { ready: false, .. } => ConnState::Established,
            Phase::Connected { ready: true, .. } => ConnState::Ready,
        }
    }

    pub(super) fn is_connected(&self) -> bool {
        matches!(self.phase, Phase::Connected { .. })
    }

    pub(super) fn info(&self, id: ReqId, now: Instant) -> RequestInfo<A> {
        RequestInfo {
            id,
            kind: self.kind,
            addr: self.candidate.addr().clone(),
            state: self.state(),
            failures: self.failures,
            next_dial: match self.phase {
                Phase::Waiting { until, .. } => Some(until.saturating_duration_since(now)),
                _ => None,
            },
        }
    }
}

/// Returns the counter of the connected requests of `kind`, or that of all others.
pub(super) fn counter(counts: &mut Counts, kind: Kind, connected: bool) -> &mut usize {
    let Count {
        pending,
        connected: up,
    } = match kind {
        Kind::Automatic => &mut counts.automatic,
        Kind::Permanent(_) => &mut counts.permanent,
        Kind::OneShot => &mut counts.one_shot,
        Kind::Inbound => &mut counts.inbound,
    };
    if connected { up } else { pending }
}
