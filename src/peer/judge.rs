use crate::node::NodeId;

/// Scores nodes that misbehave, for the owner of their peers, such as a server.
pub(crate) trait Judge: Send + Sync {
    /// Adds to a node's score and returns it. This may end the node's peer.
    fn penalise(&self, node: &NodeId, points: u32, reason: &str) -> u32;

    /// A node's score.
    fn score(&self, node: &NodeId) -> u32;
}
