//! Which addresses are one party's for all we know.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Host;

/// A set of addresses that one party can easily get hold of together.
///
/// An address book chooses its buckets by group, and a server makes one connection to a group by
/// itself: who owns one network then owns a small part of the book and of the connections.
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
    /// An IPv6 network: /32 of a public address, /36 where a tunnel broker hands out addresses
    /// (2001:470::/32), /64 of a private one.
    V6 {
        /// The network's first address.
        network: Ipv6Addr,
        /// The length of the network's prefix, in bits.
        bits: u8,
    },
    /// The last two parts of a DNS name, in lower case: whoever owns `example.org` can make any
    /// number of names below it. Which addresses the name stands for does not matter.
    Name(String),
    /// This machine.
    Local,
    /// Addresses that cannot be dialled from anywhere.
    Unroutable,
}

/// From where an address can be dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reach {
    /// From the internet.
    Public,
    /// From inside a private network: RFC 1918, RFC 6598, RFC 4193.
    Private,
    /// From this machine: loopback.
    Local,
    /// From nowhere: reserved for documentation, benchmarks, multicast, link-local and such.
    Unroutable,
}

impl Group {
    /// The group of a host.
    pub fn of(host: &Host) -> Self {
        match host {
            Host::Ip(ip) => Self::of_ip(*ip),
            Host::Dns(name) => Self::of_name(name),
        }
    }

    /// The group of an IP address.
    pub fn of_ip(ip: IpAddr) -> Self {
        let ip = plain(ip);
        match (Reach::of(ip), ip) {
            (Reach::Local, _) => Self::Local,
            (Reach::Unroutable, _) => Self::Unroutable,
            (Reach::Public, IpAddr::V4(ip)) => Self::v4(ip, 16),
            (Reach::Private, IpAddr::V4(ip)) => Self::v4(ip, 24),
            (Reach::Public, IpAddr::V6(ip)) if in_v6(ip, [0x2001, 0x470, 0, 0], 32) => {
                Self::v6(ip, 36)
            }
            (Reach::Public, IpAddr::V6(ip)) => Self::v6(ip, 32),
            (Reach::Private, IpAddr::V6(ip)) => Self::v6(ip, 64),
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

    fn v4(ip: Ipv4Addr, bits: u8) -> Self {
        let network = Ipv4Addr::from_bits(ip.to_bits() & (u32::MAX << (32 - bits)));
        Self::V4 { network, bits }
    }

    fn v6(ip: Ipv6Addr, bits: u8) -> Self {
        let network = Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << (128 - bits)));
        Self::V6 { network, bits }
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
    /// From where this address can be dialled; an embedded IPv4 address decides for the whole.
    pub fn of(ip: IpAddr) -> Self {
        match plain(ip) {
            IpAddr::V4(ip) => Self::of_v4(ip),
            IpAddr::V6(ip) => Self::of_v6(ip),
        }
    }

    fn of_v4(ip: Ipv4Addr) -> Self {
        let [a, b, c, _] = ip.octets();
        let benchmark = a == 198 && b & 0xfe == 18;
        let protocol_assignments = (a, b, c) == (192, 0, 0);
        let reserved = a == 0 || a >= 240 || benchmark || protocol_assignments;
        let shared = a == 100 && b & 0xc0 == 64;
        if ip.is_loopback() {
            Self::Local
        } else if reserved || ip.is_multicast() || ip.is_link_local() || ip.is_documentation() {
            Self::Unroutable
        } else if ip.is_private() || shared {
            Self::Private
        } else {
            Self::Public
        }
    }

    fn of_v6(ip: Ipv6Addr) -> Self {
        let reserved = [
            ([0, 0, 0, 0], 16),
            ([0x100, 0, 0, 0], 64),
            // Names for cryptographic identities, no addresses: RFC 4843 and RFC 7343.
            ([0x2001, 0x10, 0, 0], 28),
            ([0x2001, 0x20, 0, 0], 28),
            ([0x2001, 0xdb8, 0, 0], 32),
        ];
        let is_reserved = reserved
            .iter()
            .any(|(start, bits)| in_v6(ip, *start, *bits));
        if ip.is_loopback() {
            Self::Local
        } else if is_reserved || ip.is_multicast() || ip.is_unicast_link_local() {
            Self::Unroutable
        } else if ip.is_unique_local() {
            Self::Private
        } else {
            Self::Public
        }
    }
}

/// The IPv4 address inside an IPv6 address that embeds one, else the address itself.
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

/// Whether an address lies in the network of `bits` bits that starts with these four segments.
fn in_v6(ip: Ipv6Addr, start: [u16; 4], bits: u32) -> bool {
    let [a, b, c, d] = start;
    let start = Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).to_bits();
    (ip.to_bits() ^ start) >> (128 - bits) == 0
}
