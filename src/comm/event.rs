use std::sync::Arc;

use super::{ConnInfo, ConnectionEnd, EstablishError, PeerId};
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
        reason: ConnectionEnd,
    },
    /// A connected node proved no identity, and was disconnected.
    Refused {
        /// The node.
        node: NodeId,
        /// What was wrong.
        error: EstablishError,
    },
    /// An identity acknowledged something that nobody waits for, or no longer. The connection
    /// lives on.
    UnaskedAck {
        /// Who did.
        id: PeerId,
    },
}
