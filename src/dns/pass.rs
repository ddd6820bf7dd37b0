//! A pass through one of a list's two trees.

use std::collections::HashSet;

use rand::{Rng, RngExt};

use super::{Config, DnsError, EntryHash};

/// An entry that is still to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pending {
    pub(super) hash: EntryHash,
    depth: usize,
}

/// A pass through a tree, in random order.
#[derive(Debug)]
pub(super) struct Pass {
    root: EntryHash,
    missing: Vec<Pending>,
    /// All entries that have been named so far.
    named: HashSet<[u8; EntryHash::MIN_LENGTH]>,
    bytes: usize,
    leaves: usize,
    failed: bool,
}

impl Pass {
    pub(super) fn new(root: EntryHash) -> Self {
        let first = Pending {
            hash: root,
            depth: 0,
        };
        Self {
            root,
            missing: vec![first],
            named: HashSet::from([root.key()]),
            bytes: 0,
            leaves: 0,
            failed: false,
        }
    }

    pub(super) fn root(&self) -> EntryHash {
        self.root
    }

    /// Whether there is nothing more to read.
    pub(super) fn is_done(&self) -> bool {
        self.missing.is_empty()
    }

    /// Whether an entry could not be read, or a limit was exceeded.
    pub(super) fn has_failed(&self) -> bool {
        self.failed
    }

    /// Whether a leaf was read.
    pub(super) fn has_leaves(&self) -> bool {
        self.leaves > 0
    }

    /// Takes a random entry from those that are still to be read.
    pub(super) fn take(&mut self, rng: &mut impl Rng) -> Option<Pending> {
        match self.missing.len() {
            0 => None,
            length => Some(self.missing.swap_remove(rng.random_range(0..length))),
        }
    }

    /// Records that an entry could not be read. This pass leaves it out.
    pub(super) fn fail(&mut self) {
        self.failed = true;
    }

    pub(super) fn count_leaf(&mut self) {
        self.leaves = self.leaves.saturating_add(1);
    }

    /// Counts the bytes of the entry `name`. If the tree exceeds the limit, the pass ends.
    pub(super) fn count_bytes(
        &mut self,
        name: &str,
        bytes: usize,
        config: &Config,
    ) -> Result<(), DnsError> {
        let limit = config.max_bytes();
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes <= limit {
            return Ok(());
        }
        self.missing = Vec::new();
        self.failed = true;
        Err(DnsError::TooManyBytes {
            name: name.to_owned(),
            limit,
        })
    }

    /// Adds the entries of the branch `name` while there is room, and returns errors.
    pub(super) fn branch(
        &mut self,
        name: &str,
        of: Pending,
        children: &[EntryHash],
        config: &Config,
    ) -> Vec<DnsError> {
        let name = || name.to_owned();
        let limit = config.max_depth();
        if of.depth >= limit && !children.is_empty() {
            self.failed = true;
            return vec![DnsError::TooDeep {
                name: name(),
                limit,
            }];
        }
        let mut errors = Vec::new();
        let depth = of.depth.saturating_add(1);
        for &child in children {
            if self.named.contains(&child.key()) {
                errors.push(DnsError::Repeated {
                    name: name(),
                    child,
                });
            } else if self.named.len() >= config.max_entries() {
                self.failed = true;
                errors.push(DnsError::TooManyEntries {
                    name: name(),
                    limit: config.max_entries(),
                });
                break;
            } else {
                self.named.insert(child.key());
                self.missing.push(Pending { hash: child, depth });
            }
        }
        errors
    }
}
