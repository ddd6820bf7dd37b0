//! Nodes of the table that the store keeps between runs.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tracing::debug;

use super::filter::RecordFilter;
use crate::discv4::{Contact, Discv4, TableEntry};
use crate::node::{Enode, NodeId};
use crate::server::checks::NodeStore;
use crate::time::after;

/// How often the table is checked.
const EVERY: Duration = Duration::from_secs(30);

/// The interval between notifications of a node that stays in the table.
const AGAIN: Duration = Duration::from_secs(20 * 60);

/// Notifies the store of the nodes that are worth keeping.
///
/// New nodes are reported soon, and the other nodes only occasionally, so that the store does not
/// have to write all nodes each time.
pub(super) struct Kept {
    v4: Discv4,
    filter: RecordFilter,
    due: Instant,
    told: Told,
}

/// The nodes reported to the store, with the time of the report. Nodes that leave the table are
/// dropped here too.
#[derive(Default)]
struct Told(BTreeMap<NodeId, (Contact, Instant)>);

impl Kept {
    pub(super) fn new(v4: Discv4, filter: RecordFilter) -> Self {
        Self {
            v4,
            filter,
            due: after(Instant::now(), EVERY),
            told: Told::default(),
        }
    }

    /// Waits for the next check, and notifies the store of new nodes. Cancel safe.
    pub(super) async fn tell_when_due(&mut self, store: &dyn NodeStore) {
        sleep_until(self.due).await;
        self.tell(store).await;
    }

    /// Notifies the store of all nodes, when discovery ends.
    pub(super) async fn tell_all(mut self, store: &dyn NodeStore) {
        self.told = Told::default();
        self.tell(store).await;
    }

    async fn tell(&mut self, store: &dyn NodeStore) {
        let mut kept = match self.v4.worth_keeping().await {
            Ok(kept) => kept,
            Err(error) => {
                debug!(%error, "cannot read the table for the store");
                Vec::new()
            }
        };
        let now = Instant::now();
        self.due = after(now, EVERY);
        kept.retain(|entry| self.filter.allows(entry.record.as_deref()));
        for node in self.told.news(&kept, now) {
            store.discovered(&node);
        }
    }
}

impl Told {
    /// Returns the nodes that are new, have moved, or were reported longer than [`AGAIN`] ago.
    fn news(&mut self, kept: &[TableEntry], now: Instant) -> Vec<Enode> {
        let before = std::mem::take(&mut self.0);
        let mut news = Vec::new();
        for contact in kept.iter().map(|entry| entry.contact) {
            let known = before.get(&contact.node_id()).copied();
            let known = known.filter(|(at, told)| *at == contact && now < after(*told, AGAIN));
            if known.is_none() {
                news.push(contact.to_enode());
            }
            let known = known.unwrap_or((contact, now));
            self.0.insert(contact.node_id(), known);
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::node::SecretKey;

    fn entry(number: u8, port: u16, now: Instant) -> TableEntry {
        let key = SecretKey::from_bytes(&[number; 32]).unwrap().public_key();
        let addr = SocketAddr::from(([20, 0, 0, number], port));
        TableEntry::new(Contact::new(key, addr, 30_303), None, now)
    }

    #[test]
    fn a_node_is_reported_when_it_is_new_has_moved_or_was_reported_long_ago() {
        let start = Instant::now();
        let mut told = Told::default();
        let [one, two] = [1, 2].map(|number| entry(number, 30_303, start));
        let mut news = |kept: &[TableEntry], now| {
            let news = told.news(kept, now);
            news.iter().map(Enode::node_id).collect::<Vec<_>>()
        };
        let ids = [&one, &two].map(|entry| entry.contact.node_id());
        assert_eq!(news(std::slice::from_ref(&one), start), ids[..1]);
        let both = [one.clone(), two.clone()];
        assert_eq!(news(&both, start + EVERY), ids[1..]);
        assert_eq!(news(&both, start + AGAIN / 2), []);
        let moved = [entry(1, 30_304, start), two];
        assert_eq!(news(&moved, start + AGAIN / 2), ids[..1]);
        assert_eq!(news(&moved, start + EVERY + AGAIN), ids[1..]);
        // A returning node counts as new.
        assert_eq!(news(&[], start + EVERY + AGAIN), []);
        assert_eq!(news(&[one], start + EVERY + AGAIN), ids[..1]);
    }
}
