//! How much one address is made to take.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use peermux::node::Reach;
use peermux::{Endpoint, Host, NodeId};

/// How many nodes at one public address are dialled at once.
const AT_ONCE: usize = 2;

/// How many nodes are dialled at one address and port. Ids cost nothing: without a limit, a node that names many
/// of them would send as many connections to a machine of its choice.
const AT_ONE_PORT: u32 = 4;

/// Who is dialled where, and who waits.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    busy: HashMap<IpAddr, usize>,
    waiting: HashMap<IpAddr, VecDeque<NodeId>>,
    dialled: HashMap<SocketAddr, u32>,
}

/// Whether a node may be dialled now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It may, and the address counts as busy until [`Addresses::free`].
    Now,
    /// Others are dialled there. It is returned by [`Addresses::free`] when it is its turn.
    Later,
    /// As many as may were dialled there.
    Never,
}

impl Addresses {
    /// Asks for a node's turn at these endpoints.
    pub(super) fn claim(&mut self, id: NodeId, endpoints: &[Endpoint]) -> Turn {
        let addrs: Vec<_> = endpoints.iter().filter_map(Endpoint::socket_addr).collect();
        let often = |addr| self.dialled.get(addr).copied().unwrap_or(0) >= AT_ONE_PORT;
        if addrs.iter().any(often) {
            return Turn::Never;
        }
        let ips = limited(endpoints);
        if let Some(ip) = ips.iter().find(|ip| self.is_full(**ip)) {
            self.waiting.entry(*ip).or_default().push_back(id);
            return Turn::Later;
        }
        for addr in addrs {
            *self.dialled.entry(addr).or_default() += 1;
        }
        for ip in ips {
            *self.busy.entry(ip).or_default() += 1;
        }
        Turn::Now
    }

    /// A node at these endpoints is dialled no longer. Returns those whose turn it is now.
    pub(super) fn free(&mut self, endpoints: &[Endpoint]) -> Vec<NodeId> {
        for ip in limited(endpoints) {
            if let Some(busy) = self.busy.get_mut(&ip) {
                *busy = busy.saturating_sub(1);
                if *busy == 0 {
                    self.busy.remove(&ip);
                }
            }
        }
        self.next(endpoints)
    }

    /// One of those who wait at each of these addresses that has room. To be asked for also when a node
    /// whose turn it was does not use it.
    pub(super) fn next(&mut self, endpoints: &[Endpoint]) -> Vec<NodeId> {
        let mut next = Vec::new();
        for ip in limited(endpoints) {
            if self.is_full(ip) {
                continue;
            }
            if let Some(waiting) = self.waiting.get_mut(&ip) {
                next.extend(waiting.pop_front());
                if waiting.is_empty() {
                    self.waiting.remove(&ip);
                }
            }
        }
        next
    }

    fn is_full(&self, ip: IpAddr) -> bool {
        self.busy.get(&ip).copied().unwrap_or(0) >= AT_ONCE
    }
}

/// The addresses for which the limit holds.
fn limited(endpoints: &[Endpoint]) -> Vec<IpAddr> {
    let mut ips: Vec<_> = endpoints
        .iter()
        .filter_map(|endpoint| match endpoint.host {
            Host::Ip(ip) if Reach::of(ip) == Reach::Public => Some(ip),
            _ => None,
        })
        .collect();
    ips.sort_unstable();
    ips.dedup();
    ips
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(addr: &str) -> [Endpoint; 1] {
        [addr.parse::<SocketAddr>().expect("an address").into()]
    }

    fn id(number: u8) -> NodeId {
        NodeId::from_bytes([number; 32])
    }

    #[test]
    fn few_are_dialled_at_once_at_a_public_address() {
        let mut addresses = Addresses::default();
        assert_eq!(addresses.claim(id(1), &at("1.2.3.4:1")), Turn::Now);
        assert_eq!(addresses.claim(id(2), &at("1.2.3.4:2")), Turn::Now);
        assert_eq!(addresses.claim(id(3), &at("1.2.3.4:3")), Turn::Later);
        assert_eq!(addresses.claim(id(4), &at("1.2.3.5:3")), Turn::Now);
        assert_eq!(addresses.free(&at("1.2.3.4:1")), [id(3)]);
        assert_eq!(addresses.claim(id(3), &at("1.2.3.4:3")), Turn::Now);
        assert!(addresses.free(&at("1.2.3.4:2")).is_empty());
        for number in 10..30 {
            let here = format!("127.0.0.1:{number}");
            assert_eq!(addresses.claim(id(number), &at(&here)), Turn::Now);
        }
    }

    #[test]
    fn no_port_is_dialled_for_any_number_of_ids() {
        let mut addresses = Addresses::default();
        let there = at("10.0.0.1:80");
        for number in 0..4 {
            assert_eq!(addresses.claim(id(number), &there), Turn::Now);
            addresses.free(&there);
        }
        assert_eq!(addresses.claim(id(5), &there), Turn::Never);
    }
}
