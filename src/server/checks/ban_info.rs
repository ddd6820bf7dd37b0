use std::net::IpAddr;
use std::time::Duration;

use crate::ip::banned_net;
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

    /// Returns whether this is the ban of an address that covers `ip`.
    #[must_use]
    pub fn covers(&self, ip: IpAddr) -> bool {
        self.ip
            .is_some_and(|banned| banned_net(banned) == banned_net(ip))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ban_of_an_address_covers_its_network() {
        for (banned, ip, expected) in [
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "::ffff:192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("2001:db8::", "2001:db8::7", true),
            ("2001:db8::", "2001:db8:0:1::7", false),
            ("192.0.2.7", "2001:db8::7", false),
        ] {
            let [one, other] = [banned, ip].map(|text| text.parse().expect("an address"));
            let ban = BanInfo::of_ip(one, Duration::ZERO, "");
            assert_eq!(ban.covers(other), expected, "{banned} {ip}");
        }
        let node = BanInfo::of_node(NodeId::from_bytes([1; 32]), Duration::ZERO, "");
        assert!(!node.covers("192.0.2.7".parse().expect("an address")));
    }
}
