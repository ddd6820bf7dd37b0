//! What a protocol says about itself.

use std::fmt;
use std::sync::Arc;

use crate::node::NodeId;

/// What a protocol says about this node or about one of its peers, for people: a JSON value, which
/// is made and read with the feature `serde`.
#[derive(Clone, PartialEq)]
pub struct ProtocolInfo {
    #[cfg(feature = "serde")]
    value: serde_json::Value,
}

impl ProtocolInfo {
    /// Nothing, which is shown as `"unknown"`.
    #[must_use]
    pub fn unknown() -> Self {
        Self {
            #[cfg(feature = "serde")]
            value: serde_json::Value::from("unknown"),
        }
    }

    /// A value that has a JSON form; [`unknown`](Self::unknown) if it has none.
    #[cfg(feature = "serde")]
    #[must_use]
    pub fn of(value: impl serde::Serialize) -> Self {
        serde_json::to_value(value).map_or_else(|_| Self::unknown(), |value| Self { value })
    }

    #[cfg(feature = "serde")]
    pub(crate) fn into_value(self) -> serde_json::Value {
        self.value
    }
}

impl fmt::Debug for ProtocolInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[cfg(feature = "serde")]
        return write!(f, "ProtocolInfo({})", self.value);
        #[cfg(not(feature = "serde"))]
        f.write_str("ProtocolInfo")
    }
}

/// The functions of one protocol that are asked.
#[derive(Clone, Default)]
pub(crate) struct InfoFns {
    pub(super) node: Option<Arc<dyn Fn() -> ProtocolInfo + Send + Sync>>,
    pub(super) peer: Option<Arc<dyn Fn(NodeId) -> Option<ProtocolInfo> + Send + Sync>>,
}

#[cfg(feature = "serde")]
impl InfoFns {
    pub(crate) fn of_node(&self) -> serde_json::Value {
        let info = self.node.as_ref().map(|info| info());
        info.unwrap_or_else(ProtocolInfo::unknown).into_value()
    }

    /// `"handshake"` while the function yields nothing.
    pub(crate) fn of_peer(&self, id: NodeId) -> serde_json::Value {
        let info = self.peer.as_ref().map(|info| info(id));
        match info.unwrap_or_else(|| Some(ProtocolInfo::unknown())) {
            Some(info) => info.into_value(),
            None => serde_json::Value::from("handshake"),
        }
    }
}
