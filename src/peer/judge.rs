use crate::node::NodeId;

/// Scores misbehaving nodes. The owner of the peers, such as a server, implements this.
pub(crate) trait Judge: Send + Sync {
    /// Adds points to a node's score and returns the new score. This may disconnect the node.
    fn penalise(&self, node: &NodeId, points: u32, reason: &str) -> u32;

    /// A node's score.
    fn score(&self, node: &NodeId) -> u32;
}
