//! DNS lists of nodes as a source of nodes to dial.

use tracing::debug;

use crate::connmgr::{AddressSource, DialFilter};
use crate::dns::{Resolver, Walk};
use crate::node::NodeRecord;

/// How many nodes and failed lookups the source skips before it returns `None`.
const LOOKED_AT: usize = 64;

/// A [source](crate::ServerBuilder::source) of nodes to dial, which logs errors in the list.
impl<R: Resolver> AddressSource<NodeRecord> for Walk<R> {
    async fn next(&mut self, wanted: &DialFilter<NodeRecord>) -> Option<NodeRecord> {
        for _ in 0..LOOKED_AT {
            // This calls the inherent method of the walk, not the method of the trait.
            match Self::next(self).await? {
                Ok(record) => {
                    if wanted.allows(&record) {
                        return Some(record);
                    }
                }
                Err(error) => debug!(%error, "error in a list of nodes"),
            }
        }
        None
    }
}
