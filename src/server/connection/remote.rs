use crate::node::NodeId;

/// Who opened a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remote {
    /// It has said nothing yet.
    Unknown,
    /// As its auth says, which anybody can write.
    Claimed(NodeId),
    /// As its Hello has proven.
    Proven(NodeId),
}
