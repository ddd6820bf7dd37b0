//! Groups of addresses that may belong to the same party.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Host;
use crate::ip::{Scope, network};

/// A set of addresses that one party can easily control.
///
/// An address book chooses its buckets by group, and a server opens at most one automatic
/// connection per group. The owner of one network therefore gets only a small part of the book and
/// of the connections.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Group {
    /// An IPv4 network: /16 of a public address, /24 of a private one. An IPv6 address that
    /// embeds an IPv4 address (6to4, Teredo, RFC 6052, RFC 6145) belongs to that address's group.
    V4 {
        /// The network's first address.
        network: Ipv4Addr,
        /// The length of the network's prefix, in bits.
        bits: u8,
    },
    /// An IPv6 network: /32 of a public address, /64 of a private one. In 2001:470::/32, where a
    /// tunnel broker assigns addresses, the network is /36.
    V6 {
        /// The network's first address.
        network: Ipv6Addr,
        /// The length of the network's prefix, in bits.
        bits: u8,
    },
    /// The last two parts of a DNS name, in lower case. The owner of `example.org` can make any
    /// number of names below it. The addresses that the name resolves to do not matter.
    Name(String),
    /// This machine.
    Local,
    /// Addresses that cannot be dialled from anywhere.
    Unroutable,
}

/// Where an address can be dialled from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reach {
    /// From the internet.
    Public,
    /// From inside a private network: RFC 1918, RFC 6598, RFC 4193.
    Private,
    /// From this machine: loopback.
    Local,
    /// From nowhere: addresses for documentation, benchmarks, multicast, link-local and similar
    /// uses.
    Unroutable,
}

impl Group {
    /// Returns the group of a host.
    pub fn of(host: &Host) -> Self {
        match host {
            Host::Ip(ip) => Self::of_ip(*ip),
            Host::Dns(name) => Self::of_name(name),
        }
    }

    /// Returns the group of an IP address.
    pub fn of_ip(ip: IpAddr) -> Self {
        let ip = plain(ip);
        let bits = match (Reach::of(ip), ip) {
            (Reach::Local, _) => return Self::Local,
            (Reach::Unroutable, _) => return Self::Unroutable,
            (Reach::Public, IpAddr::V4(_)) => 16,
            (Reach::Private, IpAddr::V4(_)) => 24,
            (Reach::Public, IpAddr::V6(ip)) if in_v6(ip, [0x2001, 0x470, 0, 0], 32) => 36,
            (Reach::Public, IpAddr::V6(_)) => 32,
            (Reach::Private, IpAddr::V6(_)) => 64,
        };
        match network(ip, bits) {
            IpAddr::V4(network) => Self::V4 { network, bits },
            IpAddr::V6(network) => Self::V6 { network, bits },
        }
    }

    fn of_name(name: &str) -> Self {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        let second_dot = name.rmatch_indices('.').nth(1);
        Self::Name(match second_dot {
            Some((at, _)) => name[at + 1..].to_owned(),
            None => name,
        })
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4 { network, bits } => write!(f, "{network}/{bits}"),
            Self::V6 { network, bits } => write!(f, "{network}/{bits}"),
            Self::Name(name) => write!(f, "*.{name}"),
            Self::Local => f.write_str("local"),
            Self::Unroutable => f.write_str("unroutable"),
        }
    }
}

impl Reach {
    /// Returns where an address can be dialled from.
    ///
    /// If an IPv6 address embeds an IPv4 address, the IPv4 address decides.
    pub fn of(ip: IpAddr) -> Self {
        let ip = plain(ip);
        let (reserved, shared) = match ip {
            IpAddr::V4(ip) => (
                is_reserved_v4(ip),
                ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64,
            ),
            IpAddr::V6(ip) => (is_reserved_v6(ip), false),
        };
        match Scope::of(ip) {
            Scope::Loopback => Self::Local,
            Scope::Unspecified | Scope::LinkLocal => Self::Unroutable,
            _ if reserved || ip.is_multicast() => Self::Unroutable,
            Scope::Private => Self::Private,
            Scope::Global if shared => Self::Private,
            Scope::Global => Self::Public,
        }
    }
}

fn is_reserved_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let benchmark = a == 198 && b & 0xfe == 18;
    let protocol_assignments = (a, b, c) == (192, 0, 0);
    a == 0 || a >= 240 || benchmark || protocol_assignments || ip.is_documentation()
}

fn is_reserved_v6(ip: Ipv6Addr) -> bool {
    let reserved = [
        ([0, 0, 0, 0], 16),
        ([0x100, 0, 0, 0], 64),
        // Cryptographic identifiers, not addresses: RFC 4843 and RFC 7343.
        ([0x2001, 0x10, 0, 0], 28),
        ([0x2001, 0x20, 0, 0], 28),
        ([0x2001, 0xdb8, 0, 0], 32),
    ];
    reserved
        .iter()
        .any(|(start, bits)| in_v6(ip, *start, *bits))
}

/// The IPv4 address inside an IPv6 address that embeds one, otherwise the address itself.
fn plain(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip.to_canonical() else {
        return ip.to_canonical();
    };
    let bits = v6.to_bits();
    let low = bits as u32;
    let embedded = match v6.segments() {
        // 6to4, RFC 3964.
        [0x2002, ..] => Some((bits >> 80) as u32),
        // Teredo, RFC 4380, which writes the address inverted.
        [0x2001, 0, ..] => Some(!low),
        // RFC 6052 and RFC 6145.
        [0x64, 0xff9b, 0, 0, 0, 0, ..] | [0, 0, 0, 0, 0xffff, 0, ..] => Some(low),
        _ => None,
    };
    embedded.map_or(IpAddr::V6(v6), |bits| Ipv4Addr::from_bits(bits).into())
}

/// Whether an address lies in the network `a:b:c:d::/bits`.
fn in_v6(ip: Ipv6Addr, [a, b, c, d]: [u16; 4], bits: u8) -> bool {
    network(ip.into(), bits) == Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)
}
