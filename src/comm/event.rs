use std::sync::Arc;

use bytes::Bytes;

use super::{CloseReason, HandshakeError, Organisation, PeerId};
use crate::node::{Enode, NodeId};
use crate::peer::Direction;

/// An authenticated connection: who is at the other end, and the proof of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnInfo {
    /// The id of the identity.
    pub id: PeerId,
    /// The identity itself.
    pub identity: Bytes,
    /// Its organisation, if it has one.
    pub organisation: Option<Organisation>,
    /// The node that the identity runs.
    pub node: NodeId,
    /// The node with the connection's remote address, if it has one.
    pub enode: Enode,
    /// Who opened the connection.
    pub direction: Direction,
    /// What the identity signed, so that upper layers can check it again.
    pub signed: Bytes,
    /// The signature of it.
    pub signature: Bytes,
}

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
