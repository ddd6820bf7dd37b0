use bytes::Bytes;

use super::{Organisation, PeerId};
use crate::node::{Enode, NodeId};
use crate::setup::Direction;

/// An authenticated connection: the remote's identity and its proof.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnInfo {
    /// The id of the identity.
    pub id: PeerId,
    /// The identity itself.
    pub identity: Bytes,
    /// Its organisation, if it has one.
    pub organisation: Option<Organisation>,
    /// The id of the node at the other end.
    pub node: NodeId,
    /// The node's enode URL, with the connection's remote address if it has one.
    pub enode: Enode,
    /// Which side opened the connection.
    pub direction: Direction,
    /// The bytes that the identity signed, so that upper layers can check them again.
    pub signed: Bytes,
    /// The signature over `signed`.
    pub signature: Bytes,
}
