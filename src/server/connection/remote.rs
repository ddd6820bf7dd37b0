use crate::node::NodeId;

/// The identity of the remote that opened a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remote {
    /// The remote has not yet sent an auth.
    Unknown,
    /// The identity in its auth, which anyone can claim.
    Claimed(NodeId),
    /// The identity that its Hello has proven.
    Proven(NodeId),
}
