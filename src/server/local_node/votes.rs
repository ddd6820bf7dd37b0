//! Votes of other nodes on the address of this one.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::node::{Group, Reach};

/// The maximum number of networks with a vote.
const MOST: usize = 256;

/// The votes of other nodes on this node's address, for one family of addresses.
///
/// Only the last vote of each network counts, since the owner of a network can run any number of
/// nodes in it.
#[derive(Debug)]
pub(super) struct Votes {
    /// The minimum number of networks that must agree.
    least: usize,
    /// How long a vote counts.
    window: Duration,
    by_network: BTreeMap<Group, Vote>,
}

#[derive(Debug)]
struct Vote {
    seen: SocketAddr,
    at: Instant,
}

impl Votes {
    pub(super) fn new(least: usize, window: Duration) -> Self {
        Self {
            least,
            window,
            by_network: BTreeMap::new(),
        }
    }

    /// Counts the vote of `voter` for `seen`. `voter` must have proved its own address.
    pub(super) fn vote(&mut self, voter: SocketAddr, seen: SocketAddr, now: Instant) {
        // A neighbour in a private network sees an address that is useless elsewhere.
        let reach = Reach::of(seen.ip());
        if reach == Reach::Unroutable || reach != Reach::of(voter.ip()) || seen.port() == 0 {
            return;
        }
        let network = Group::of_ip(voter.ip());
        if self.by_network.len() >= MOST && !self.by_network.contains_key(&network) {
            let oldest = self.by_network.iter().min_by_key(|(_, vote)| vote.at);
            if let Some(oldest) = oldest.map(|(network, _)| network.clone()) {
                self.by_network.remove(&oldest);
            }
        }
        self.by_network.insert(network, Vote { seen, at: now });
    }

    /// Returns the address with the most votes, unless they are too few.
    ///
    /// An address needs a minimum number of votes, and more than half of them all.
    pub(super) fn winner(&mut self, now: Instant) -> Option<SocketAddr> {
        let window = self.window;
        let counts = |vote: &Vote| now.saturating_duration_since(vote.at) < window;
        self.by_network.retain(|_, vote| counts(vote));
        let mut named = BTreeMap::<SocketAddr, usize>::new();
        for vote in self.by_network.values() {
            *named.entry(vote.seen).or_default() += 1;
        }
        let (winner, votes) = named.into_iter().max_by_key(|(_, votes)| *votes)?;
        let wins = votes >= self.least && votes > self.by_network.len() / 2;
        wins.then_some(winner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(300);

    /// Returns an address in the public network with this number.
    fn voter(network: u8) -> SocketAddr {
        SocketAddr::from(([80, network, 1, 1], 30303))
    }

    fn seen(last: u8) -> SocketAddr {
        SocketAddr::from(([9, 8, 7, last], 30303))
    }

    #[tokio::test(start_paused = true)]
    async fn ten_networks_that_agree_win_while_their_votes_count() {
        let (mut votes, start) = (Votes::new(10, WINDOW), Instant::now());
        for network in 0..9 {
            votes.vote(voter(network), seen(1), start);
        }
        assert_eq!(votes.winner(start), None);
        votes.vote(voter(9), seen(1), start + WINDOW / 2);
        assert_eq!(votes.winner(start + WINDOW / 2), Some(seen(1)));
        assert_eq!(votes.winner(start + WINDOW), None, "nine have run out");
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_has_one_vote() {
        let (mut votes, now) = (Votes::new(2, WINDOW), Instant::now());
        for host in 1..200 {
            votes.vote(SocketAddr::from(([80, 1, 2, host], 1)), seen(1), now);
        }
        assert_eq!(votes.winner(now), None);
        assert_eq!(votes.by_network.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_wins_without_a_majority() {
        let (mut votes, now) = (Votes::new(2, WINDOW), Instant::now());
        for network in 0..6 {
            votes.vote(voter(network), seen(network % 2), now);
        }
        assert_eq!(votes.winner(now), None);
        votes.vote(voter(7), seen(1), now);
        assert_eq!(votes.winner(now), Some(seen(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_seen_by_a_neighbour_is_not_public() {
        let (mut votes, now) = (Votes::new(1, WINDOW), Instant::now());
        let neighbour = SocketAddr::from(([192, 168, 1, 2], 30303));
        let private = SocketAddr::from(([192, 168, 1, 3], 30303));
        votes.vote(neighbour, seen(1), now);
        votes.vote(voter(1), private, now);
        assert_eq!(votes.winner(now), None);
        votes.vote(neighbour, private, now);
        assert_eq!(votes.winner(now), Some(private));
    }

    #[tokio::test(start_paused = true)]
    async fn the_number_of_votes_is_bounded() {
        let (mut votes, now) = (Votes::new(1, WINDOW), Instant::now());
        for high in 11..=20 {
            for network in 0..100 {
                let voter = SocketAddr::from(([high, network, 1, 1], 1));
                votes.vote(voter, seen(1), now);
            }
        }
        assert_eq!(votes.by_network.len(), MOST);
    }
}
