use std::sync::Arc;

use super::{CloseReason, ConnInfo, HandshakeError, PeerId};
use crate::node::NodeId;

/// Something that happened to the connections of identities.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum CommEvent {
    /// An identity is connected.
    Opened {
        /// Who, and the proof.
        info: Arc<ConnInfo>,
    },
    /// A connection of an identity ended; it may have another one.
    Closed {
        /// Whose.
        id: PeerId,
        /// Why.
        reason: CloseReason,
    },
    /// A connected node proved no identity, and was disconnected.
    Refused {
        /// The node.
        node: NodeId,
        /// What was wrong.
        error: HandshakeError,
    },
    /// An identity acknowledged something that nobody waits for, or no longer. The connection
    /// lives on.
    UnaskedAck {
        /// Who did.
        id: PeerId,
    },
}
