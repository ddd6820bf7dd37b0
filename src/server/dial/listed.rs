//! Lists in the DNS as a source of nodes to dial.

use tracing::debug;

use crate::connmgr::{AddressSource, DialFilter};
use crate::dns::{Resolver, Walk};
use crate::node::Enode;

/// How many nodes and failed lookups are passed over before the source says that it has none.
const LOOKED_AT: usize = 64;

/// A [source](crate::ServerBuilder::source) of nodes to dial. What is wrong with a list is for the log.
impl<R: Resolver> AddressSource<Enode> for Walk<R> {
    async fn next(&mut self, wanted: &DialFilter<Enode>) -> Option<Enode> {
        for _ in 0..LOOKED_AT {
            // The walk's own method.
            match Self::next(self).await? {
                Ok(record) => {
                    let node = record.to_enode();
                    if node.tcp_endpoint().is_some() && wanted.allows(&node) {
                        return Some(node);
                    }
                }
                Err(error) => debug!(%error, "a list of nodes"),
            }
        }
        None
    }
}
