//! Requests to other nodes.

use super::query::{PendingPing, Query, Stage, Want};
use super::{Event, Machine, Now, PINGS, RequestId, Timer, expiration};
use crate::discv4::contact::Contact;
use crate::discv4::error::Discv4Error;
use crate::discv4::packet::{EnrRequest, FindNode, Packet, PacketHash, Ping, WireEndpoint};
use crate::node::{NodeId, NodeRecord};
use crate::time::{after, part};
use tokio::time::Instant;

/// Maximum number of record requests in progress for callers, and for the table.
const RECORDS: usize = 64;
const RECORDS_OF_TABLE: usize = 16;

/// How long a query waits for another query to the same node, in request timeouts.
const TURNS: u32 = 4;

impl Machine {
    /// Requests a node's record.
    ///
    /// [`Event::RecordDone`] reports the result.
    ///
    /// # Errors
    /// [`Discv4Error::Busy`] if 64 such requests are in progress.
    pub fn request_record(&mut self, contact: Contact, now: Now) -> Result<RequestId, Discv4Error> {
        let of_callers = |query: &&Query| matches!(query.want, Want::Record { request: Some(_) });
        if self.queries.values().filter(of_callers).count() >= RECORDS {
            return Err(Discv4Error::Busy { limit: RECORDS });
        }
        let request = self.next_id();
        self.query(
            contact,
            Want::Record {
                request: Some(request),
            },
            now,
        );
        Ok(RequestId(request))
    }

    /// Pings a node, unless a Ping to it is pending, or `limit` Pings in all.
    ///
    /// Returns whether a Ping to the node is now pending.
    pub(super) fn ping(&mut self, contact: Contact, limit: usize, now: Now) -> bool {
        let place = (contact.node_id(), contact.udp_addr());
        if self.pinged.contains_key(&place) {
            return true;
        }
        if self.pings.len() >= limit {
            return false;
        }
        let ping = Packet::Ping(Ping {
            version: 4,
            from: self.own_endpoint(),
            to: WireEndpoint::new(contact.udp_addr(), 0),
            expiration: expiration(now),
            enr_seq: Some(self.record.seq()),
        });
        let Some(hash) = self.send(contact.udp_addr(), &ping) else {
            return false;
        };
        let deadline = after(now.at, self.config.request_timeout());
        self.timers.insert((deadline, Timer::Ping(hash)));
        self.pinged.insert(place, hash);
        self.pings.insert(
            hash,
            PendingPing {
                contact,
                deadline,
                pinged: None,
            },
        );
        true
    }

    pub(super) fn remove_ping(&mut self, hash: &PacketHash) -> Option<PendingPing> {
        let ping = self.pings.remove(hash)?;
        self.timers.remove(&(ping.deadline, Timer::Ping(*hash)));
        let place = (ping.contact.node_id(), ping.contact.udp_addr());
        self.pinged.remove(&place);
        Some(ping)
    }

    pub(super) fn ping_unanswered(&mut self, hash: &PacketHash, now: Now) {
        let Some(ping) = self.remove_ping(hash) else {
            return;
        };
        if self.table.is_at(&ping.contact) {
            self.table.failed(&ping.contact.node_id());
        }
        for id in self.queries_to(&ping.contact, |stage| matches!(stage, Stage::Proving)) {
            self.fail(id, now);
        }
    }

    /// Records that a node which we pinged has pinged us.
    pub(super) fn note_pinged(&mut self, contact: &Contact, now: Now) {
        let hash = self
            .pinged
            .get(&(contact.node_id(), contact.udp_addr()))
            .copied();
        if let Some(ping) = hash.and_then(|hash| self.pings.get_mut(&hash)) {
            ping.pinged = Some(now.at);
        }
    }

    /// Stores a node's announced sequence number, and fetches its record if our copy is older.
    pub(super) fn note_sequence(&mut self, contact: &Contact, seq: Option<u64>, now: Now) {
        let id = contact.node_id();
        self.table.told_sequence(&id, seq);
        self.fetch_newer_record(&id, now);
    }

    /// Fetches a newer record that a node in the table has announced, if any.
    pub(super) fn fetch_newer_record(&mut self, id: &NodeId, now: Now) {
        let Some(entry) = self.table.get(id).filter(|entry| entry.has_newer_record()) else {
            return;
        };
        let contact = entry.contact;
        let of_table = |query: &&Query| matches!(query.want, Want::Record { request: None });
        let running = || self.queries.values().filter(of_table);
        let asked = running().any(|query| query.contact.node_id() == *id);
        if !asked && running().count() < RECORDS_OF_TABLE {
            self.query(contact, Want::Record { request: None }, now);
        }
    }

    /// Starts a query to a node.
    pub(super) fn query(&mut self, contact: Contact, want: Want, now: Now) {
        let id = self.next_id();
        let nodes = matches!(want, Want::Nodes { .. });
        let busy = nodes
            && self
                .queries
                .values()
                .any(|query| query.wants_nodes() && query.contact.node_id() == contact.node_id());
        let wait = self.config.request_timeout().saturating_mul(TURNS);
        let deadline = after(now.at, wait);
        self.timers.insert((deadline, Timer::Query(id)));
        self.queries.insert(
            id,
            Query {
                contact,
                want,
                stage: Stage::Queued,
                deadline,
            },
        );
        if !busy {
            self.begin(id, now);
        }
    }

    /// Sends a query to its node, or first proves our endpoint to the node.
    fn begin(&mut self, id: u64, now: Now) {
        let Some(contact) = self.queries.get(&id).map(|query| query.contact) else {
            return;
        };
        let (node, ip, time) = (
            contact.node_id(),
            contact.ip(),
            self.config.request_timeout(),
        );
        if self.bonds.answers_us(node, ip, now.at) {
            self.ask(id, false, now);
            return;
        }
        if self.bonds.answered_within(node, ip, time, now.at) {
            // The node has just answered our Ping, and is about to ping us.
            self.enter(id, Stage::AwaitingPing, after(now.at, time));
            return;
        }
        let pinged = self.ping(contact, PINGS, now);
        let deadline = if pinged {
            // The Ping's own deadline is earlier, so the Ping ends this stage first.
            after(now.at, self.config.request_timeout().saturating_mul(2))
        } else {
            now.at
        };
        self.enter(id, Stage::Proving, deadline);
    }

    fn ask(&mut self, id: u64, again: bool, now: Now) {
        let Some(query) = self.queries.get(&id) else {
            return;
        };
        let expiration = expiration(now);
        let packet = match query.want {
            Want::Nodes { target, .. } => Packet::FindNode(FindNode { target, expiration }),
            Want::Record { .. } => Packet::EnrRequest(EnrRequest { expiration }),
        };
        let to = query.contact.udp_addr();
        let Some(hash) = self.send(to, &packet) else {
            return;
        };
        let stage = Stage::Asked {
            hash,
            again,
            answered: false,
            nodes: Vec::new(),
        };
        let wait = part(self.config.request_timeout(), 2);
        self.enter(id, stage, after(now.at, wait));
    }

    fn enter(&mut self, id: u64, stage: Stage, deadline: Instant) {
        if let Some(query) = self.queries.get_mut(&id) {
            query.stage = stage;
        }
        self.set_deadline(id, deadline);
    }

    fn set_deadline(&mut self, id: u64, deadline: Instant) {
        if let Some(query) = self.queries.get_mut(&id) {
            self.timers.remove(&(query.deadline, Timer::Query(id)));
            self.timers.insert((deadline, Timer::Query(id)));
            query.deadline = deadline;
        }
    }

    /// Sets a query's deadline to `deadline`, if that is earlier.
    pub(super) fn hasten(&mut self, id: u64, deadline: Instant) {
        let before = self.queries.get(&id).map(|query| query.deadline);
        if before.is_some_and(|before| deadline < before) {
            self.set_deadline(id, deadline);
        }
    }

    /// Returns the ids of the queries to a node, filtered by their stage.
    fn queries_to(&self, contact: &Contact, at: impl Fn(&Stage) -> bool) -> Vec<u64> {
        let concerned = |query: &Query| {
            query.contact.node_id() == contact.node_id()
                && query.contact.ip() == contact.ip()
                && at(&query.stage)
        };
        let queries = self.queries.iter();
        let ids = queries.filter(|(_, query)| concerned(query));
        ids.map(|(id, _)| *id).collect()
    }

    /// Continues the queries to a node that answered our Ping.
    ///
    /// If the node has a proof of our endpoint, it is asked immediately. Otherwise the queries
    /// first wait for its Ping.
    pub(super) fn proven(&mut self, contact: &Contact, now: Now) {
        let answers = self
            .bonds
            .answers_us(contact.node_id(), contact.ip(), now.at);
        for id in self.queries_to(contact, |stage| matches!(stage, Stage::Proving)) {
            if answers {
                self.ask(id, false, now);
            } else {
                let deadline = after(now.at, self.config.request_timeout());
                self.enter(id, Stage::AwaitingPing, deadline);
            }
        }
    }

    /// Sends the queries that waited until we answered a Ping of the node.
    pub(super) fn pinged_by(&mut self, contact: &Contact, now: Now) {
        for id in self.queries_to(contact, |stage| matches!(stage, Stage::AwaitingPing)) {
            self.ask(id, false, now);
        }
    }

    /// Handles a query whose deadline has passed.
    pub(super) fn query_due(&mut self, id: u64, now: Now) {
        match self.queries.get(&id).map(|query| &query.stage) {
            // The node did not ping us, probably because it already has a proof of our endpoint.
            Some(Stage::AwaitingPing) => self.ask(id, false, now),
            Some(Stage::Asked { answered: true, .. }) => self.finish_asked(id, now),
            Some(Stage::Asked { again: false, .. }) => self.ask(id, true, now),
            Some(Stage::Asked { again: true, .. }) => {
                if let Some(query) = self.queries.get(&id) {
                    let (node, ip) = (query.contact.node_id(), query.contact.ip());
                    self.bonds.forget_ping(node, ip);
                }
                self.fail(id, now);
            }
            Some(Stage::Queued | Stage::Proving) => self.fail(id, now),
            None => {}
        }
    }

    /// Ends a query for nodes, and passes the nodes received so far to its lookup.
    pub(super) fn finish_asked(&mut self, id: u64, now: Now) {
        let Some(query) = self.remove_query(id, now) else {
            return;
        };
        if let (Want::Nodes { lookup, .. }, Stage::Asked { nodes, .. }) = (query.want, query.stage)
        {
            self.lookup_answered(lookup, &query.contact, Some(&nodes), now);
        }
    }

    /// Ends a query for a record.
    pub(super) fn finish_record(
        &mut self,
        id: u64,
        result: Result<NodeRecord, Discv4Error>,
        now: Now,
    ) {
        let query = self.remove_query(id, now);
        if let Some(Want::Record {
            request: Some(request),
        }) = query.map(|query| query.want)
        {
            let done = Event::RecordDone(RequestId(request), result);
            self.events.push_back(done);
        }
    }

    fn fail(&mut self, id: u64, now: Now) {
        let Some(query) = self.queries.get(&id) else {
            return;
        };
        let contact = query.contact;
        match query.want {
            Want::Nodes { lookup, .. } => {
                self.remove_query(id, now);
                self.lookup_answered(lookup, &contact, None, now);
            }
            Want::Record { .. } => {
                let error = Discv4Error::NoAnswer {
                    id: contact.node_id(),
                    addr: contact.udp_addr(),
                };
                self.finish_record(id, Err(error), now);
            }
        }
    }

    /// Removes a query, and starts the next one to the same node.
    fn remove_query(&mut self, id: u64, now: Now) -> Option<Query> {
        let query = self.queries.remove(&id)?;
        self.timers.remove(&(query.deadline, Timer::Query(id)));
        if query.wants_nodes() {
            let queued = self.queries_to(&query.contact, |stage| matches!(stage, Stage::Queued));
            if let Some(next) = queued.first() {
                self.begin(*next, now);
            }
        }
        Some(query)
    }
}
