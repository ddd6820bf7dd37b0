use crate::node::NodeId;

/// The identity of the remote that opened a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remote {
    /// The remote has sent no auth yet.
    Unknown,
    /// The identity in its auth, which anybody can write.
    Claimed(NodeId),
    /// The identity that its Hello has proven.
    Proven(NodeId),
}
