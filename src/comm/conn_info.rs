use bytes::Bytes;

use super::{Organisation, PeerId};
use crate::node::{Enode, NodeId};
use crate::setup::Direction;

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
