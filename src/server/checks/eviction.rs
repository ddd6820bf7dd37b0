//! Chooses the inbound peer to evict for a newcomer when all seats are taken.
//!
//! The rules protect some of the peers. Because of these rules, an attacker who wants all seats
//! needs peers that are in many networks, nearby, and connected for a long time. The rules are
//! those of [Bitcoin Core](https://github.com/bitcoin/bitcoin/blob/master/src/node/eviction.cpp),
//! except those about blocks and transactions.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use crate::node::{Group, NodeId};

/// The number of networks whose oldest peer is protected. A secret selects the networks, so that no
/// remote can choose them.
const NETWORKS: usize = 4;

/// The number of peers that are protected for their short round trip.
const NEAR: usize = 8;

/// An inbound peer that is neither trusted nor static.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) id: NodeId,
    /// The peer's network. `None` for a local address, or if the transport has no address.
    pub(super) network: Option<Group>,
    pub(super) rtt: Option<Duration>,
    pub(super) lifetime: Duration,
}

/// Returns the peer to evict: the youngest of the network with the most unprotected peers.
///
/// Three groups of peers are protected: the oldest peer of each of four networks that `secret`
/// selects, the eight other peers with the shortest round trip, and the longest-connected half of
/// the rest. Returns `None` if all peers are protected.
pub(super) fn choose(mut candidates: Vec<Candidate>, secret: u64) -> Option<NodeId> {
    // The result must not depend on the random order of the hash table that stores the peers.
    candidates.sort_by_key(|peer| (std::cmp::Reverse(peer.lifetime), peer.id));
    protect_networks(&mut candidates, secret);
    candidates.sort_by_key(|peer| (peer.rtt.is_none(), peer.rtt));
    candidates.drain(..NEAR.min(candidates.len()));
    candidates.sort_by_key(|peer| std::cmp::Reverse(peer.lifetime));
    candidates.drain(..candidates.len() / 2);
    let mut sizes: BTreeMap<&Group, usize> = BTreeMap::new();
    for network in candidates.iter().filter_map(|peer| peer.network.as_ref()) {
        *sizes.entry(network).or_default() += 1;
    }
    let size = |peer: &Candidate| peer.network.as_ref().map_or(1, |network| sizes[network]);
    let youngest = |peer: &&Candidate| (size(peer), std::cmp::Reverse(peer.lifetime));
    candidates.iter().max_by_key(youngest).map(|peer| peer.id)
}

/// Protects the oldest peer of each of [`NETWORKS`] networks, by removing it from `candidates`.
fn protect_networks(candidates: &mut Vec<Candidate>, secret: u64) {
    let rank = |network: &Group| {
        let mut hasher = DefaultHasher::new();
        (secret, network).hash(&mut hasher);
        hasher.finish()
    };
    let networks = candidates.iter().filter_map(|peer| peer.network.clone());
    let mut networks: Vec<_> = networks.collect::<HashSet<_>>().into_iter().collect();
    networks.sort_by_key(rank);
    networks.truncate(NETWORKS);
    for network in &networks {
        let first = candidates
            .iter()
            .position(|peer| peer.network.as_ref() == Some(network));
        if let Some(first) = first {
            candidates.remove(first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u8, network: u8, rtt: u64, minutes: u64) -> Candidate {
        Candidate {
            id: NodeId::from_bytes([number; 32]),
            network: Some(Group::of_ip([20, network, 1, 1].into())),
            rtt: Some(Duration::from_millis(rtt)),
            lifetime: Duration::from_secs(60 * minutes),
        }
    }

    #[test]
    fn the_youngest_of_the_largest_network_is_evicted() {
        // There are forty late peers from one network, and twenty peers that are each from another
        // network.
        let crowd = (0..40).map(|n| peer(n, 200, 50, 30 - u64::from(n) / 2));
        let others = (0..20).map(|n| peer(100 + n, n, 100, 60));
        let all: Vec<_> = crowd.chain(others).collect();
        let gone = choose(all.clone(), 1);
        assert_eq!(gone, Some(NodeId::from_bytes([39; 32])));
        let gone = choose(all.into_iter().rev().collect(), 1);
        assert_eq!(gone, Some(NodeId::from_bytes([39; 32])), "in any order");
    }

    #[test]
    fn few_peers_are_all_protected() {
        let few: Vec<_> = (0..12).map(|n| peer(n, n, 10, 1)).collect();
        assert_eq!(choose(few, 1), None);
        let far: Vec<_> = (0..13).map(|n| peer(n, n, 10, 1)).collect();
        assert!(choose(far, 1).is_some());
    }

    /// A thousand newcomers arrive one after the other, each from another network.
    #[test]
    fn many_newcomers_do_not_displace_long_standing_peers() {
        let mut peers: Vec<_> = (0..34).map(|n| peer(n, n, 80, 1000)).collect();
        for number in 0..1000u32 {
            for peer in &mut peers {
                peer.lifetime += Duration::from_secs(1);
            }
            let gone = choose(peers.clone(), 7).expect("somebody");
            peers.retain(|peer| peer.id != gone);
            let [.., high, low] = number.to_be_bytes();
            let mut id = [255; 32];
            (id[0], id[1]) = (high, low);
            peers.push(Candidate {
                id: NodeId::from_bytes(id),
                network: Some(Group::of_ip([30 + high, low, 1, 1].into())),
                rtt: Some(Duration::from_millis(1)),
                lifetime: Duration::ZERO,
            });
        }
        let stayed = peers
            .iter()
            .filter(|peer| peer.lifetime > Duration::from_secs(60_000));
        assert!(stayed.count() >= 11);
    }
}
