//! A list that was read as a whole.

use super::machine::Event;
use super::{DnsError, Link, Root};
use crate::node::NodeRecord;

/// How many errors are kept.
const MAX_ERRORS: usize = 64;

/// The result of reading a list.
#[derive(Debug, Clone)]
pub struct SyncedTree {
    root: Root,
    read: Read,
}

/// The result before it is known whether there is a root.
#[derive(Debug, Clone, Default)]
pub(super) struct Read {
    nodes: Vec<NodeRecord>,
    links: Vec<Link>,
    errors: Vec<DnsError>,
    failures: usize,
}

impl Read {
    pub(super) fn take(&mut self, event: Event) {
        match event {
            Event::Node(record) => self.nodes.push(record),
            Event::Link(link) => self.links.push(link),
            Event::Failed(error) => {
                self.failures = self.failures.saturating_add(1);
                if self.errors.len() < MAX_ERRORS {
                    self.errors.push(error);
                }
            }
        }
    }

    /// Returns the list, or the first error if there is no root.
    pub(super) fn complete(self, root: Option<&Root>, name: &str) -> Result<SyncedTree, DnsError> {
        match root {
            Some(root) => Ok(SyncedTree {
                root: root.clone(),
                read: self,
            }),
            None => Err(self.errors.into_iter().next().unwrap_or_else(|| {
                let name = name.to_owned();
                DnsError::NoRoot { name }
            })),
        }
    }
}

impl SyncedTree {
    /// The root, which is signed by the link's key.
    #[must_use]
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// The nodes, in the random order in which they were read.
    #[must_use]
    pub fn nodes(&self) -> &[NodeRecord] {
        &self.read.nodes
    }

    /// The links to other lists, in random order.
    #[must_use]
    pub fn links(&self) -> &[Link] {
        &self.read.links
    }

    /// The first 64 errors, about entries that could not be read or were left out.
    #[must_use]
    pub fn errors(&self) -> &[DnsError] {
        &self.read.errors
    }

    /// How many errors there were in all.
    #[must_use]
    pub fn failures(&self) -> usize {
        self.read.failures
    }
}
