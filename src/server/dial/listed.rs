//! DNS lists of nodes as a source of nodes to dial.

use tracing::debug;

use crate::connmgr::{AddressSource, DialFilter};
use crate::dns::{Resolver, Walk};
use crate::node::Enode;

/// How many nodes and failed lookups the source skips before it returns `None`.
const LOOKED_AT: usize = 64;

/// A [source](crate::ServerBuilder::source) of nodes to dial, which logs errors in the list.
impl<R: Resolver> AddressSource<Enode> for Walk<R> {
    async fn next(&mut self, wanted: &DialFilter<Enode>) -> Option<Enode> {
        for _ in 0..LOOKED_AT {
            // This calls the inherent method of the walk, not the method of the trait.
            match Self::next(self).await? {
                Ok(record) => {
                    let node = record.to_enode();
                    if node.tcp_endpoint().is_some() && wanted.allows(&node) {
                        return Some(node);
                    }
                }
                Err(error) => debug!(%error, "error in a list of nodes"),
            }
        }
        None
    }
}
