//! What a client keeps of the lists that it has read.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use tokio::time::Instant;

use super::{Config, EntryHash, Link};
use crate::pace::Pace;

/// The number of lists whose highest sequence number is kept.
const MAX_SEQS: usize = 256;

/// How many entries may be read at once.
const BURST: u32 = 10;

/// The state that all walks and syncs of one client share.
#[derive(Debug)]
pub(super) struct Memory {
    /// The texts of entries, each checked against its hash.
    pub(super) texts: Bounded<EntryHash, String>,
    /// The highest sequence number that was seen of each list.
    pub(super) seqs: Bounded<Link, u64>,
    /// The rate at which entries may be read. `spent` encodes how much of it is used up.
    pub(super) pace: Pace,
    pub(super) spent: Option<Instant>,
}

impl Memory {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            texts: Bounded::new(config.cache()),
            seqs: Bounded::new(MAX_SEQS),
            pace: Pace::new(BURST, config.entries_per_second()),
            spent: None,
        }
    }
}

/// A map that forgets its oldest keys.
#[derive(Debug)]
pub(super) struct Bounded<K, V> {
    limit: usize,
    values: HashMap<K, V>,
    /// The keys, the oldest first.
    order: VecDeque<K>,
}

impl<K: Clone + Eq + Hash, V> Bounded<K, V> {
    fn new(limit: usize) -> Self {
        Self {
            limit,
            values: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.values.get(key)
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        if self.limit == 0 {
            return;
        }
        if let Some(place) = self.values.get_mut(&key) {
            *place = value;
            return;
        }
        if self.order.len() >= self.limit
            && let Some(oldest) = self.order.pop_front()
        {
            self.values.remove(&oldest);
        }
        self.order.push_back(key.clone());
        self.values.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten() {
        let mut bounded = Bounded::new(2);
        for (key, value) in [(1, 'a'), (2, 'b'), (1, 'c'), (3, 'd')] {
            bounded.insert(key, value);
        }
        assert_eq!(
            [1, 2, 3].map(|key| bounded.get(&key).copied()),
            [None, Some('b'), Some('d')]
        );
        assert_eq!((bounded.values.len(), bounded.order.len()), (2, 2));
        let mut nothing = Bounded::new(0);
        nothing.insert(1, 'a');
        assert_eq!(nothing.get(&1), None);
    }
}
