use peermux::NodeId;
use peermux::requests::RequestError;

/// Why a query brought no headers.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum HeadersError {
    /// No response came.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The response cannot be that to the query.
    #[error("{peer} answered with headers that were not asked for: {rule}")]
    NotAsked {
        /// The peer.
        peer: NodeId,
        /// The rule that the response breaks.
        rule: &'static str,
    },
}
