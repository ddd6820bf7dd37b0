//! Which of a record's addresses to use.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::NodeRecord;
use crate::ip::Scope;
use crate::node::{Endpoint, Host};

/// The address that reaches farthest; of two that reach as far, the IPv4 address.
pub(super) fn choose(record: &NodeRecord) -> Option<Endpoint> {
    let usable = |ip: &IpAddr| !ip.is_multicast();
    let v4 = address::<4>(record, "ip")
        .map(|octets| IpAddr::V4(Ipv4Addr::from(octets)))
        .filter(usable);
    let v6 = address::<16>(record, "ip6")
        .map(|octets| IpAddr::V6(Ipv6Addr::from(octets)).to_canonical())
        .filter(usable);
    let ip = match (v4, v6) {
        (Some(v4), Some(v6)) if Scope::of(v6) > Scope::of(v4) => v6,
        (Some(v4), _) => v4,
        (None, v6) => v6?,
    };
    let port = |name, name6| {
        let own = if ip.is_ipv6() {
            record.get(name6)
        } else {
            None
        };
        own.or_else(|| record.get(name)).unwrap_or(0)
    };
    Some(Endpoint {
        host: Host::Ip(ip),
        tcp: port("tcp", "tcp6"),
        udp: port("udp", "udp6"),
    })
}

fn address<const N: usize>(record: &NodeRecord, key: &str) -> Option<[u8; N]> {
    record.get::<Vec<u8>>(key)?.try_into().ok()
}
