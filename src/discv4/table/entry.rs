//! A node in the table.

use std::time::Duration;

use tokio::time::Instant;

use crate::discv4::contact::Contact;
use crate::node::{NodeId, NodeRecord};

/// A copy of a node's entry in the table.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TableEntry {
    /// The node and the address from which it answered.
    pub contact: Contact,
    /// The record of the node, once it has been fetched.
    pub record: Option<Box<NodeRecord>>,
    /// The sequence number of its record that the node last announced, if any.
    pub enr_seq: Option<u64>,
    /// When it was added to the table.
    pub added: Instant,
    /// When it last answered a Ping.
    pub last_pong: Instant,
    /// Number of answered Pings; each unanswered Ping divides this number by three.
    pub answers: u32,
}

impl TableEntry {
    pub(crate) fn new(contact: Contact, enr_seq: Option<u64>, now: Instant) -> Self {
        Self {
            contact,
            record: None,
            enr_seq,
            added: now,
            last_pong: now,
            answers: 1,
        }
    }

    pub(super) fn is(&self, id: &NodeId) -> bool {
        self.contact.node_id() == *id
    }

    /// Returns whether the node has a newer record than the one kept here.
    #[must_use]
    pub fn has_newer_record(&self) -> bool {
        let known = self.record.as_ref().map_or(0, |record| record.seq());
        self.enr_seq.is_some_and(|seq| seq > known)
    }

    /// Returns whether the node is worth keeping for the next start.
    ///
    /// True if the node answered more than once, over at least five minutes.
    #[must_use]
    pub fn is_worth_keeping(&self) -> bool {
        const LONG: Duration = Duration::from_secs(5 * 60);
        self.answers > 1 && self.last_pong.saturating_duration_since(self.added) >= LONG
    }
}
