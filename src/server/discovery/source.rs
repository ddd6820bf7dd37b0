//! Discovery v4 as a source of nodes to dial.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use futures::future::join_all;
use tokio::time::Instant;
use tracing::debug;

use super::filter::RecordFilter;
use crate::connmgr::{AddressSource, DialFilter};
use crate::discv4::{Discv4, Discv4Error, RandomWalk};
use crate::node::{Enode, NodeId};
use crate::time::after;

/// How many nodes the source checks before it returns `None`.
const LOOKED_AT: usize = 64;

/// How many records are requested at once.
const ASKED: usize = 8;

/// Maximum number of nodes that the source remembers in order to skip them.
const REFUSED: usize = 1024;

/// How long the source skips a node. After that time, the node's record may have changed.
const REFUSED_FOR: Duration = Duration::from_secs(10 * 60);

/// An endless source of random nodes that satisfy the filter.
pub(super) struct Walk {
    v4: Discv4,
    walk: RandomWalk,
    filter: RecordFilter,
    /// Nodes that satisfy the filter and have not yet been returned; at most [`ASKED`].
    fit: VecDeque<Enode>,
    refused: Refused,
}

impl Walk {
    pub(super) fn new(v4: &Discv4, filter: RecordFilter) -> Self {
        Self {
            v4: v4.clone(),
            walk: v4.random_walk(),
            filter,
            fit: VecDeque::new(),
            refused: Refused::default(),
        }
    }

    /// Collects candidates in `found`, at most [`ASKED`], and returns how many nodes it checked.
    async fn find(
        &mut self,
        wanted: &DialFilter<Enode>,
        found: &mut Vec<Enode>,
    ) -> Result<usize, Discv4Error> {
        let mut next = Some(self.walk.next().await?);
        let (mut looked_at, now) = (0, Instant::now());
        while let Some(contact) = next {
            looked_at += 1;
            let node = contact.to_enode();
            let dialable = node.tcp_endpoint().is_some() && wanted.allows(&node);
            if dialable && !self.refused.holds(&node.node_id(), now) {
                found.push(node);
            }
            // With a filter, the nodes of one lookup are asked for their records together. Without
            // a filter, the first node is enough.
            let enough = if self.filter.is_set() { ASKED } else { 1 };
            next = (found.len() < enough)
                .then(|| self.walk.next_found())
                .flatten();
        }
        Ok(looked_at)
    }

    /// Keeps the candidates that satisfy the filter.
    async fn choose(&mut self, found: Vec<Enode>) {
        if !self.filter.is_set() {
            self.fit.extend(found);
            return;
        }
        let records = found.iter().map(|node| self.v4.request_record(node));
        let records = join_all(records).await;
        let now = Instant::now();
        for (node, record) in found.into_iter().zip(records) {
            match record {
                Ok(record) if self.filter.allows(Some(&record)) => self.fit.push_back(node),
                Ok(_) => self.refused.add(node.node_id(), now),
                Err(error) => {
                    debug!(%error, "cannot fetch the record of a found node");
                    self.refused.add(node.node_id(), now);
                }
            }
        }
    }
}

impl AddressSource<Enode> for Walk {
    async fn next(&mut self, wanted: &DialFilter<Enode>) -> Option<Enode> {
        let mut looked_at = 0;
        loop {
            while let Some(node) = self.fit.pop_front() {
                if wanted.allows(&node) {
                    return Some(node);
                }
            }
            if looked_at >= LOOKED_AT {
                return None;
            }
            let mut found = Vec::new();
            match self.find(wanted, &mut found).await {
                Ok(more) => looked_at += more,
                Err(error) => {
                    debug!(%error, "discovery finds no nodes");
                    return None;
                }
            }
            self.choose(found).await;
        }
    }
}

/// Nodes without a record that satisfies the filter. The walk skips them for [`REFUSED_FOR`].
#[derive(Default)]
struct Refused(BTreeMap<NodeId, Instant>);

impl Refused {
    fn holds(&self, id: &NodeId, now: Instant) -> bool {
        self.0.get(id).is_some_and(|until| now < *until)
    }

    /// Remembers a node, if there is room. Otherwise the node will be asked again.
    fn add(&mut self, id: NodeId, now: Instant) {
        if self.0.len() >= REFUSED {
            self.0.retain(|_, until| now < *until);
        }
        if self.0.len() < REFUSED {
            self.0.insert(id, after(now, REFUSED_FOR));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> NodeId {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
        NodeId::from_bytes(bytes)
    }

    #[test]
    fn nodes_that_do_not_fit_are_remembered_for_a_while_and_up_to_a_limit() {
        let start = Instant::now();
        let mut refused = Refused::default();
        for number in 0..2 * REFUSED {
            refused.add(id(number), start);
        }
        assert_eq!(refused.0.len(), REFUSED);
        assert!(refused.holds(&id(0), start) && !refused.holds(&id(REFUSED), start));
        let end = start + REFUSED_FOR;
        assert!(!refused.holds(&id(0), end));
        refused.add(id(REFUSED), end);
        assert!(refused.holds(&id(REFUSED), end));
        assert_eq!(refused.0.len(), 1);
    }
}
