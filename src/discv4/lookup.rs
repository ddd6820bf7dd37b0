//! Lookups of the nodes nearest to a target.

use super::contact::Contact;
use super::distance::distance;
use crate::node::NodeId;

/// Number of nodes asked at a time.
const ALPHA: usize = 3;

/// Number of nodes that a lookup returns.
pub(super) const NEAREST: usize = 16;

/// Number of candidates that are kept: the nearest nodes of all answers.
const CANDIDATES: usize = 64;

/// Maximum number of nodes asked in all.
///
/// With honest answers, a lookup asks about 16 nodes, and a few more on the way to them. This
/// maximum bounds a lookup whose answers contain made-up nodes, each nearer than the last.
const ASKED: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Asked,
    Answered,
    Failed,
}

#[derive(Debug)]
struct Candidate {
    contact: Contact,
    distance: [u8; 32],
    state: State,
}

/// A lookup, which ends when the 16 nearest known nodes have answered.
#[derive(Debug)]
pub(super) struct Lookup {
    own: NodeId,
    target: NodeId,
    /// The nearest first.
    candidates: Vec<Candidate>,
    in_flight: usize,
    asked: usize,
}

impl Lookup {
    /// Starts a lookup from the known nodes.
    pub(super) fn new(own: NodeId, target: NodeId, known: &[Contact]) -> Self {
        let mut lookup = Self {
            own,
            target,
            candidates: Vec::new(),
            in_flight: 0,
            asked: 0,
        };
        lookup.add(known);
        lookup
    }

    fn add(&mut self, contacts: &[Contact]) {
        for contact in contacts {
            let distance = distance(&contact.node_id(), &self.target);
            let place = self
                .candidates
                .binary_search_by_key(&distance, |candidate| candidate.distance);
            if let Err(place) = place
                && contact.node_id() != self.own
            {
                let candidate = Candidate {
                    contact: *contact,
                    distance,
                    state: State::New,
                };
                self.candidates.insert(place, candidate);
            }
        }
        self.candidates.truncate(CANDIDATES);
    }

    /// Returns the next node to ask; `None` if there is none now.
    pub(super) fn next(&mut self) -> Option<Contact> {
        if self.in_flight >= ALPHA || self.asked >= ASKED {
            return None;
        }
        let alive = self
            .candidates
            .iter_mut()
            .filter(|candidate| candidate.state != State::Failed);
        let next = alive
            .take(NEAREST)
            .find(|candidate| candidate.state == State::New)?;
        next.state = State::Asked;
        self.in_flight += 1;
        self.asked += 1;
        Some(next.contact)
    }

    /// Handles the answer of a node; `nodes` is `None` if it did not answer.
    pub(super) fn answered(&mut self, id: &NodeId, nodes: Option<&[Contact]>) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let mut asked = self.candidates.iter_mut();
        if let Some(asked) = asked.find(|candidate| candidate.contact.node_id() == *id) {
            asked.state = match nodes {
                Some(_) => State::Answered,
                None => State::Failed,
            };
        }
        self.add(nodes.unwrap_or_default());
    }

    /// Returns whether the lookup is complete.
    ///
    /// Call [`next`](Self::next) first, until it returns `None`.
    pub(super) fn is_done(&self) -> bool {
        self.in_flight == 0
    }

    /// Returns the nearest nodes that answered, at most 16, the nearest first.
    pub(super) fn nearest(&self) -> Vec<Contact> {
        let answered = self
            .candidates
            .iter()
            .filter(|candidate| candidate.state == State::Answered);
        answered
            .take(NEAREST)
            .map(|candidate| candidate.contact)
            .collect()
    }

    /// Returns the number of groups of three nodes that were asked, rounded up.
    pub(super) fn rounds(&self) -> usize {
        self.asked.div_ceil(ALPHA)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::node::SecretKey;

    fn contacts(numbers: impl Iterator<Item = u16>) -> Vec<Contact> {
        let contact = |number: u16| {
            let mut bytes = [1; 32];
            bytes[..2].copy_from_slice(&number.to_be_bytes());
            let key = SecretKey::from_bytes(&bytes).unwrap().public_key();
            Contact::new(key, SocketAddr::from(([20, 0, 0, 1], 2000 + number)), 0)
        };
        numbers.map(contact).collect()
    }

    fn nearest_of(all: &[Contact], target: NodeId, count: usize) -> Vec<Contact> {
        let mut all = all.to_vec();
        all.sort_by_key(|contact| distance(&contact.node_id(), &target));
        all.truncate(count);
        all
    }

    const OWN: NodeId = NodeId::from_bytes([0; 32]);
    const TARGET: NodeId = NodeId::from_bytes([7; 32]);

    #[test]
    fn a_lookup_asks_three_nodes_at_a_time_and_finds_the_nearest() {
        let all = contacts(0..300);
        let mut lookup = Lookup::new(OWN, TARGET, &all[..3]);
        let mut waiting = Vec::new();
        loop {
            while let Some(contact) = lookup.next() {
                waiting.push(contact);
            }
            assert!(waiting.len() <= ALPHA);
            if lookup.is_done() {
                break;
            }
            let contact = waiting.remove(0);
            // Each node knows a part of all nodes, and answers with the nearest ones that it knows.
            let at = all.iter().position(|one| *one == contact).unwrap();
            let known: Vec<_> = all.iter().skip(at % 3).step_by(3).copied().collect();
            let told = [
                nearest_of(&known, TARGET, 16),
                nearest_of(&all, contact.node_id(), 8),
            ]
            .concat();
            lookup.answered(&contact.node_id(), Some(&told));
        }
        assert_eq!(lookup.nearest(), nearest_of(&all, TARGET, 16));
        assert!(lookup.rounds() <= 12, "{}", lookup.rounds());
    }

    #[test]
    fn a_node_that_does_not_answer_is_skipped() {
        let all = contacts(0..40);
        let mut lookup = Lookup::new(OWN, TARGET, &all);
        let nearest = nearest_of(&all, TARGET, 40);
        while let Some(contact) = lookup.next() {
            let silent = nearest[..8].contains(&contact);
            lookup.answered(&contact.node_id(), (!silent).then_some(&[]));
        }
        assert!(lookup.is_done());
        assert_eq!(lookup.nearest(), nearest[8..24]);
    }

    #[test]
    fn ever_nearer_nodes_do_not_prolong_a_lookup_forever() {
        let all = contacts(0..2000);
        let sorted = nearest_of(&all, TARGET, 2000);
        let mut lookup = Lookup::new(OWN, TARGET, &sorted[1999..]);
        let mut asked = 0;
        while let Some(contact) = lookup.next() {
            asked += 1;
            let at = sorted.iter().position(|one| *one == contact).unwrap();
            lookup.answered(&contact.node_id(), Some(&sorted[at.saturating_sub(16)..at]));
            assert!(lookup.candidates.len() <= CANDIDATES);
        }
        assert_eq!(asked, ASKED);
        assert!(lookup.is_done());
    }

    #[test]
    fn a_lookup_without_known_nodes_ends_immediately() {
        let mut lookup = Lookup::new(OWN, TARGET, &[]);
        assert!(lookup.next().is_none() && lookup.is_done());
        assert!(lookup.nearest().is_empty());
    }
}
