use std::net::IpAddr;
use std::time::Duration;

use crate::node::NodeId;
use crate::time::millis;

/// A ban of a node or an address that holds now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct BanInfo {
    /// The node, if one is banned.
    pub node_id: Option<NodeId>,
    /// The IP address, if one is banned; an IPv6 address stands for its /64.
    pub ip: Option<IpAddr>,
    /// The remaining time, in milliseconds.
    pub left_ms: u64,
    /// The reason, as text for people; at most 256 characters.
    pub reason: String,
}

impl BanInfo {
    /// Makes the ban of a node, with the remaining time.
    #[must_use]
    pub fn of_node(node: NodeId, left: Duration, reason: impl Into<String>) -> Self {
        Self {
            node_id: Some(node),
            ip: None,
            left_ms: millis(left),
            reason: reason.into(),
        }
    }

    /// Makes the ban of an address, with the remaining time.
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
