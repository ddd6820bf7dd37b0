//! Buckets of node ids, each with the same capacity.

use crate::node::NodeId;

/// How many buckets there are, and how many addresses each holds.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    pub(super) new_buckets: u16,
    pub(super) new_capacity: usize,
    /// How many new buckets one source group reaches.
    pub(super) new_per_source: u64,
    /// How many new buckets may hold one address at the same time.
    pub(super) new_per_address: usize,
    pub(super) tried_buckets: u16,
    pub(super) tried_capacity: usize,
    /// How many tried buckets one address group reaches.
    pub(super) tried_per_group: u64,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            new_buckets: 1024,
            new_capacity: 64,
            new_per_source: 64,
            new_per_address: 8,
            tried_buckets: 64,
            tried_capacity: 256,
            tried_per_group: 8,
        }
    }
}

/// A fixed number of buckets of the same capacity.
#[derive(Debug, Clone)]
pub(super) struct Buckets {
    buckets: Vec<Vec<NodeId>>,
    capacity: usize,
}

impl Buckets {
    pub(super) fn new(buckets: u16, capacity: usize) -> Self {
        Self {
            buckets: vec![Vec::new(); usize::from(buckets)],
            capacity,
        }
    }

    /// The ids in a bucket; none if there is no such bucket.
    pub(super) fn bucket(&self, bucket: u16) -> &[NodeId] {
        let bucket = self.buckets.get(usize::from(bucket));
        bucket.map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn contains(&self, bucket: u16, id: &NodeId) -> bool {
        self.bucket(bucket).contains(id)
    }

    /// Whether the bucket is full; true if there is no such bucket.
    pub(super) fn is_full(&self, bucket: u16) -> bool {
        usize::from(bucket) >= self.buckets.len() || self.bucket(bucket).len() >= self.capacity
    }

    /// Adds an id to a bucket. Returns false if the bucket is full or already contains the id.
    pub(super) fn insert(&mut self, bucket: u16, id: NodeId) -> bool {
        if self.is_full(bucket) || self.contains(bucket, &id) {
            return false;
        }
        let Some(bucket) = self.buckets.get_mut(usize::from(bucket)) else {
            return false;
        };
        bucket.push(id);
        true
    }

    pub(super) fn remove(&mut self, bucket: u16, id: &NodeId) {
        if let Some(bucket) = self.buckets.get_mut(usize::from(bucket)) {
            bucket.retain(|held| held != id);
        }
    }

    /// The buckets that are not empty.
    pub(super) fn occupied(&self) -> Vec<&[NodeId]> {
        let buckets = self.buckets.iter().map(Vec::as_slice);
        buckets.filter(|bucket| !bucket.is_empty()).collect()
    }

    /// The number of ids in all buckets; an id in two buckets counts twice.
    pub(super) fn places(&self) -> usize {
        self.buckets.iter().map(Vec::len).sum()
    }
}
