//! Limits on the number of nodes per network.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::ip::network_by_family;
use crate::node::Reach;

/// Returns the /24 of an IPv4 address, or the /64 of an IPv6 address.
pub(super) fn network_of(ip: IpAddr) -> IpAddr {
    network_by_family(ip, 24, 64)
}

/// Returns the address to which the rate limit of a sender applies.
///
/// For IPv6 this is the /64, since one machine owns all addresses in a /64.
pub(super) fn sender_of(ip: IpAddr) -> IpAddr {
    network_by_family(ip, 32, 64)
}

/// Counts nodes by their network, up to a limit.
///
/// Addresses that are not public do not count: they occur only in private networks, whose nodes
/// belong to one party.
#[derive(Debug)]
pub(super) struct Networks {
    limit: usize,
    counts: BTreeMap<IpAddr, usize>,
}

impl Networks {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            counts: BTreeMap::new(),
        }
    }

    pub(super) fn has_room(&self, ip: IpAddr) -> bool {
        let count = self.counts.get(&network_of(ip)).copied().unwrap_or(0);
        !is_counted(ip) || count < self.limit
    }

    pub(super) fn add(&mut self, ip: IpAddr) {
        if is_counted(ip) {
            let count = self.counts.entry(network_of(ip)).or_default();
            *count = count.saturating_add(1);
        }
    }

    pub(super) fn remove(&mut self, ip: IpAddr) {
        let network = network_of(ip);
        let Some(count) = self.counts.get_mut(&network) else {
            return;
        };
        *count = count.saturating_sub(1);
        if *count == 0 {
            self.counts.remove(&network);
        }
    }
}

fn is_counted(ip: IpAddr) -> bool {
    Reach::of(ip) == Reach::Public
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_limited_and_regains_room() {
        let ip = |text: &str| text.parse().unwrap();
        let mut networks = Networks::new(2);
        networks.add(ip("1.2.3.4"));
        networks.add(ip("::ffff:1.2.3.5"));
        networks.add(ip("2a01::1"));
        assert!(!networks.has_room(ip("1.2.3.6")) && networks.has_room(ip("1.2.4.4")));
        assert!(networks.has_room(ip("2a01::2")));
        networks.add(ip("2a01::2"));
        assert!(!networks.has_room(ip("2a01::3")) && networks.has_room(ip("2a01:0:0:1::1")));
        networks.remove(ip("1.2.3.4"));
        assert!(networks.has_room(ip("1.2.3.6")));
        (0..9).for_each(|_| networks.add(ip("127.0.0.1")));
        assert!(networks.has_room(ip("127.0.0.1")));
    }
}
