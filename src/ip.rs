//! IP addresses: their scope, and the networks that contain them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The scope of an address; a wider scope is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    Unspecified,
    Loopback,
    LinkLocal,
    /// RFC 1918, RFC 4193.
    Private,
    Global,
}

impl Scope {
    /// The scope of an address. An IPv4 address mapped into IPv6 counts as IPv4.
    pub(crate) fn of(ip: IpAddr) -> Self {
        let ip = ip.to_canonical();
        let (link_local, private) = match ip {
            IpAddr::V4(ip) => (ip.is_link_local(), ip.is_private()),
            IpAddr::V6(ip) => (ip.is_unicast_link_local(), ip.is_unique_local()),
        };
        match ip {
            _ if ip.is_unspecified() => Self::Unspecified,
            _ if ip.is_loopback() => Self::Loopback,
            _ if link_local => Self::LinkLocal,
            _ if private => Self::Private,
            _ => Self::Global,
        }
    }
}

/// Converts an IPv4 address mapped into IPv6, as dual-stack sockets report it, to IPv4.
pub(crate) fn canonical(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}

/// The first address of `ip`'s network, whose prefix has `bits` bits.
pub(crate) fn network(ip: IpAddr, bits: u8) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => {
            let host = u32::MAX.checked_shr(bits.into()).unwrap_or(0);
            Ipv4Addr::from_bits(ip.to_bits() & !host).into()
        }
        IpAddr::V6(ip) => {
            let host = u128::MAX.checked_shr(bits.into()).unwrap_or(0);
            Ipv6Addr::from_bits(ip.to_bits() & !host).into()
        }
    }
}

/// The first address of a network, and the length of its prefix in bits.
#[cfg(feature = "connmgr")]
pub(crate) type Network = (IpAddr, u8);

/// The networks that contain an address, smallest first. One party may own a network of any of
/// these sizes.
#[cfg(feature = "connmgr")]
pub(crate) fn networks(ip: IpAddr) -> impl Iterator<Item = Network> {
    let ip = ip.to_canonical();
    let sizes: &[u8] = if ip.is_ipv4() {
        &[24, 16]
    } else {
        &[64, 48, 32]
    };
    sizes.iter().map(move |bits| (network(ip, *bits), *bits))
}

/// The network of an address. Its prefix has `v4` bits for IPv4 and `v6` bits for IPv6. An IPv4
/// address mapped into IPv6 counts as IPv4.
#[cfg(any(feature = "addrbook", feature = "connmgr", feature = "discv4"))]
pub(crate) fn network_by_family(ip: IpAddr, v4: u8, v6: u8) -> IpAddr {
    let ip = ip.to_canonical();
    network(ip, if ip.is_ipv4() { v4 } else { v6 })
}

/// Returns the first address of the network that a ban of `ip` covers.
///
/// A ban of an IPv6 address covers its /64.
#[cfg(any(feature = "addrbook", feature = "server"))]
pub(crate) fn banned_net(ip: IpAddr) -> IpAddr {
    network_by_family(ip, 32, 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_network_is_the_first_bits_of_an_address() {
        for (address, bits, first) in [
            ("192.0.2.77", 0, "0.0.0.0"),
            ("192.0.2.77", 24, "192.0.2.0"),
            ("192.0.2.77", 31, "192.0.2.76"),
            ("192.0.2.77", 32, "192.0.2.77"),
            ("2001:db8:1:2:3:4:5:6", 0, "::"),
            ("2001:db8:1:2:3:4:5:6", 64, "2001:db8:1:2::"),
            ("2001:470:1234::1", 36, "2001:470:1000::"),
            ("2001:db8::1", 128, "2001:db8::1"),
        ] {
            assert_eq!(network(ip(address), bits), ip(first), "{address}/{bits}");
        }
    }

    #[test]
    fn a_mapped_address_counts_as_ipv4() {
        let network = |text| network_by_family(ip(text), 24, 64);
        assert_eq!(network("::ffff:192.0.2.77"), ip("192.0.2.0"));
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), ip("2001:db8:1:2::"));
    }

    #[test]
    fn scopes() {
        for (scope, addresses) in [
            (Scope::Unspecified, "0.0.0.0 ::"),
            (Scope::Loopback, "127.0.0.1 127.9.9.9 ::1 ::ffff:127.0.0.1"),
            (Scope::LinkLocal, "169.254.1.1 fe80::1"),
            (Scope::Private, "10.1.1.1 172.16.0.1 192.168.0.1 fd00::1"),
            (Scope::Global, "128.0.0.1 2001:db8::1 ::ffff:8.8.8.8"),
        ] {
            for address in addresses.split_whitespace() {
                assert_eq!(Scope::of(ip(address)), scope, "{address}");
            }
        }
    }
}
