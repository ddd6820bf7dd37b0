use crate::connmgr::{AddressSource, DialFilter};
use crate::metrics::table::DISCOVERY_FOUND;
use crate::metrics::{Counter, NodeLabel};

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

impl<T: Send, S: AddressSource<T>> AddressSource<T> for Counted<S> {
    async fn next(&mut self, wanted: &DialFilter<T>) -> Option<T> {
        let node = self.source.next(wanted).await?;
        self.found.increment(1);
        Some(node)
    }
}
