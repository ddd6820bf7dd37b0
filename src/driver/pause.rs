//! Pauses of reading that this side causes.

use std::time::Duration;

use tokio::time::Instant;

use crate::channel::{OverBudget, PushError};
use crate::p2p::Capability;
use crate::peer::Peer;
use crate::recorder::{PauseCause, RecordedEvent};

/// A pause of reading, during which the remote's silence does not count.
pub(super) struct Pause<'a> {
    peer: &'a Peer,
    pausing: Pausing<'a>,
    since: Instant,
}

/// The cause of a pause, and the protocol that caused it, if there is one.
pub(super) struct Pausing<'a> {
    pub(super) index: Option<u16>,
    pub(super) capability: Option<&'a Capability>,
    pub(super) cause: PauseCause,
}

impl<'a> Pause<'a> {
    pub(super) fn begin(peer: &'a Peer, pausing: Pausing<'a>) -> Self {
        let since = Instant::now();
        let control = peer.control();
        control.note_pause(true);
        let paused = RecordedEvent::Paused {
            protocol: pausing.index,
            cause: pausing.cause,
        };
        control.recorder.record(since, paused);
        Self {
            peer,
            pausing,
            since,
        }
    }

    /// Returns how long the pause has lasted.
    pub(super) fn so_far(&self) -> Duration {
        self.since.elapsed()
    }

    /// Resumes reading.
    pub(super) fn end(self) {
        let control = self.peer.control();
        control.note_pause(false);
        let after = self.so_far();
        let resumed = RecordedEvent::Resumed { after };
        control.recorder.record(Instant::now(), resumed);
    }
}

impl Drop for Pause<'_> {
    /// Counts the pause, even if the connection ended during it.
    fn drop(&mut self) {
        let cause = match self.pausing.cause {
            PauseCause::QueueFull => "queue_full",
            PauseCause::PeerMemory => "peer_memory",
            PauseCause::NodeMemory => "node_memory",
        };
        let meters = &self.peer.control().meters;
        meters.read_paused(self.pausing.capability, cause, self.so_far());
    }
}

/// Returns why there is no room for a message.
pub(super) fn cause_of(error: PushError) -> PauseCause {
    match error {
        PushError::OverBudget(over) => cause_over(over),
        _ => PauseCause::QueueFull,
    }
}

/// Returns the pause cause for the exhausted budget.
pub(super) fn cause_over(over: OverBudget) -> PauseCause {
    match over {
        OverBudget::Peer => PauseCause::PeerMemory,
        OverBudget::Node => PauseCause::NodeMemory,
    }
}
