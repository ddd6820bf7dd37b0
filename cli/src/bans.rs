//! Finds bans of a node, and describes them to the operator.

use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;

use peermux::server::BanInfo;
use peermux::{Enode, NodeId};
use peermux_cli::request::BanTime;

use crate::duration;
use crate::human;

/// Returns the ban of a node.
fn of_node(bans: &[BanInfo], id: &NodeId) -> Option<BanInfo> {
    let mut bans = bans.iter();
    bans.find(|ban| ban.node_id.as_ref() == Some(id)).cloned()
}

/// Returns the ban of a node, or of one of these addresses.
pub(crate) fn of_node_at(
    bans: &[BanInfo],
    id: &NodeId,
    ips: impl IntoIterator<Item = IpAddr>,
) -> Option<BanInfo> {
    let of_ip = |ip| bans.iter().find(|ban| ban.covers(ip)).cloned();
    of_node(bans, id).or_else(|| ips.into_iter().find_map(of_ip))
}

/// Returns the addresses in an enode URL or a record.
pub(crate) fn ips(node: &Enode) -> impl Iterator<Item = IpAddr> {
    let endpoints = node.tcp_endpoints();
    endpoints.filter_map(|endpoint| Some(endpoint.socket_addr()?.ip()))
}

/// Reads the duration of a ban.
pub(crate) fn time(text: &str) -> Result<BanTime, Box<dyn Error + Send + Sync>> {
    Ok(duration::read(text)?.try_into()?)
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
    fn a_notice_has_the_time_the_reason_and_the_way_out() {
        let ip = "192.0.2.7".parse().expect("an address");
        let ban = BanInfo::of_ip(ip, Duration::from_secs(192), "spam");
        assert_eq!(
            notice(&ban),
            "192.0.2.7 is banned for another 3m 12s (spam); `peermux peers unban 192.0.2.7` lifts the ban"
        );
    }
}
