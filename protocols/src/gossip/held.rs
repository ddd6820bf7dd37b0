//! A collection of values by message id, which records the sender of each.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use peermux::comm::PeerId;

use super::message::MessageId;

/// Values that each have a weight, a sender and an author. [`crowded`](Self::crowded) returns the
/// value to evict next. It takes the sender with the largest sum of weights. Among that sender's
/// values it takes the author with the largest sum, and then that author's oldest value. So a
/// sender that floods evicts its own values, not those of other senders. An author that floods
/// through honest senders evicts its own values, not those of other authors.
#[derive(Debug)]
pub(super) struct Held<V> {
    /// The minimum weight of a value when senders and authors are compared.
    slot: usize,
    entries: HashMap<MessageId, Entry<V>>,
    /// Ids in order of arrival.
    order: BTreeMap<u64, MessageId>,
    arrivals: u64,
    weight: usize,
    senders: Ranking,
    authors: HashMap<PeerId, Ranking>,
    /// The sender, author and arrival number of each value, in this order.
    lines: BTreeSet<(PeerId, PeerId, u64)>,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    sender: PeerId,
    weight: usize,
    arrival: u64,
}

/// Sums of weights by id, from which the largest is found quickly.
#[derive(Debug, Default)]
struct Ranking {
    sums: HashMap<PeerId, usize>,
    ranks: BTreeSet<(usize, PeerId)>,
}

impl Ranking {
    fn change(&mut self, id: PeerId, change: impl FnOnce(usize) -> usize) {
        let old = self.sums.remove(&id).unwrap_or(0);
        self.ranks.remove(&(old, id));
        let new = change(old);
        if new > 0 {
            self.sums.insert(id, new);
            self.ranks.insert((new, id));
        }
    }

    fn largest(&self) -> Option<PeerId> {
        self.ranks.last().map(|(_, id)| *id)
    }
}

impl<V> Held<V> {
    pub(super) fn new(slot: usize) -> Self {
        Self {
            slot: slot.max(1),
            entries: HashMap::new(),
            order: BTreeMap::new(),
            arrivals: 0,
            weight: 0,
            senders: Ranking::default(),
            authors: HashMap::new(),
            lines: BTreeSet::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns the sum of all weights.
    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    pub(super) fn contains(&self, id: &MessageId) -> bool {
        self.entries.contains_key(id)
    }

    /// Returns a value and its sender.
    pub(super) fn get(&self, id: &MessageId) -> Option<(PeerId, &V)> {
        let entry = self.entries.get(id)?;
        Some((entry.sender, &entry.value))
    }

    pub(super) fn get_mut(&mut self, id: &MessageId) -> Option<&mut V> {
        self.entries.get_mut(id).map(|entry| &mut entry.value)
    }

    /// Returns the ids, newest first.
    pub(super) fn newest(&self) -> impl Iterator<Item = MessageId> + '_ {
        self.order.values().rev().copied()
    }

    /// Inserts a value. It replaces an older value with the same id.
    pub(super) fn insert(&mut self, sender: PeerId, id: MessageId, weight: usize, value: V) {
        self.remove(&id);
        self.arrivals = self.arrivals.wrapping_add(1);
        let arrival = self.arrivals;
        let add = weight.max(self.slot);
        self.senders.change(sender, |sum| sum.saturating_add(add));
        let authors = self.authors.entry(sender).or_default();
        authors.change(id.author, |sum| sum.saturating_add(add));
        self.lines.insert((sender, id.author, arrival));
        self.order.insert(arrival, id);
        self.weight = self.weight.saturating_add(weight);
        let entry = Entry {
            value,
            sender,
            weight,
            arrival,
        };
        self.entries.insert(id, entry);
    }

    /// Removes a value; returns its sender and the value.
    pub(super) fn remove(&mut self, id: &MessageId) -> Option<(PeerId, V)> {
        let entry = self.entries.remove(id)?;
        let (sender, less) = (entry.sender, entry.weight.max(self.slot));
        self.senders.change(sender, |sum| sum.saturating_sub(less));
        if let Some(authors) = self.authors.get_mut(&sender) {
            authors.change(id.author, |sum| sum.saturating_sub(less));
            if authors.sums.is_empty() {
                self.authors.remove(&sender);
            }
        }
        self.lines.remove(&(sender, id.author, entry.arrival));
        self.order.remove(&entry.arrival);
        self.weight = self.weight.saturating_sub(entry.weight);
        Some((sender, entry.value))
    }

    /// Returns the value to evict next, and its sender.
    pub(super) fn crowded(&self) -> Option<(PeerId, MessageId)> {
        let sender = self.senders.largest()?;
        let author = self.authors.get(&sender)?.largest()?;
        let line = self.lines.range((sender, author, 0)..).next()?;
        self.order.get(&line.2).map(|id| (sender, *id))
    }

    /// Removes and returns the values for which `is_over` is true.
    pub(super) fn take_if(&mut self, is_over: impl Fn(&V) -> bool) -> Vec<(MessageId, PeerId, V)> {
        let over = self.entries.iter().filter(|(_, one)| is_over(&one.value));
        let over: Vec<_> = over.map(|(id, _)| *id).collect();
        let take = |id| self.remove(&id).map(|(sender, value)| (id, sender, value));
        over.into_iter().filter_map(take).collect()
    }
}
