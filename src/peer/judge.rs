use crate::node::NodeId;

/// Decides about nodes that misbehave, for peers that belong to something larger, such as a server.
pub(crate) trait Judge: Send + Sync {
    /// Adds to a node's score and returns it. It may end the node's peer.
    fn penalise(&self, node: &NodeId, points: u32, reason: &str) -> u32;

    /// A node's score.
    fn score(&self, node: &NodeId) -> u32;
}
