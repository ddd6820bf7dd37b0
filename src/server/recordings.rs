//! The recordings of disconnected peers.

use std::collections::VecDeque;

use crate::mutex::Mutex;
use crate::node::NodeId;
use crate::recorder::{EndedBy, RecordedEnd, Recording};

/// The maximum number of recordings.
const KEPT: usize = 64;

/// The recordings of the nodes that disconnected last, one per node, oldest first.
#[derive(Default)]
pub(crate) struct Recordings(Mutex<VecDeque<Recording>>);

impl Recordings {
    /// Keeps the recording of a disconnected peer.
    ///
    /// The new recording replaces an earlier recording of the same node. If there is no earlier one
    /// and [`KEPT`] recordings exist, the new recording replaces the oldest recording of a
    /// connection that this side ended. If there is no such recording, it replaces the oldest of
    /// all.
    pub(super) fn keep(&self, recording: Recording) {
        let mut kept = self.0.lock();
        let of_same = |one: &Recording| one.node_id() == recording.node_id();
        let gives_way = match kept.iter().position(of_same) {
            Some(place) => Some(place),
            None if kept.len() < KEPT => None,
            None => Some(kept.iter().position(is_expected).unwrap_or(0)),
        };
        if let Some(place) = gives_way {
            kept.remove(place);
        }
        kept.push_back(recording);
    }

    pub(super) fn of(&self, id: &NodeId) -> Option<Recording> {
        let kept = self.0.lock();
        kept.iter().find(|one| one.node_id() == *id).cloned()
    }

    pub(super) fn all(&self) -> Vec<Recording> {
        self.0.lock().iter().cloned().collect()
    }
}

/// Returns whether this side ended the connection.
fn is_expected(recording: &Recording) -> bool {
    let by_us = |end: &RecordedEnd| end.requested_by == EndedBy::Local;
    recording.end().is_some_and(by_us)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::testing::recording_of;

    fn id(n: usize) -> NodeId {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&(n as u64).to_be_bytes());
        NodeId::from_bytes(bytes)
    }

    fn ids(recordings: &Recordings) -> Vec<NodeId> {
        recordings.all().iter().map(Recording::node_id).collect()
    }

    #[test]
    fn the_last_recording_of_each_node_is_kept() {
        let recordings = Recordings::default();
        for n in 0..100 {
            recordings.keep(recording_of(id(n), Some(EndedBy::Io)));
        }
        assert_eq!(ids(&recordings), (36..100).map(id).collect::<Vec<_>>());
        recordings.keep(recording_of(id(40), Some(EndedBy::Remote)));
        assert_eq!(recordings.all().len(), KEPT);
        assert_eq!(ids(&recordings).last(), Some(&id(40)));
        let again = recordings.of(&id(40)).expect("kept");
        let end = again.end().expect("ended");
        assert_eq!(end.requested_by, EndedBy::Remote);
    }

    #[test]
    fn recordings_of_locally_ended_connections_are_dropped_first() {
        let recordings = Recordings::default();
        for n in 0..KEPT {
            let by = if n == 7 { EndedBy::Local } else { EndedBy::Io };
            recordings.keep(recording_of(id(n), Some(by)));
        }
        recordings.keep(recording_of(id(KEPT), Some(EndedBy::Io)));
        assert!(!ids(&recordings).contains(&id(7)));
        recordings.keep(recording_of(id(KEPT + 1), Some(EndedBy::Io)));
        assert!(!ids(&recordings).contains(&id(0)));
    }
}
