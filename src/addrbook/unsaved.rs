//! The changes that the store does not hold yet.

use std::collections::BTreeSet;

/// The keys of rows that must be written or removed. Their number is bounded by the rows in memory
/// and in the store.
#[derive(Debug, Clone)]
pub(super) struct Unsaved<K> {
    changed: BTreeSet<K>,
    /// The rows that the store may hold.
    stored: BTreeSet<K>,
}

impl<K> Default for Unsaved<K> {
    fn default() -> Self {
        Self {
            changed: BTreeSet::new(),
            stored: BTreeSet::new(),
        }
    }
}

impl<K: Ord + Copy> Unsaved<K> {
    /// Marks a row to be written.
    pub(super) fn changed(&mut self, key: K) {
        self.changed.insert(key);
    }

    /// Marks a row to be removed. A row that was never stored needs no removal and is not marked,
    /// which bounds the set.
    pub(super) fn removed(&mut self, key: K) {
        if self.stored.contains(&key) {
            self.changed.insert(key);
        } else {
            self.changed.remove(&key);
        }
    }

    /// Records that the store holds the current state of a row.
    pub(super) fn restored(&mut self, key: K) {
        self.stored.insert(key);
        self.changed.remove(&key);
    }

    /// Takes all changes until now.
    pub(super) fn take(&mut self) -> BTreeSet<K> {
        std::mem::take(&mut self.changed)
    }

    /// Records that a row is being written or removed.
    pub(super) fn writing(&mut self, key: K, exists: bool) {
        if exists {
            self.stored.insert(key);
        } else {
            self.stored.remove(&key);
        }
    }

    /// Marks a row to be written again. The row counts as stored, because it is unknown whether the
    /// store holds it.
    pub(super) fn put_back(&mut self, key: K) {
        self.stored.insert(key);
        self.changed.insert(key);
    }

    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = &K> {
        self.changed.iter()
    }
}
