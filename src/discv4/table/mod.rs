//! The Kademlia table: nodes that answered, by their distance from us.

mod bucket;
mod entry;

use std::time::Duration;

use tokio::time::Instant;

use super::contact::Contact;
use super::distance::{distance, log_distance};
use super::networks::Networks;
use crate::node::{NodeId, NodeRecord};

use bucket::Bucket;
pub use entry::TableEntry;

/// Number of nodes in a bucket, in an answer and in a lookup.
pub(super) const BUCKET: usize = 16;

/// Number of buckets: one for each of the 17 largest distances.
///
/// The first bucket also takes all nearer nodes. In a network of 2^20 nodes, about 16 nodes belong
/// to that bucket.
const BUCKETS: usize = 17;

/// Maximum nodes per /24, or IPv6 /64, in the table and in a bucket.
///
/// Nodes that wait for a slot count too.
const OF_NETWORK: usize = 10;
const OF_NETWORK_IN_BUCKET: usize = 2;

/// How the table treated a node that answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// The node was added to the table.
    Added,
    /// The node is already in the table, or waits for a slot.
    Known,
    /// The node's network has too many nodes, or the node is our own.
    Refused,
}

/// Nodes that answered a Ping, in buckets by the logarithm of their distance.
///
/// A bucket holds 16 nodes, in the order of their last answers, and the 10 waiting nodes that
/// answered last. One of the 16 is removed only if it does not answer. The state depends only on
/// the calls and their order.
#[derive(Debug)]
pub(super) struct Table {
    own: NodeId,
    buckets: Vec<Bucket>,
    networks: Networks,
}

impl Table {
    pub(super) fn new(own: NodeId) -> Self {
        Self {
            own,
            buckets: (0..BUCKETS)
                .map(|_| Bucket::new(OF_NETWORK_IN_BUCKET))
                .collect(),
            networks: Networks::new(OF_NETWORK),
        }
    }

    fn place(&self, id: &NodeId) -> usize {
        (log_distance(&self.own, id) + BUCKETS).saturating_sub(257)
    }

    fn bucket(&self, id: &NodeId) -> Option<&Bucket> {
        self.buckets.get(self.place(id))
    }

    fn bucket_mut(&mut self, id: &NodeId) -> Option<&mut Bucket> {
        let place = self.place(id);
        self.buckets.get_mut(place)
    }

    /// Records a node that answered a Ping, and its record's sequence number if sent.
    pub(super) fn seen(&mut self, contact: Contact, seq: Option<u64>, now: Instant) -> Seen {
        let (id, ip) = (contact.node_id(), contact.ip());
        let own = self.own;
        let place = self.place(&id);
        let (networks, Some(bucket)) = (&mut self.networks, self.buckets.get_mut(place)) else {
            return Seen::Refused;
        };
        if id == own {
            return Seen::Refused;
        }
        match bucket.ip_of(&id) {
            Some(before) if before == ip => {}
            Some(before) => {
                // The node moved. If its new network has no room, the table keeps the old address,
                // at which the node is checked.
                networks.remove(before);
                if !networks.has_room(ip) || !bucket.may_move(before, ip) {
                    networks.add(before);
                    return Seen::Refused;
                }
                networks.add(ip);
            }
            None if !networks.has_room(ip) || !bucket.has_room_for(ip) => return Seen::Refused,
            None => {
                networks.add(ip);
                let (seen, gone) = bucket.add(TableEntry::new(contact, seq, now));
                if let Some(gone) = gone {
                    networks.remove(gone);
                }
                return seen;
            }
        }
        bucket.renew(contact, seq, now);
        Seen::Known
    }

    /// Records that a node did not answer.
    ///
    /// A node that has rarely answered is removed, and a waiting one takes its place.
    pub(super) fn failed(&mut self, id: &NodeId) {
        if let Some(gone) = self.bucket_mut(id).and_then(|bucket| bucket.failed(id)) {
            self.networks.remove(gone);
        }
    }

    /// Returns the node silent for the longest time, if that time is at least `silence`.
    pub(super) fn stalest(&self, silence: Duration, now: Instant) -> Option<Contact> {
        let stalest = self.entries().min_by_key(|entry| entry.last_pong);
        let silent =
            |entry: &&TableEntry| now.saturating_duration_since(entry.last_pong) >= silence;
        stalest.filter(silent).map(|entry| entry.contact)
    }

    /// Of the `wanted` nodes, returns the `count` nearest to a target, the nearest first.
    pub(super) fn nearest(
        &self,
        target: &NodeId,
        count: usize,
        wanted: impl Fn(&Contact) -> bool,
    ) -> Vec<Contact> {
        let contacts = self.entries().map(|entry| entry.contact);
        let mut nearest: Vec<_> = contacts.filter(|contact| wanted(contact)).collect();
        nearest.sort_unstable_by_key(|contact| distance(&contact.node_id(), target));
        nearest.truncate(count);
        nearest
    }

    /// Returns the nodes in the table, the nearest bucket first.
    pub(super) fn entries(&self) -> impl Iterator<Item = &TableEntry> {
        self.buckets.iter().flat_map(Bucket::entries)
    }

    /// Returns a node that is in the table.
    pub(super) fn get(&self, id: &NodeId) -> Option<&TableEntry> {
        self.bucket(id)?.entries().find(|entry| entry.is(id))
    }

    /// Returns whether the node is in the table, or waits, with this address and port.
    pub(super) fn is_at(&self, contact: &Contact) -> bool {
        let bucket = self.bucket(&contact.node_id());
        bucket.is_some_and(|bucket| bucket.is_at(contact))
    }

    /// Stores the sequence number that a node announced for its record.
    pub(super) fn told_sequence(&mut self, id: &NodeId, seq: Option<u64>) {
        if let Some(bucket) = self.bucket_mut(id) {
            bucket.told_sequence(id, seq);
        }
    }

    /// Stores a node's record if the stored one is older; returns whether it is new.
    ///
    /// A record of a node that is not in the table counts as new.
    pub(super) fn set_record(&mut self, record: NodeRecord) -> bool {
        let id = record.node_id();
        let bucket = self.bucket_mut(&id);
        bucket.is_none_or(|bucket| bucket.set_record(&id, record))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries().next().is_none()
    }
}

#[cfg(test)]
mod tests;
