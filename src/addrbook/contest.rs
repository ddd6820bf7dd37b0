//! The contest of two proven nodes for one slot in a full tried bucket.

use std::time::SystemTime;

use crate::node::NodeId;

/// Two nodes that compete for one slot in a full tried bucket.
#[derive(Debug, Clone)]
pub(super) struct Contest {
    /// The node that holds the slot, and keeps it if it answers a probe.
    pub(super) incumbent: NodeId,
    /// The other proven node, which waits in a new bucket.
    pub(super) challenger: NodeId,
    /// When the incumbent was last handed out for a probe.
    pub(super) asked: Option<SystemTime>,
    /// How many dials had succeeded when the contest began.
    pub(super) successes_seen: u64,
}

impl Contest {
    pub(super) fn involves(&self, id: &NodeId) -> bool {
        self.incumbent == *id || self.challenger == *id
    }
}
