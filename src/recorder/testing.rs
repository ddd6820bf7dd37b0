//! Recordings for tests.

use std::time::{Duration, SystemTime};

use super::recording::Recorded;
use super::{EndedBy, RecordedEnd, Recording};
use crate::fault::Fault;
use crate::node::NodeId;
use crate::setup::Direction;
use crate::stage::Stage;

/// Returns an empty recording of a node whose connection was ended by `ended_by`.
pub(crate) fn recording_of(node_id: NodeId, ended_by: Option<EndedBy>) -> Recording {
    let end = |requested_by| RecordedEnd {
        error: "it ended".to_owned(),
        stage: Stage::Message,
        fault: Fault::Io,
        reason: None,
        requested_by,
        unsent: 0,
    };
    let peer = Recorded {
        node_id,
        client: "someone/v1".to_owned(),
        direction: Direction::Inbound,
        addr: None,
        protocols: Vec::new(),
        connected_at: SystemTime::UNIX_EPOCH,
        lifetime: Duration::ZERO,
        end: ended_by.map(end),
    };
    Recording::from_entries(peer, 0, [])
}
