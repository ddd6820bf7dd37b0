//! The nodes at one distance.

use std::collections::VecDeque;
use std::net::IpAddr;

use tokio::time::Instant;

use super::{BUCKET, Seen, TableEntry};
use crate::discv4::contact::Contact;
use crate::discv4::networks::Networks;
use crate::node::{NodeId, NodeRecord};

/// Maximum number of nodes that wait for a slot.
const WAITING: usize = 10;

/// The nodes at one distance, and those that wait for a slot.
///
/// In both lists, the node that has been silent longest comes first.
#[derive(Debug)]
pub(super) struct Bucket {
    entries: Vec<TableEntry>,
    waiting: VecDeque<TableEntry>,
    networks: Networks,
}

impl Bucket {
    pub(super) fn new(of_network: usize) -> Self {
        Self {
            entries: Vec::new(),
            waiting: VecDeque::new(),
            networks: Networks::new(of_network),
        }
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &TableEntry> {
        self.entries.iter()
    }

    /// Returns the address of a node that is in the bucket or waits.
    pub(super) fn ip_of(&self, id: &NodeId) -> Option<IpAddr> {
        let mut all = self.entries.iter().chain(&self.waiting);
        let entry = all.find(|entry| entry.is(id));
        entry.map(|entry| entry.contact.ip())
    }

    pub(super) fn is_at(&self, contact: &Contact) -> bool {
        let mut all = self.entries.iter().chain(&self.waiting);
        all.any(|entry| {
            entry.is(&contact.node_id()) && entry.contact.udp_addr() == contact.udp_addr()
        })
    }

    pub(super) fn told_sequence(&mut self, id: &NodeId, seq: Option<u64>) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.is(id)) {
            entry.enr_seq = seq.or(entry.enr_seq);
        }
    }

    pub(super) fn has_room_for(&self, ip: IpAddr) -> bool {
        self.networks.has_room(ip)
    }

    /// Moves a node's count from one network to another that has room.
    ///
    /// Returns whether there was room.
    pub(super) fn may_move(&mut self, from: IpAddr, to: IpAddr) -> bool {
        self.networks.remove(from);
        let room = self.networks.has_room(to);
        self.networks.add(if room { to } else { from });
        room
    }

    /// Adds a new node; returns the address of a waiting node that it displaced.
    pub(super) fn add(&mut self, entry: TableEntry) -> (Seen, Option<IpAddr>) {
        self.networks.add(entry.contact.ip());
        if self.entries.len() < BUCKET {
            self.entries.push(entry);
            return (Seen::Added, None);
        }
        self.waiting.push_back(entry);
        let gone = if self.waiting.len() > WAITING {
            self.waiting.pop_front().map(|entry| entry.contact.ip())
        } else {
            None
        };
        if let Some(gone) = gone {
            self.networks.remove(gone);
        }
        (Seen::Known, gone)
    }

    /// Records that a node of this bucket answered.
    pub(super) fn renew(&mut self, contact: Contact, seq: Option<u64>, now: Instant) {
        let id = contact.node_id();
        let renewed = |mut entry: TableEntry| {
            entry.contact = contact;
            entry.enr_seq = seq.or(entry.enr_seq);
            entry.last_pong = now;
            entry.answers = entry.answers.saturating_add(1);
            entry
        };
        if let Some(at) = self.entries.iter().position(|entry| entry.is(&id)) {
            let entry = self.entries.remove(at);
            self.entries.push(renewed(entry));
        } else if let Some(at) = self.waiting.iter().position(|entry| entry.is(&id))
            && let Some(entry) = self.waiting.remove(at)
        {
            self.waiting.push_back(renewed(entry));
        }
    }

    /// Records that a node did not answer; returns its address if it is removed.
    pub(super) fn failed(&mut self, id: &NodeId) -> Option<IpAddr> {
        let gone = if let Some(at) = self.entries.iter().position(|entry| entry.is(id)) {
            let entry = self.entries.get_mut(at)?;
            entry.answers /= 3;
            if entry.answers > 0 {
                return None;
            }
            let gone = self.entries.remove(at);
            // The waiting node that answered last takes the free slot, because it is most likely
            // still there. The time of its last Pong is kept, so that it is checked soon.
            self.entries.extend(self.waiting.pop_back());
            gone
        } else {
            let at = self.waiting.iter().position(|entry| entry.is(id))?;
            self.waiting.remove(at)?
        };
        let ip = gone.contact.ip();
        self.networks.remove(ip);
        Some(ip)
    }

    /// Stores a record if the stored one is older; returns whether the record is new.
    ///
    /// The record of a node that is not in the bucket always counts as new.
    pub(super) fn set_record(&mut self, id: &NodeId, record: NodeRecord) -> bool {
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.is(id)) else {
            return true;
        };
        let known = entry.record.as_ref().map(|known| known.seq());
        let newer = known.is_none_or(|known| known < record.seq());
        if newer {
            entry.enr_seq = entry.enr_seq.max(Some(record.seq()));
            entry.record = Some(Box::new(record));
        }
        newer
    }
}
