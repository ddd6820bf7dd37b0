//! The endpoint proofs that other nodes gave us, and those that we gave other nodes.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::networks::network_of;
use crate::node::{NodeId, Reach};

/// Validity of an endpoint proof
/// ([specification](https://github.com/ethereum/devp2p/blob/master/discv4.md#endpoint-proof)).
const PROOF: Duration = Duration::from_secs(12 * 60 * 60);

/// Maximum number of proofs; the least recently used is replaced.
const CAPACITY: usize = 2560;

/// Maximum number of proofs per public network; the network's least recently used is replaced.
const OF_NETWORK: usize = 64;

/// A node at an IP address. The port may change, as behind a NAT router.
type Place = (IpAddr, NodeId);

#[derive(Debug)]
struct Bond {
    /// When the node last answered a Ping of ours.
    pong: Instant,
    /// When the node last sent a Ping that we answered. Our answer proved our endpoint to the node.
    ping: Option<Instant>,
    /// The position of this bond in the order of use.
    used: u64,
}

/// Endpoint proofs: which nodes answered our Ping, from which address.
#[derive(Debug, Default)]
pub(super) struct Bonds {
    bonds: BTreeMap<Place, Bond>,
    order: BTreeMap<u64, Place>,
    networks: BTreeMap<IpAddr, usize>,
    uses: u64,
}

impl Bonds {
    /// Records that a node answered our Ping, and when it last pinged us.
    pub(super) fn ponged(&mut self, id: NodeId, ip: IpAddr, pinged: Option<Instant>, now: Instant) {
        let place = (ip, id);
        if let Some(bond) = self.bonds.get_mut(&place) {
            bond.pong = now;
            bond.ping = pinged.or(bond.ping);
            self.touch(place);
            return;
        }
        self.make_room(ip);
        self.uses = self.uses.saturating_add(1);
        self.order.insert(self.uses, place);
        if let Some(count) = self.count_of(ip) {
            *count = count.saturating_add(1);
        }
        self.bonds.insert(
            place,
            Bond {
                pong: now,
                ping: pinged,
                used: self.uses,
            },
        );
    }

    /// Stores the time of an answered Ping, if there is a bond with its sender.
    ///
    /// Returns whether there is one.
    pub(super) fn pinged(&mut self, id: NodeId, ip: IpAddr, now: Instant) -> bool {
        match self.bonds.get_mut(&(ip, id)) {
            Some(bond) => {
                bond.ping = Some(now);
                true
            }
            None => false,
        }
    }

    /// Returns whether the node has proven this address within the last 12 hours.
    pub(super) fn is_proven(&self, id: NodeId, ip: IpAddr, now: Instant) -> bool {
        let bond = self.bonds.get(&(ip, id));
        bond.is_some_and(|bond| is_fresh(bond.pong, now))
    }

    /// Returns whether the node answered a Ping of ours within `time`.
    pub(super) fn answered_within(
        &self,
        id: NodeId,
        ip: IpAddr,
        time: Duration,
        now: Instant,
    ) -> bool {
        let bond = self.bonds.get(&(ip, id));
        bond.is_some_and(|bond| now.saturating_duration_since(bond.pong) < time)
    }

    /// Returns whether any node has proven to be at this address.
    pub(super) fn is_known(&self, ip: IpAddr, now: Instant) -> bool {
        let [first, last] = [[0; 32], [0xff; 32]].map(|id| (ip, NodeId::from_bytes(id)));
        let mut there = self.bonds.range(first..=last);
        there.any(|(_, bond)| is_fresh(bond.pong, now))
    }

    /// Returns whether the node has a proof of our endpoint, and so answers our requests.
    pub(super) fn answers_us(&self, id: NodeId, ip: IpAddr, now: Instant) -> bool {
        let bond = self.bonds.get(&(ip, id));
        bond.and_then(|bond| bond.ping)
            .is_some_and(|ping| is_fresh(ping, now))
    }

    /// Assumes that the node has lost our proof, since it did not answer.
    ///
    /// The node may have restarted.
    pub(super) fn forget_ping(&mut self, id: NodeId, ip: IpAddr) {
        if let Some(bond) = self.bonds.get_mut(&(ip, id)) {
            bond.ping = None;
        }
    }

    fn touch(&mut self, place: Place) {
        self.uses = self.uses.saturating_add(1);
        if let Some(bond) = self.bonds.get_mut(&place) {
            self.order.remove(&bond.used);
            bond.used = self.uses;
            self.order.insert(self.uses, place);
        }
    }

    fn make_room(&mut self, ip: IpAddr) {
        let network = network_of(ip);
        let of_network = self.networks.get(&network).copied().unwrap_or(0);
        let oldest = if of_network >= OF_NETWORK {
            let mut places = self.order.values();
            places.find(|(ip, _)| network_of(*ip) == network).copied()
        } else if self.bonds.len() >= CAPACITY {
            self.order.values().next().copied()
        } else {
            None
        };
        if let Some(place) = oldest {
            self.remove(place);
        }
    }

    fn remove(&mut self, place: Place) {
        if let Some(bond) = self.bonds.remove(&place) {
            self.order.remove(&bond.used);
        }
        if let Some(count) = self.count_of(place.0) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.networks.remove(&network_of(place.0));
            }
        }
    }

    fn count_of(&mut self, ip: IpAddr) -> Option<&mut usize> {
        let is_public = Reach::of(ip) == Reach::Public;
        is_public.then(|| self.networks.entry(network_of(ip)).or_default())
    }
}

fn is_fresh(since: Instant, now: Instant) -> bool {
    now.saturating_duration_since(since) < PROOF
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u32) -> NodeId {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        NodeId::from_bytes(bytes)
    }

    fn ip(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    #[test]
    fn a_proof_covers_one_node_at_one_address_for_twelve_hours() {
        let start = Instant::now();
        let mut bonds = Bonds::default();
        let (here, there) = (ip(0x0102_0304), ip(0x0102_0305));
        assert!(!bonds.pinged(id(1), here, start));
        bonds.ponged(id(1), here, None, start);
        let end = start + PROOF;
        let before = end - Duration::from_nanos(1);
        assert!(bonds.is_proven(id(1), here, before) && bonds.is_known(here, before));
        assert!(!bonds.is_proven(id(2), here, start) && !bonds.is_proven(id(1), there, start));
        assert!(!bonds.is_proven(id(1), here, end) && !bonds.is_known(here, end));
        assert!(!bonds.is_known(there, start));
    }

    #[test]
    fn a_node_answers_us_once_we_have_answered_it() {
        let start = Instant::now();
        let mut bonds = Bonds::default();
        let here = ip(0x0102_0304);
        bonds.ponged(id(1), here, None, start);
        assert!(!bonds.answers_us(id(1), here, start));
        assert!(bonds.pinged(id(1), here, start));
        assert!(bonds.answers_us(id(1), here, start));
        bonds.ponged(id(1), here, None, start);
        assert!(bonds.answers_us(id(1), here, start));
        bonds.forget_ping(id(1), here);
        assert!(!bonds.answers_us(id(1), here, start));
        bonds.ponged(id(2), here, Some(start), start);
        assert!(bonds.answers_us(id(2), here, start));
    }

    #[test]
    fn the_oldest_proof_is_replaced_overall_and_per_network() {
        let start = Instant::now();
        let mut bonds = Bonds::default();
        let far = ip(0x0909_0909);
        bonds.ponged(id(9), far, None, start);
        for number in 0..200 {
            bonds.ponged(id(number), ip(0x0102_0300 + number), None, start);
        }
        assert_eq!(bonds.bonds.len(), OF_NETWORK + 1);
        assert!(bonds.is_proven(id(9), far, start));
        for number in 0..2 * CAPACITY as u32 {
            bonds.ponged(id(number), ip(0x1400_0001 + (number << 8)), None, start);
            if number % 100 == 0 {
                bonds.ponged(id(9), far, None, start);
            }
        }
        assert_eq!(bonds.bonds.len(), CAPACITY);
        assert_eq!(bonds.order.len(), CAPACITY);
        assert!(bonds.is_proven(id(9), far, start), "it was used");
        assert_eq!(bonds.networks.values().sum::<usize>(), CAPACITY);
    }
}
