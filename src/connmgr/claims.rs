//! Tables of the addresses, nodes and groups that requests have claimed, and of recent dials.
//!
//! At most one request leads to each address and each node. An automatic request is made only if no
//! other request is in its group.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use super::request::{Address, Candidate, Key, ReqId};
use crate::mutex::Mutex;
use crate::time::after;

/// The tables that the manager and its address source share, each through a clone.
#[derive(Debug)]
pub(super) struct Claims<A>(Arc<Mutex<Tables<A>>>);

impl<A> Clone for Claims<A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[derive(Debug)]
struct Tables<A> {
    addrs: HashMap<A, ReqId>,
    keys: HashMap<Key, ReqId>,
    groups: HashMap<Key, usize>,
    dialed: HashMap<Identity<A>, Instant>,
    /// The remembered dials, oldest first, so that they can expire.
    dials: VecDeque<(Instant, Identity<A>)>,
    memory: Duration,
}

/// The identity of a dial: the node if it is known, else the address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Identity<A> {
    Node(Key),
    Addr(A),
}

/// Why a claim failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// This request has claimed the address or the node.
    By(ReqId),
    /// Another request is in the same group.
    Group,
    /// The address or the node was dialled too recently.
    Recent,
}

impl<A: Address> Claims<A> {
    /// Creates empty tables that remember dials for `memory`.
    pub(super) fn new(memory: Duration) -> Self {
        Self(Arc::new(Mutex::new(Tables {
            addrs: HashMap::new(),
            keys: HashMap::new(),
            groups: HashMap::new(),
            dialed: HashMap::new(),
            dials: VecDeque::new(),
            memory,
        })))
    }

    /// Claims the candidate's address, node and group for `id` until the claim is dropped.
    ///
    /// The claim of an automatic request fails if another request is in its group, or if the
    /// candidate was dialled recently.
    pub(super) fn claim(
        &self,
        candidate: &Candidate<A>,
        id: ReqId,
        automatic: bool,
    ) -> Result<Claim<A>, Taken> {
        let mut tables = self.lock();
        tables.check(candidate, automatic)?;
        tables.addrs.insert(candidate.addr().clone(), id);
        if let Some(key) = candidate.key() {
            tables.keys.insert(key.clone(), id);
        }
        if let Some(group) = candidate.group() {
            *tables.groups.entry(group.clone()).or_default() += 1;
        }
        drop(tables);
        Ok(Claim {
            claims: self.clone(),
            candidate: candidate.clone(),
        })
    }

    /// Moves `claim`, which `id` holds, to another candidate.
    pub(super) fn swap(
        &self,
        claim: &mut Option<Claim<A>>,
        candidate: &Candidate<A>,
        id: ReqId,
    ) -> Result<(), Taken> {
        match self.lock().check(candidate, false) {
            Err(taken) if taken != Taken::By(id) => return Err(taken),
            _ => {}
        }
        let elsewhere = self.lock().addrs.get(candidate.addr()).copied();
        if let Some(other) = elsewhere.filter(|&other| other != id) {
            return Err(Taken::By(other));
        }
        // Drop the old claim first, since the two may share an address or a node.
        drop(claim.take());
        *claim = Some(self.claim(candidate, id, false)?);
        Ok(())
    }

    /// Returns whether an automatic request may claim `candidate`.
    pub(super) fn allow_automatic(&self, candidate: &Candidate<A>) -> bool {
        self.lock().check(candidate, true).is_ok()
    }

    /// Returns the request that leads to this address.
    pub(super) fn by_addr(&self, addr: &A) -> Option<ReqId> {
        self.lock().addrs.get(addr).copied()
    }

    /// Records a dial.
    pub(super) fn note_dial(&self, candidate: &Candidate<A>, now: Instant) {
        let mut tables = self.lock();
        if tables.memory.is_zero() {
            return;
        }
        let identity = identity(candidate);
        tables.dialed.insert(identity.clone(), now);
        tables.dials.push_back((now, identity));
    }

    /// Returns the last remembered dial of this candidate.
    pub(super) fn last_dial(&self, candidate: &Candidate<A>) -> Option<Instant> {
        self.lock().dialed.get(&identity(candidate)).copied()
    }

    /// Returns when the oldest remembered dial expires.
    pub(super) fn next_forgotten(&self) -> Option<Instant> {
        let tables = self.lock();
        let oldest = tables.dials.front();
        oldest.map(|(then, _)| after(*then, tables.memory))
    }

    /// Forgets expired dials.
    pub(super) fn forget(&self, now: Instant) {
        let mut tables = self.lock();
        while let Some((then, _)) = tables.dials.front()
            && after(*then, tables.memory) <= now
        {
            if let Some((then, identity)) = tables.dials.pop_front()
                && tables.dialed.get(&identity) == Some(&then)
            {
                tables.dialed.remove(&identity);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Tables<A>> {
        self.0.lock()
    }
}

impl<A: Address> Tables<A> {
    fn check(&self, candidate: &Candidate<A>, automatic: bool) -> Result<(), Taken> {
        let by_key = candidate.key().and_then(|key| self.keys.get(key));
        if let Some(&id) = by_key.or_else(|| self.addrs.get(candidate.addr())) {
            return Err(Taken::By(id));
        }
        if !automatic {
            return Ok(());
        }
        if candidate
            .group()
            .is_some_and(|group| self.groups.contains_key(group))
        {
            return Err(Taken::Group);
        }
        if self.dialed.contains_key(&identity(candidate)) {
            return Err(Taken::Recent);
        }
        Ok(())
    }
}

fn identity<A: Address>(candidate: &Candidate<A>) -> Identity<A> {
    candidate.key().map_or_else(
        || Identity::Addr(candidate.addr().clone()),
        |key| Identity::Node(key.clone()),
    )
}

/// One request's claim on an address, its node and its group.
///
/// Dropping the claim frees the address, the node and the group for other requests.
#[derive(Debug)]
pub(super) struct Claim<A: Address> {
    claims: Claims<A>,
    candidate: Candidate<A>,
}

impl<A: Address> Drop for Claim<A> {
    fn drop(&mut self) {
        let mut tables = self.claims.lock();
        tables.addrs.remove(self.candidate.addr());
        if let Some(key) = self.candidate.key() {
            tables.keys.remove(key);
        }
        if let Some(group) = self.candidate.group()
            && let Some(members) = tables.groups.get_mut(group)
        {
            *members -= 1;
            if *members == 0 {
                tables.groups.remove(group);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::*;

    const GAP: Duration = Duration::from_secs(35);

    fn id(number: u64) -> ReqId {
        ReqId(NonZeroU64::new(number).expect("not zero"))
    }

    #[test]
    fn one_request_per_address_and_per_node() {
        let claims = Claims::new(GAP);
        let first = Candidate::new("a").with_key("node");
        let claim = claims.claim(&first, id(1), false).expect("free");
        for other in [Candidate::new("a"), Candidate::new("b").with_key("node")] {
            let taken = claims.claim(&other, id(2), false).map(drop);
            assert_eq!(taken, Err(Taken::By(id(1))));
        }
        assert_eq!(claims.by_addr(&"a"), Some(id(1)));
        drop(claim);
        assert!(claims.claim(&Candidate::new("a"), id(2), false).is_ok());
    }

    #[test]
    fn only_automatic_requests_need_their_own_group() {
        let claims = Claims::new(GAP);
        let [a, b, c] = ["a", "b", "c"].map(|addr| Candidate::new(addr).with_group("g"));
        let first = claims.claim(&a, id(1), false).expect("free");
        let second = claims.claim(&b, id(2), false).expect("free");
        drop(first);
        assert!(!claims.allow_automatic(&c));
        drop(second);
        assert!(claims.allow_automatic(&c));
    }

    #[test]
    fn dials_are_remembered_and_forgotten() {
        let claims = Claims::new(GAP);
        let now = Instant::now();
        let (a, same) = (
            Candidate::new("a").with_key("n"),
            Candidate::new("b").with_key("n"),
        );
        claims.note_dial(&a, now);
        claims.note_dial(&a, now + GAP / 2);
        claims.forget(now + GAP);
        assert!(!claims.allow_automatic(&same));
        assert_eq!(claims.last_dial(&same), Some(now + GAP / 2));
        claims.forget(now + GAP + GAP / 2);
        assert!(claims.allow_automatic(&same));
        assert!(claims.lock().dials.is_empty());
    }
}
