//! The recordings of peers.

use super::{Peer, PeerError, PeerOutcome};
use crate::p2p::SharedCapability;
use crate::printable::printable;
use crate::recorder::{EndedBy, Recorded, RecordedEnd, Recording};

/// The maximum length of a recorded cause, in characters.
const LONGEST_CAUSE: usize = 500;

impl Peer {
    /// Returns the recording of the connection; see [`recorder`](crate::recorder).
    ///
    /// The recording contains the last traffic and, if the connection has ended, how it ended. It
    /// is empty if [`with_recording`](crate::PeerConfig::with_recording) turned recording off. A
    /// handle still returns the recording after the peer has disconnected.
    #[must_use]
    pub fn recording(&self) -> Recording {
        self.recording_at(self.outcome().as_deref())
    }

    /// Like [`recording`](Self::recording), but with the given outcome.
    pub(crate) fn recording_at(&self, end: Option<&PeerOutcome>) -> Recording {
        let recorder = &self.control().recorder;
        let protocols = self.shared_capabilities().iter();
        let name = |shared: &SharedCapability| shared.capability.clone();
        let peer = Recorded {
            node_id: self.id(),
            client: self.full_name(),
            direction: self.direction(),
            addr: self.remote_addr(),
            protocols: protocols.map(name).collect(),
            connected_at: recorder.connected_at(),
            lifetime: end.map_or_else(|| self.lifetime(), |end| end.lifetime),
            end: end.map(recorded_end),
        };
        Recording::of(recorder, peer)
    }
}

fn recorded_end(outcome: &PeerOutcome) -> RecordedEnd {
    RecordedEnd {
        error: printable(&outcome.error.to_string(), LONGEST_CAUSE),
        stage: outcome.error.stage(),
        fault: outcome.error.fault(),
        reason: outcome.error.reason(),
        requested_by: ended_by(&outcome.error),
        unsent: outcome.unsent,
    }
}

fn ended_by(error: &PeerError) -> EndedBy {
    match (error.remote_requested(), error.reason()) {
        (true, _) => EndedBy::Remote,
        (false, Some(_)) => EndedBy::Local,
        (false, None) => EndedBy::Io,
    }
}
