//! Discovery as a source of nodes to dial.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use rand::Rng;
use tracing::debug;

use super::Discv5;
use crate::connmgr::{AddressSource, DialFilter};
use crate::guarded::caught;
use crate::node::{NodeId, NodeRecord};

/// Number of lookups that one call makes before it returns `None`.
const LOOKUPS: usize = 3;

type Wanted = Arc<dyn Fn(&NodeRecord) -> bool + Send + Sync>;

/// An endless [source](crate::ServerBuilder::source) of nodes, found by lookups of random ids.
pub struct Nodes {
    discovery: Discv5,
    found: VecDeque<NodeRecord>,
    wanted: Option<Wanted>,
}

impl Discv5 {
    /// Returns a source of nodes to dial, which looks up random ids.
    #[must_use]
    pub fn nodes(&self) -> Nodes {
        Nodes {
            discovery: self.clone(),
            found: VecDeque::new(),
            wanted: None,
        }
    }
}

impl Nodes {
    /// Keeps only nodes whose record `wanted` accepts.
    ///
    /// For example, `wanted` may check for a fork identifier.
    #[must_use]
    pub fn only(mut self, wanted: impl Fn(&NodeRecord) -> bool + Send + Sync + 'static) -> Self {
        self.wanted = Some(Arc::new(wanted));
        self
    }

    fn is_wanted(&self, record: &NodeRecord) -> bool {
        let Some(wanted) = &self.wanted else {
            return true;
        };
        caught("a filter of node records", || wanted(record)).unwrap_or(false)
    }
}

impl AddressSource<NodeRecord> for Nodes {
    async fn next(&mut self, filter: &DialFilter<NodeRecord>) -> Option<NodeRecord> {
        for _ in 0..LOOKUPS {
            while let Some(record) = self.found.pop_front() {
                if self.is_wanted(&record) && filter.allows(&record) {
                    return Some(record);
                }
            }
            let mut target = [0; NodeId::LENGTH];
            rand::rng().fill_bytes(&mut target);
            match self.discovery.lookup(&NodeId::from_bytes(target)).await {
                Ok(found) => self.found.extend(found),
                Err(error) => {
                    debug!(%error, "a lookup found nothing");
                    return None;
                }
            }
        }
        None
    }
}

impl fmt::Debug for Nodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nodes")
            .field("found", &self.found.len())
            .finish_non_exhaustive()
    }
}
