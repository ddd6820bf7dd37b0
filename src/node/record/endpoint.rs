//! Selection of a record's addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::NodeRecord;
use crate::ip::Scope;
use crate::node::{Endpoint, Host};

/// The endpoints of the node's addresses with the widest scope, IPv4 first. An address of a
/// narrower scope is left out, since it has a meaning only near that node.
pub(super) fn all(record: &NodeRecord) -> impl Iterator<Item = Endpoint> {
    let usable = |ip: &IpAddr| !ip.is_multicast();
    let v4 = address::<4>(record, "ip")
        .map(|octets| IpAddr::V4(Ipv4Addr::from(octets)))
        .filter(usable);
    let v6 = address::<16>(record, "ip6")
        .map(|octets| IpAddr::V6(Ipv6Addr::from(octets)).to_canonical())
        .filter(usable);
    let scopes = (v4.map(Scope::of), v6.map(Scope::of));
    let (v4, v6) = match scopes {
        (Some(near), Some(far)) if far > near => (None, v6),
        (Some(far), Some(near)) if far > near => (v4, None),
        _ => (v4, v6),
    };
    [v4, v6].into_iter().flatten().map(|ip| at(record, ip))
}

fn at(record: &NodeRecord, ip: IpAddr) -> Endpoint {
    let port = |name, name6| {
        let own = if ip.is_ipv6() {
            record.get(name6)
        } else {
            None
        };
        own.or_else(|| record.get(name)).unwrap_or(0)
    };
    Endpoint {
        host: Host::Ip(ip),
        tcp: port("tcp", "tcp6"),
        udp: port("udp", "udp6"),
    }
}

fn address<const N: usize>(record: &NodeRecord, key: &str) -> Option<[u8; N]> {
    record.get::<Vec<u8>>(key)?.try_into().ok()
}
