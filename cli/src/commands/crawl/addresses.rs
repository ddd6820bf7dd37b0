//! Limits on the dials to one address.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use peermux::node::Reach;
use peermux::{Endpoint, Host, NodeId};

/// How many nodes at one public address are dialled at once.
const AT_ONCE: usize = 2;

/// How many nodes are dialled at one address and port during a crawl.
///
/// Ids cost nothing. Without a limit, a node could announce many ids at the address of some machine, and so
/// direct as many connections at that machine.
const AT_ONE_PORT: u32 = 4;

/// Counts the dials at each address, and keeps the nodes that wait.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    busy: HashMap<IpAddr, usize>,
    waiting: HashMap<IpAddr, VecDeque<NodeId>>,
    dialled: HashMap<SocketAddr, u32>,
}

/// Whether a node may be dialled.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The node may be dialled. Its address counts as busy until [`Addresses::free`].
    Now,
    /// Other nodes are being dialled at the address. [`Addresses::free`] returns the node when it is its
    /// turn.
    Later,
    /// The node may not be dialled: the limit of its address and port was reached.
    Never,
}

impl Addresses {
    /// Asks to dial a node at these endpoints.
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

    /// Frees the addresses of a finished dial, and returns the next nodes to dial there.
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

    /// Returns a waiting node for each address in `endpoints` that has room.
    ///
    /// This must also be called if a node does not use its turn.
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

/// Returns the addresses to which the limit [`AT_ONCE`] applies: public ones.
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
