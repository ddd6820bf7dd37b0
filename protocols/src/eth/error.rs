use peermux::NodeId;
use peermux::requests::RequestError;

/// Why a query failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum HeadersError {
    /// The request failed.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The response cannot be an answer to the query.
    #[error("{peer} answered with headers that do not match the query: {rule}")]
    NotAsked {
        /// The peer.
        peer: NodeId,
        /// The rule that the response breaks.
        rule: &'static str,
    },
}
