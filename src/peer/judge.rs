use crate::node::NodeId;

/// Scores misbehaving nodes; implemented by the owner of the peers, such as a server.
pub(crate) trait Judge: Send + Sync {
    /// Adds to a node's score and returns it. This may disconnect the node.
    fn penalise(&self, node: &NodeId, points: u32, reason: &str) -> u32;

    /// A node's score.
    fn score(&self, node: &NodeId) -> u32;
}
