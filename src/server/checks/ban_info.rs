use std::net::IpAddr;
use std::time::Duration;

use crate::node::NodeId;
use crate::time::millis;

/// A current ban of a node or an address.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct BanInfo {
    /// The banned node; `None` for the ban of an address.
    pub node_id: Option<NodeId>,
    /// The banned IP address; `None` for the ban of a node. An IPv6 address represents its /64.
    pub ip: Option<IpAddr>,
    /// The remaining time, in milliseconds.
    pub left_ms: u64,
    /// The reason as human-readable text; at most 256 characters.
    pub reason: String,
}

impl BanInfo {
    /// Creates the ban of a node, with the remaining time.
    #[must_use]
    pub fn of_node(node: NodeId, left: Duration, reason: impl Into<String>) -> Self {
        Self {
            node_id: Some(node),
            ip: None,
            left_ms: millis(left),
            reason: reason.into(),
        }
    }

    /// Creates the ban of an address, with the remaining time.
    #[must_use]
    pub fn of_ip(ip: IpAddr, left: Duration, reason: impl Into<String>) -> Self {
        Self {
            node_id: None,
            ip: Some(ip),
            left_ms: millis(left),
            reason: reason.into(),
        }
    }
}
