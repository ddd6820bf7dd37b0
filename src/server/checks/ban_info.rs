use std::net::IpAddr;
use std::time::Duration;

use crate::node::NodeId;
use crate::time::millis;

/// A ban that holds now: of a node or of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct BanInfo {
    /// The node, if one is banned.
    pub node_id: Option<NodeId>,
    /// The IP address, if one is banned; an IPv6 address stands for its /64.
    pub ip: Option<IpAddr>,
    /// How much longer it holds, in milliseconds.
    pub left_ms: u64,
    /// Why, for people; at most 256 characters.
    pub reason: String,
}

impl BanInfo {
    /// The ban of a node for this much longer.
    #[must_use]
    pub fn of_node(node: NodeId, left: Duration, reason: impl Into<String>) -> Self {
        Self {
            node_id: Some(node),
            ip: None,
            left_ms: millis(left),
            reason: reason.into(),
        }
    }

    /// The ban of an address for this much longer.
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
