use std::net::{IpAddr, Ipv6Addr};

/// The network that an address is counted with: the /24 of an IPv4 address, the /64 of an IPv6
/// address. An IPv4 address mapped into IPv6 counts as what it is; ports and zones do not matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Prefix {
    /// The first three bytes.
    V4([u8; 3]),
    /// The first eight bytes, as four groups.
    V6([u16; 4]),
}

impl From<IpAddr> for Prefix {
    fn from(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => {
                let [a, b, c, _] = ip.octets();
                Self::V4([a, b, c])
            }
            IpAddr::V6(ip) => Self::V6(network(ip)),
        }
    }
}

fn network(ip: Ipv6Addr) -> [u16; 4] {
    let [a, b, c, d, ..] = ip.segments();
    [a, b, c, d]
}

/// What counts as one visitor: an IPv4 address, or the /64 of an IPv6 address, of which one
/// household has 2⁶⁴ addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Visitor {
    V4([u8; 4]),
    V6([u16; 4]),
}

impl From<IpAddr> for Visitor {
    fn from(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip.octets()),
            IpAddr::V6(ip) => Self::V6(network(ip)),
        }
    }
}

/// Whether an address is of this machine or of a local network: loopback, private, link-local,
/// unique local.
#[must_use]
pub fn is_local(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn prefix(addr: &str) -> Prefix {
        let addr: SocketAddr = addr.parse().expect("an address");
        addr.ip().into()
    }

    #[test]
    fn a_prefix_is_24_bits_of_ipv4_and_64_bits_of_ipv6_without_port_and_scope() {
        assert_eq!(prefix("192.0.2.77:1"), Prefix::V4([192, 0, 2]));
        assert_eq!(prefix("[::ffff:192.0.2.77]:1"), Prefix::V4([192, 0, 2]));
        let v6 = Prefix::V6([0x2001, 0xdb8, 1, 2]);
        assert_eq!(prefix("[2001:db8:1:2:3:4:5:6]:1"), v6);
        assert_eq!(prefix("[fe80::1%7]:1"), prefix("[fe80::2%8]:1"));
        assert_ne!(prefix("192.0.2.77:1"), prefix("192.0.3.77:1"));
    }

    #[test]
    fn local_addresses_are_loopback_private_and_link_local() {
        let local = |ip: &str| is_local(ip.parse().expect("an address"));
        for ip in [
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "::ffff:127.0.0.1",
            "10.1.1.1",
        ] {
            assert!(local(ip), "{ip}");
        }
        for ip in ["192.168.0.1", "169.254.1.1", "fe80::1", "fd00::1"] {
            assert!(local(ip), "{ip}");
        }
        for ip in [
            "128.0.0.1",
            "8.8.8.8",
            "2001:db8::1",
            "::ffff:8.8.8.8",
            "::",
        ] {
            assert!(!local(ip), "{ip}");
        }
    }
}
