//! Proven addresses: how one enters a tried bucket, and how one leaves it.

use std::time::{Duration, SystemTime};

use super::contest::Contest;
use super::entry::{Entry, Place, slot};
use super::time::within;
use super::{AddError, Book, Source};
use crate::node::{Enode, NodeId};

/// How long to wait for a probe's result before the address is handed out again.
const PROBE_AGAIN: Duration = Duration::from_secs(10 * 60);

/// Where [`Book::good`] put a proven address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Promotion {
    /// The address is now a tried address.
    Tried,
    /// The address was already a tried address.
    AlreadyTried,
    /// The bucket of the address is full.
    ///
    /// The address stays a new one until a [probe](Book::probe) has settled whether an older entry
    /// must make room.
    Waiting,
}

impl Book {
    /// Records that a handshake has just proved a node at this address.
    ///
    /// The address becomes a tried one. Other entries for this node, or for this host and port, are
    /// dropped, since a handshake proves which node is there. The time of the last sighting is not
    /// updated: if peers learned that time, it would show them which nodes we are connected to.
    ///
    /// # Errors
    /// As for [`add`](Self::add), if the book does not admit the address at all.
    pub fn good(&mut self, enode: &Enode, now: SystemTime) -> Result<Promotion, AddError> {
        self.dial_succeeded();
        let (endpoint, group) = self.config.admit(enode, &Source::Own)?;
        let (id, slot) = (enode.node_id(), slot(endpoint));
        let holder = self.by_endpoint.get(&slot).copied();
        if let Some(holder) = holder.filter(|holder| *holder != id) {
            self.forget(&holder);
        }
        let known = self
            .entries
            .get(&id)
            .and_then(|entry| entry.enode.endpoint());
        if known.is_some_and(|known| self::slot(known) != slot) {
            self.forget(&id);
        }
        if !self.entries.contains_key(&id) {
            self.insert(Entry::new(enode.clone(), group.clone(), Source::Own, now));
        }
        let successes = self.successes;
        if let Some(entry) = self.entries.get_mut(&id) {
            // The discovery port may have changed.
            entry.enode.clone_from(enode);
            entry.attempts = 0;
            entry.last_attempt = Some(now);
            entry.last_success = Some(now);
            entry.successes_seen = successes;
        }
        self.unsaved.changed(id);
        if self.entries.get(&id).is_some_and(Entry::is_tried) {
            self.contests.retain(|_, contest| contest.incumbent != id);
            return Ok(Promotion::AlreadyTried);
        }
        let address = format!("{}:{}", slot.0, slot.1);
        let bucket = self.key.tried_bucket(&self.shape, &group, &address);
        Ok(self.promote(id, bucket, now))
    }

    /// Returns a tried address to dial, to settle whether it keeps its slot.
    ///
    /// Report [`attempt`](Self::attempt) before the dial, then [`good`](Self::good), or
    /// [`failed`](Self::failed) and [`probe_failed`](Self::probe_failed). Each address is handed
    /// out at most once in ten minutes.
    pub fn probe(&mut self, now: SystemTime) -> Option<Enode> {
        let contest = self.contests.values_mut().find(|contest| {
            contest
                .asked
                .is_none_or(|asked| !within(now, asked, PROBE_AGAIN))
        })?;
        contest.asked = Some(now);
        let incumbent = self.entries.get(&contest.incumbent)?;
        Some(incumbent.enode.clone())
    }

    /// Records that a probed address did not answer; returns whether it lost its slot.
    ///
    /// An address that loses its slot becomes a new address again, and the waiting address gets the
    /// slot. If no dial has succeeded since the contest began, the address keeps its slot, because
    /// our own node may be offline. If there is no contest for the slot of the node `id`, nothing
    /// happens.
    pub fn probe_failed(&mut self, id: &NodeId, now: SystemTime) -> bool {
        let successes = self.successes;
        let contest = self
            .contests
            .iter()
            .find(|(_, contest)| contest.incumbent == *id);
        let Some((bucket, contest)) = contest else {
            return false;
        };
        if contest.successes_seen == successes {
            return false;
        }
        let (bucket, challenger) = (*bucket, contest.challenger);
        self.contests.remove(&bucket);
        self.replace(id, challenger, bucket, now);
        true
    }

    /// How many slots in full tried buckets are disputed.
    pub fn probes_pending(&self) -> usize {
        self.contests.len()
    }

    fn promote(&mut self, id: NodeId, bucket: u16, now: SystemTime) -> Promotion {
        if self.tried.is_full(bucket) {
            self.drop_a_bad_one(bucket, now);
        }
        if !self.tried.is_full(bucket) {
            self.leave_all_new(&id);
            self.enter_tried(id, bucket);
            return Promotion::Tried;
        }
        // A node that no source reported is in no bucket yet, so it is put into a bucket, where it
        // waits.
        let place = self.entries.get(&id).map(|entry| &entry.place);
        if place == Some(&Place::New(Vec::new())) {
            self.put_own(id, now);
        }
        let age = |id: &&NodeId| {
            let entry = self.entries.get(id);
            entry.map(|entry| (entry.last_seen, entry.last_success))
        };
        let oldest = self.tried.bucket(bucket).iter().min_by_key(age).copied();
        if let Some(incumbent) = oldest {
            let successes_seen = self.successes;
            self.contests.entry(bucket).or_insert(Contest {
                incumbent,
                challenger: id,
                asked: None,
                successes_seen,
            });
        }
        Promotion::Waiting
    }

    /// Gives the incumbent's slot to the challenger. The incumbent moves to the new bucket that its
    /// source selects. If that bucket is full, it moves to one that the challenger has left.
    fn replace(&mut self, incumbent: &NodeId, challenger: NodeId, bucket: u16, now: SystemTime) {
        let freed = self.leave_all_new(&challenger);
        self.tried.remove(bucket, incumbent);
        self.enter_tried(challenger, bucket);
        let Some(entry) = self.entries.get_mut(incumbent) else {
            return;
        };
        entry.place = Place::New(Vec::new());
        self.unsaved.changed(*incumbent);
        let own = self.own_bucket(incumbent);
        match freed.first() {
            Some(freed) if own.is_none_or(|own| self.new.is_full(own)) => {
                self.put_new(*incumbent, *freed, now);
            }
            _ => self.put_own(*incumbent, now),
        }
    }

    fn put_own(&mut self, id: NodeId, now: SystemTime) {
        if let Some(bucket) = self.own_bucket(&id) {
            self.put_new(id, bucket, now);
        }
    }

    /// The new bucket that the node's first source selects.
    fn own_bucket(&self, id: &NodeId) -> Option<u16> {
        let entry = self.entries.get(id)?;
        let source = entry.source.group();
        Some(self.key.new_bucket(&self.shape, &entry.group, &source))
    }

    fn drop_a_bad_one(&mut self, bucket: u16, now: SystemTime) {
        let is_bad = |id: &&NodeId| self.entries.get(id).is_none_or(|entry| entry.is_bad(now));
        let bad = self.tried.bucket(bucket).iter().find(is_bad).copied();
        if let Some(id) = bad {
            self.forget(&id);
        }
    }

    /// Removes a node from all its new buckets, and returns these buckets. The caller must put the
    /// node into another bucket.
    fn leave_all_new(&mut self, id: &NodeId) -> Vec<u16> {
        let place = self.entries.get_mut(id).map(|entry| &mut entry.place);
        let Some(Place::New(buckets)) = place else {
            return Vec::new();
        };
        let buckets = std::mem::take(buckets);
        for bucket in &buckets {
            self.new.remove(*bucket, id);
        }
        buckets
    }

    fn enter_tried(&mut self, id: NodeId, bucket: u16) {
        self.tried.insert(bucket, id);
        self.contests.retain(|_, contest| contest.challenger != id);
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.place = Place::Tried(bucket);
        }
        self.unsaved.changed(id);
    }
}
