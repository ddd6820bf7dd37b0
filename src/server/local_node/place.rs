//! The addresses and ports in a node's record.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::node::{Endpoint, Host, NodeRecordBuilder};

/// The keys that a [`Place`] sets.
pub(super) const KEYS: [&str; 6] = ["ip", "tcp", "udp", "ip6", "tcp6", "udp6"];

/// The known addresses of a node, by origin.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    /// The port for connections, if the node listens.
    pub(super) tcp: Option<u16>,
    /// The port for discovery, if it is enabled.
    pub(super) udp: Option<u16>,
    /// The configured addresses.
    pub(super) configured: Families<Own>,
    /// The addresses that a router maps to this node.
    pub(super) mapped: Families<Own>,
    /// The listening address, unless it means all addresses.
    pub(super) bound: Families<Own>,
    /// The addresses at which others see this node.
    pub(super) voted: Families<SocketAddr>,
}

/// A value for each family of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Families<T> {
    v4: Option<T>,
    v6: Option<T>,
}

/// An address of the node, and its ports if they differ from the node's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Own {
    pub(crate) ip: IpAddr,
    pub(crate) tcp: Option<u16>,
    pub(crate) udp: Option<u16>,
}

impl<T> Default for Families<T> {
    fn default() -> Self {
        Self { v4: None, v6: None }
    }
}

impl<T: Copy> Families<T> {
    /// Returns the value for the family of `ip`.
    pub(super) fn of(&mut self, ip: IpAddr) -> &mut Option<T> {
        if ip.to_canonical().is_ipv4() {
            &mut self.v4
        } else {
            &mut self.v6
        }
    }
}

impl Place {
    /// Returns the address of one family for the record.
    ///
    /// The configured address takes precedence, followed by the router's, the listener's, and the
    /// address that others see.
    fn effective(
        &self,
        family: fn(&Families<Own>) -> Option<Own>,
        voted: Option<SocketAddr>,
    ) -> Option<Own> {
        let own = family(&self.configured).or_else(|| family(&self.mapped));
        let own = own.or_else(|| family(&self.bound));
        // The port that others see is the port for discovery. The port for connections is assumed
        // to be the node's own.
        let seen = || {
            voted.map(|seen| Own {
                ip: seen.ip(),
                tcp: None,
                udp: self.udp.map(|_| seen.port()),
            })
        };
        let mut own = own.or_else(seen)?;
        own.tcp = own.tcp.or(self.tcp);
        own.udp = self.udp.and(own.udp.or(self.udp));
        Some(own)
    }

    fn v4(&self) -> Option<Own> {
        self.effective(|own| own.v4, self.voted.v4)
    }

    fn v6(&self) -> Option<Own> {
        self.effective(|own| own.v6, self.voted.v6)
    }

    /// Returns the addresses at which others saw this node.
    pub(super) fn seen(&self) -> Vec<SocketAddr> {
        let Families { v4, v6 } = self.voted;
        v4.into_iter().chain(v6).collect()
    }

    /// Sets the [`KEYS`] of a record.
    pub(super) fn fill(&self, mut record: NodeRecordBuilder) -> NodeRecordBuilder {
        let (v4, v6) = (self.v4(), self.v6());
        let first = v4.or(v6);
        let tcp = first.map_or(self.tcp, |own| own.tcp);
        let udp = first.map_or(self.udp, |own| own.udp);
        for ip in [v4, v6].into_iter().flatten().map(|own| own.ip) {
            record = record.ip(ip);
        }
        record = tcp.into_iter().fold(record, NodeRecordBuilder::tcp);
        record = udp.into_iter().fold(record, NodeRecordBuilder::udp);
        let Some(v6) = v6 else {
            return record;
        };
        // These are set even if the ports of both families are equal: the crate `enr`, which other
        // clients use, reads no other ports for IPv6.
        record = v6.tcp.into_iter().fold(record, NodeRecordBuilder::tcp6);
        v6.udp.into_iter().fold(record, NodeRecordBuilder::udp6)
    }

    /// Returns the endpoint at which others dial the node, if known.
    pub(super) fn endpoint(&self) -> Option<Endpoint> {
        let own = self.v4().or_else(|| self.v6())?;
        Some(Endpoint {
            host: Host::Ip(own.ip),
            tcp: own.tcp.unwrap_or(0),
            udp: own.udp.unwrap_or(0),
        })
    }
}

/// Returns the address at which a local program can dial a listener on `ip`.
pub(super) fn reachable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::{NodeRecord, SecretKey};

    fn own(ip: &str) -> Own {
        let (tcp, udp) = (None, None);
        let ip = ip.parse().unwrap();
        Own { ip, tcp, udp }
    }

    fn record(place: &Place) -> NodeRecord {
        let builder = place.fill(NodeRecord::builder(1));
        builder.sign(&SecretKey::generate()).unwrap()
    }

    fn ports(record: &NodeRecord) -> [Option<u16>; 4] {
        ["tcp", "udp", "tcp6", "udp6"].map(|key| record.get(key))
    }

    #[test]
    fn the_configured_address_precedes_the_router_s_the_listener_s_and_the_observed_one() {
        let mut place = Place {
            tcp: Some(1),
            udp: Some(2),
            ..Place::default()
        };
        assert_eq!(ports(&record(&place)), [Some(1), Some(2), None, None]);
        assert_eq!(place.endpoint(), None);
        let mut ips = Vec::new();
        let seen: SocketAddr = "9.0.0.1:7".parse().unwrap();
        *place.voted.of(seen.ip()) = Some(seen);
        assert_eq!(ports(&record(&place)), [Some(1), Some(7), None, None]);
        ips.push(place.endpoint().unwrap().host.to_string());
        *place.bound.of(seen.ip()) = Some(own("9.0.0.4"));
        assert_eq!(ports(&record(&place)), [Some(1), Some(2), None, None]);
        ips.push(place.endpoint().unwrap().host.to_string());
        let mapped = Own {
            tcp: Some(11),
            udp: Some(12),
            ..own("9.0.0.2")
        };
        *place.mapped.of(mapped.ip) = Some(mapped);
        assert_eq!(ports(&record(&place)), [Some(11), Some(12), None, None]);
        ips.push(place.endpoint().unwrap().host.to_string());
        *place.configured.of(seen.ip()) = Some(own("9.0.0.3"));
        assert_eq!(ports(&record(&place)), [Some(1), Some(2), None, None]);
        ips.push(place.endpoint().unwrap().host.to_string());
        assert_eq!(ips, ["9.0.0.1", "9.0.0.4", "9.0.0.2", "9.0.0.3"]);
    }

    #[test]
    fn ports_for_ipv6_are_always_set() {
        let mut place = Place {
            tcp: Some(1),
            udp: Some(2),
            ..Place::default()
        };
        let v6: SocketAddr = "[2001:db8::1]:7".parse().unwrap();
        *place.voted.of(v6.ip()) = Some(v6);
        assert_eq!(ports(&record(&place)), [Some(1), Some(7), Some(1), Some(7)]);
        *place.configured.of([9, 0, 0, 1].into()) = Some(own("9.0.0.1"));
        let both = record(&place);
        assert_eq!(ports(&both), [Some(1), Some(2), Some(1), Some(7)]);
        assert_eq!(both.get("ip"), Some(vec![9, 0, 0, 1]));
        assert_eq!(both.get::<Vec<u8>>("ip6").map(|ip| ip.len()), Some(16));
    }

    #[test]
    fn without_discovery_there_is_no_port_for_it() {
        let mut place = Place {
            tcp: Some(1),
            ..Place::default()
        };
        let seen: SocketAddr = "9.0.0.1:7".parse().unwrap();
        *place.voted.of(seen.ip()) = Some(seen);
        assert_eq!(ports(&record(&place)), [Some(1), None, None, None]);
    }
}
