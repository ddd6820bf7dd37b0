/// Why a message was not sent. The connection itself is not harmed by a refused message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The peer is ending, or has ended: nothing more is sent.
    #[error("the connection is shutting down")]
    ShuttingDown,
    /// The code is not one of the protocol's.
    #[error("message code {code:#04x} is outside the protocol's {length} codes")]
    InvalidCode {
        /// The code that was given.
        code: u64,
        /// How many codes the protocol has.
        length: u64,
    },
    /// The payload is larger than a frame can surely carry.
    #[error("payload of {size} bytes is over the limit of {limit}")]
    TooLarge {
        /// The payload's size in bytes.
        size: usize,
        /// The limit: what [`max_payload`](crate::rlpx::max_payload) says for the message's id.
        limit: usize,
    },
}

/// Why a message was not queued at once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrySendError {
    /// The protocol's sending queue is full; [`send`](crate::ProtocolConn::send) would wait.
    #[error("the protocol's sending queue is full")]
    Full,
    /// The message cannot be sent at all.
    #[error(transparent)]
    Refused(#[from] SendError),
}
