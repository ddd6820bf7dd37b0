//! The contest of two proven nodes for one place in a full tried bucket.

use std::time::SystemTime;

use crate::node::NodeId;

/// Two nodes that want one place in a full tried bucket.
#[derive(Debug, Clone)]
pub(super) struct Contest {
    /// Holds the place, and keeps it if it answers a probe.
    pub(super) incumbent: NodeId,
    /// Proven too, and waits in a new bucket.
    pub(super) challenger: NodeId,
    /// When the incumbent was last handed out for a probe.
    pub(super) asked: Option<SystemTime>,
    /// How many dials had succeeded when the contest began or a probe last failed.
    pub(super) successes_seen: u64,
}

impl Contest {
    pub(super) fn involves(&self, id: &NodeId) -> bool {
        self.incumbent == *id || self.challenger == *id
    }
}
