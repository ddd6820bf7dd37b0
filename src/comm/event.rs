use std::sync::Arc;

use super::{ConnInfo, ConnectionEnd, EstablishError, PeerId};
use crate::node::NodeId;

/// An event on the connections of identities.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum CommEvent {
    /// An identity is connected.
    Opened {
        /// The identity and its proof.
        info: Arc<ConnInfo>,
    },
    /// A connection of an identity ended; the identity may have another one.
    Closed {
        /// The id of the identity.
        id: PeerId,
        /// Why it ended.
        reason: ConnectionEnd,
    },
    /// A connected node proved no identity and was disconnected.
    Refused {
        /// The node.
        node: NodeId,
        /// What was wrong.
        error: EstablishError,
    },
    /// An identity sent an Ack that no sender waits for, or no longer. The connection stays open.
    UnaskedAck {
        /// The id of the identity.
        id: PeerId,
    },
}
