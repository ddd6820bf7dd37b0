//! Finds bans of a node, and describes them to the operator.

use std::net::IpAddr;
use std::time::Duration;

use peermux::server::BanInfo;
use peermux::{Enode, NodeId};

use crate::human;

/// Returns the ban of a node.
pub(crate) fn of_node(bans: &[BanInfo], id: &NodeId) -> Option<BanInfo> {
    let mut bans = bans.iter();
    bans.find(|ban| ban.node_id.as_ref() == Some(id)).cloned()
}

/// Returns the ban of a node, or of the address in its enode URL.
pub(crate) fn of_enode(bans: &[BanInfo], node: &Enode) -> Option<BanInfo> {
    of_node(bans, &node.node_id()).or_else(|| {
        let ip = node.endpoint()?.socket_addr()?.ip();
        let mut bans = bans.iter();
        bans.find(|ban| ban.ip.is_some_and(|banned| covers(banned, ip)))
            .cloned()
    })
}

/// Returns whether a ban of the address `banned` holds for `ip`. A ban of an IPv6 address covers its /64.
fn covers(banned: IpAddr, ip: IpAddr) -> bool {
    match (banned.to_canonical(), ip.to_canonical()) {
        (IpAddr::V6(banned), IpAddr::V6(ip)) => banned.segments()[..4] == ip.segments()[..4],
        (banned, ip) => banned == ip,
    }
}

/// Describes a ban: the time left, the reason, and the command that lifts it.
pub(crate) fn notice(ban: &BanInfo) -> String {
    let target = match (ban.node_id, ban.ip) {
        (Some(id), _) => id.to_string(),
        (None, Some(ip)) => ip.to_string(),
        (None, None) => String::new(),
    };
    let left = human::time(Duration::from_millis(ban.left_ms));
    let reason = match ban.reason.as_str() {
        "" => String::new(),
        reason => format!(" ({reason})"),
    };
    format!(
        "{target} is banned for another {left}{reason}; `peermux peers unban {target}` lifts the ban"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ban_of_an_address_covers_its_nodes() {
        for (banned, ip, expected) in [
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "::ffff:192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("2001:db8::", "2001:db8::7", true),
            ("2001:db8::", "2001:db8:0:1::7", false),
            ("192.0.2.7", "2001:db8::7", false),
        ] {
            let [one, other] = [banned, ip].map(|text| text.parse().expect("an address"));
            assert_eq!(covers(one, other), expected, "{banned} {ip}");
        }
    }

    #[test]
    fn a_notice_has_the_time_the_reason_and_the_way_out() {
        let ip = "192.0.2.7".parse().expect("an address");
        let ban = BanInfo::of_ip(ip, Duration::from_secs(192), "spam");
        assert_eq!(
            notice(&ban),
            "192.0.2.7 is banned for another 3m 12s (spam); `peermux peers unban 192.0.2.7` lifts the ban"
        );
    }
}
