//! The address book itself: entries, their buckets, and the rules by which they move.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rand::{CryptoRng, RngExt};

use super::buckets::{Buckets, Shape};
use super::contest::Contest;
use super::entry::{Entry, Place, slot};
use super::keyed::BucketKey;
use super::time::{age, earlier, is_ahead};
use super::unsaved::Unsaved;
use super::{AddError, BookConfig, Source};
use crate::node::{Endpoint, Enode, Host, NodeId};

/// Below this number of addresses a node asks its peers for more.
const NEED_MORE: usize = 1000;

/// A sighting is refreshed only if it is at least this old.
const REFRESH: Duration = Duration::from_secs(20 * 60);

/// The age that is assumed for a sighting in the future.
const DOUBTFUL: Duration = Duration::from_secs(5 * 24 * 60 * 60);

/// The addresses that a node knows, as a pure data structure.
///
/// Time and randomness are arguments. Entries are identified by node id. There is at most one entry
/// for a node and at most one for a host and port. See the [module](super) for the buckets.
///
/// The `now` of all calls must come from the same [`Clock`](super::Clock).
#[derive(Debug)]
pub struct Book {
    pub(super) config: BookConfig,
    pub(super) key: BucketKey,
    pub(super) shape: Shape,
    pub(super) entries: BTreeMap<NodeId, Entry>,
    pub(super) by_endpoint: BTreeMap<(Host, u16), NodeId>,
    pub(super) new: Buckets,
    pub(super) tried: Buckets,
    pub(super) contests: BTreeMap<u16, Contest>,
    /// Dials that succeeded in this process.
    pub(super) successes: u64,
    pub(super) shared: Option<(SystemTime, Arc<[Enode]>)>,
    /// Entries whose current state the store does not hold.
    pub(super) unsaved: Unsaved<NodeId>,
}

/// What [`Book::add`] changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// The address is new in the book.
    New,
    /// The address was known. Its last sighting is now newer, or the address is in one more bucket.
    Refreshed,
    /// The address was known and nothing changed.
    Known,
}

impl Book {
    /// Creates an empty book with its own secret for choosing buckets.
    pub fn new(config: BookConfig, rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        Self::with_shape(config, BucketKey::random(rng), Shape::default())
    }

    pub(super) fn with_shape(config: BookConfig, key: BucketKey, shape: Shape) -> Self {
        Self {
            config,
            key,
            entries: BTreeMap::new(),
            by_endpoint: BTreeMap::new(),
            new: Buckets::new(shape.new_buckets, shape.new_capacity),
            tried: Buckets::new(shape.tried_buckets, shape.tried_capacity),
            shape,
            contests: BTreeMap::new(),
            successes: 0,
            shared: None,
            unsaved: Unsaved::default(),
        }
    }

    /// Adds an address that `source` reported and that was seen at `last_seen`.
    ///
    /// A sighting more than ten minutes ahead of `now` counts as five days old.
    ///
    /// # Errors
    /// [`AddError`] with the reason for the rejection. An address conflicts with an entry for the
    /// same node at another host or port, and with an entry for another node at the same host and
    /// port. It replaces that entry if the entry is bad. It also replaces an entry that no
    /// handshake has proved, if the entry has failed at least once or if the address comes from
    /// [`Source::Own`]. Otherwise the address is rejected.
    pub fn add(
        &mut self,
        enode: &Enode,
        source: Source,
        last_seen: SystemTime,
        now: SystemTime,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<Added, AddError> {
        let (endpoint, group) = self.config.admit(enode, &source)?;
        let id = enode.node_id();
        self.settle(&id, endpoint, &source, now)?;
        let last_seen = if is_ahead(now, last_seen) {
            earlier(now, DOUBTFUL)
        } else {
            last_seen
        };
        let bucket = self.key.new_bucket(&self.shape, &group, &source.group());
        let Some(entry) = self.entries.get_mut(&id) else {
            self.insert(Entry::new(enode.clone(), group, source, last_seen));
            self.put_new(id, bucket, now);
            return Ok(Added::New);
        };
        entry.correct(now);
        let newer = last_seen > entry.last_seen;
        if newer {
            entry.last_seen = last_seen;
            self.unsaved.changed(id);
        }
        let Place::New(buckets) = &entry.place else {
            return Ok(refreshed(newer));
        };
        // The more buckets an address is already in, the less likely it is that another source adds
        // one.
        let places = u32::try_from(buckets.len()).unwrap_or(u32::MAX);
        let further = buckets.len() < self.shape.new_per_address
            && rng.random_ratio(1, places.saturating_mul(2).max(1));
        Ok(refreshed(
            (further && self.put_new(id, bucket, now)) || newer,
        ))
    }

    /// Records that a dial is about to start; returns whether the node is known.
    ///
    /// For the next ten minutes, draws rarely take the address. The attempt counts neither for nor
    /// against the address.
    pub fn attempt(&mut self, id: &NodeId, now: SystemTime) -> bool {
        let Some(entry) = self.entries.get_mut(id) else {
            return false;
        };
        entry.correct(now);
        entry.last_attempt = Some(now);
        self.unsaved.changed(*id);
        true
    }

    /// Records a dial that did not reach the node; returns whether the node is known.
    ///
    /// The failure counts against the address only if a dial to some node has succeeded since the
    /// previous attempt at this address, because no address is at fault while our own node is
    /// offline. If a problem on this side prevented the dial, do not report it.
    pub fn failed(&mut self, id: &NodeId, now: SystemTime) -> bool {
        let Some(entry) = self.entries.get_mut(id) else {
            return false;
        };
        entry.correct(now);
        if self.successes > entry.successes_seen {
            entry.attempts = entry.attempts.saturating_add(1);
        }
        entry.successes_seen = self.successes;
        entry.last_attempt = Some(now);
        self.unsaved.changed(*id);
        true
    }

    /// Records that a dial to any node succeeded, which shows that we are online.
    ///
    /// [`good`](Self::good) includes this.
    pub fn dial_succeeded(&mut self) {
        self.successes = self.successes.saturating_add(1);
    }

    /// Refreshes the sighting of a node that is or was connected.
    ///
    /// The sighting is refreshed only if it is older than 20 minutes, or far in the future. Returns
    /// whether the node is known.
    pub fn connected(&mut self, id: &NodeId, now: SystemTime) -> bool {
        let Some(entry) = self.entries.get_mut(id) else {
            return false;
        };
        if age(now, entry.last_seen) > REFRESH || is_ahead(now, entry.last_seen) {
            entry.last_seen = now;
            self.unsaved.changed(*id);
        }
        true
    }

    /// Removes a node, new or tried.
    pub fn remove(&mut self, id: &NodeId) -> Option<Enode> {
        self.forget(id).map(|entry| entry.enode)
    }

    /// Removes all nodes at an IP address, and returns how many there were.
    ///
    /// An IPv6 address stands for its whole /64, as in a ban.
    pub fn remove_ip(&mut self, ip: IpAddr) -> usize {
        let (first, last) = match ip.to_canonical() {
            IpAddr::V6(ip) => {
                let host_bits = u128::from(u64::MAX);
                let first = Ipv6Addr::from_bits(ip.to_bits() & !host_bits);
                let last = Ipv6Addr::from_bits(ip.to_bits() | host_bits);
                (first.into(), last.into())
            }
            v4 => (v4, v4),
        };
        let range = (Host::Ip(first), 0)..=(Host::Ip(last), u16::MAX);
        let ids: Vec<_> = self.by_endpoint.range(range).map(|(_, id)| *id).collect();
        for id in &ids {
            self.forget(id);
        }
        ids.len()
    }

    /// Removes every bad address, and returns how many there were.
    ///
    /// Without this call, bad addresses stay until their slot is needed.
    pub fn expire(&mut self, now: SystemTime) -> usize {
        let bad = self.entries.iter().filter(|(_, entry)| entry.is_bad(now));
        let bad: Vec<_> = bad.map(|(id, _)| *id).collect();
        for id in &bad {
            self.forget(id);
        }
        bad.len()
    }

    /// The entry of a node.
    pub fn entry(&self, id: &NodeId) -> Option<&Entry> {
        self.entries.get(id)
    }

    /// All entries, in the order of their node ids.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// How many addresses the book holds.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether the book holds no address.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many of the addresses have been proven by a handshake.
    pub fn tried_len(&self) -> usize {
        self.tried.places()
    }

    /// Whether there are fewer than 1000 addresses, and peers should be asked for more.
    pub fn need_more(&self) -> bool {
        self.len() < NEED_MORE
    }

    /// Removes the entries that conflict with an address. Fails if one of these entries must stay.
    fn settle(
        &mut self,
        id: &NodeId,
        endpoint: &Endpoint,
        source: &Source,
        now: SystemTime,
    ) -> Result<(), AddError> {
        let slot = slot(endpoint);
        let holder = self.by_endpoint.get(&slot).copied();
        let holder = holder.filter(|holder| holder != id);
        if let Some(holder) = holder.filter(|holder| !self.yields(holder, source, now)) {
            return Err(AddError::EndpointTaken {
                holder,
                endpoint: endpoint.clone(),
            });
        }
        let known = self.entries.get(id);
        let known = known.and_then(|entry| entry.enode.endpoint());
        let moved = known.filter(|known| self::slot(known) != slot);
        if let Some(known) = moved.filter(|_| !self.yields(id, source, now)) {
            return Err(AddError::KnownElsewhere {
                endpoint: known.clone(),
            });
        }
        let moved = moved.is_some().then_some(*id);
        for id in holder.into_iter().chain(moved) {
            self.forget(&id);
        }
        Ok(())
    }

    /// Whether an address from this source may replace an entry.
    fn yields(&self, id: &NodeId, source: &Source, now: SystemTime) -> bool {
        self.entries.get(id).is_none_or(|entry| {
            let unproven = !entry.is_tried() && (*source == Source::Own || entry.attempts > 0);
            unproven || entry.is_bad(now)
        })
    }

    /// Adds an entry whose endpoint is free. This does not put the entry into a bucket.
    pub(super) fn insert(&mut self, entry: Entry) {
        let id = entry.enode.node_id();
        if let Some(endpoint) = entry.enode.endpoint() {
            self.by_endpoint.insert(slot(endpoint), id);
        }
        self.unsaved.changed(id);
        self.entries.insert(id, entry);
    }

    /// Puts a node into a new bucket; returns whether that was possible.
    pub(super) fn put_new(&mut self, id: NodeId, bucket: u16, now: SystemTime) -> bool {
        if self.new.contains(bucket, &id) {
            return false;
        }
        if self.new.is_full(bucket) {
            self.make_room(bucket, now);
        }
        let Some(Place::New(buckets)) = self.entries.get_mut(&id).map(|entry| &mut entry.place)
        else {
            return false;
        };
        if !self.new.insert(bucket, id) {
            return false;
        }
        buckets.push(bucket);
        self.unsaved.changed(id);
        true
    }

    /// Removes the bad entries of a new bucket from the book. If there are none, removes the entry
    /// seen longest ago from this bucket.
    fn make_room(&mut self, bucket: u16, now: SystemTime) {
        let is_bad = |id: &&NodeId| self.entries.get(id).is_none_or(|entry| entry.is_bad(now));
        let bad = self.new.bucket(bucket).iter().filter(is_bad);
        let bad: Vec<_> = bad.copied().collect();
        for id in &bad {
            self.forget(id);
        }
        if !bad.is_empty() {
            return;
        }
        let last_seen = |id: &&NodeId| self.entries.get(id).map(|entry| entry.last_seen);
        let held = self.new.bucket(bucket).iter();
        let oldest = held.min_by_key(last_seen).copied();
        if let Some(id) = oldest {
            self.leave_new(&id, bucket);
        }
    }

    /// Removes a node from a new bucket. If the node was in no other bucket, its entry is removed.
    fn leave_new(&mut self, id: &NodeId, bucket: u16) {
        self.new.remove(bucket, id);
        self.unsaved.changed(*id);
        let place = self.entries.get_mut(id).map(|entry| &mut entry.place);
        if let Some(Place::New(buckets)) = place {
            buckets.retain(|held| *held != bucket);
            if buckets.is_empty() {
                self.forget(id);
            }
        }
    }

    /// Removes an entry and all references to it.
    pub(super) fn forget(&mut self, id: &NodeId) -> Option<Entry> {
        let entry = self.entries.remove(id)?;
        match &entry.place {
            Place::New(buckets) => buckets
                .iter()
                .for_each(|bucket| self.new.remove(*bucket, id)),
            Place::Tried(bucket) => self.tried.remove(*bucket, id),
        }
        if let Some(endpoint) = entry.enode.endpoint() {
            self.by_endpoint.remove(&slot(endpoint));
        }
        self.contests.retain(|_, contest| !contest.involves(id));
        let is_other = |enode: &&Enode| enode.public_key() != entry.enode.public_key();
        if let Some((_, list)) = &mut self.shared
            && !list.iter().all(|enode| is_other(&enode))
        {
            let others = list.iter().filter(is_other);
            *list = others.cloned().collect();
        }
        self.unsaved.removed(*id);
        Some(entry)
    }
}

fn refreshed(changed: bool) -> Added {
    if changed {
        Added::Refreshed
    } else {
        Added::Known
    }
}
