use crate::connmgr::{AddressSource, DialFilter};
use crate::metrics::table::DISCOVERY_FOUND;
use crate::metrics::{Counter, NodeLabel};
use crate::node::Enode;

/// A source that counts the nodes that it finds.
pub(super) struct Counted<S> {
    source: S,
    found: Counter,
}

impl<S> Counted<S> {
    pub(super) fn new(source: S, node: &NodeLabel, version: &'static str) -> Self {
        let found = DISCOVERY_FOUND.of(node, [version.into()]);
        Self { source, found }
    }
}

impl<S: AddressSource<Enode>> AddressSource<Enode> for Counted<S> {
    async fn next(&mut self, wanted: &DialFilter<Enode>) -> Option<Enode> {
        let node = self.source.next(wanted).await?;
        self.found.increment(1);
        Some(node)
    }
}
