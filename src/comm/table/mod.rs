//! A state machine of connected identities and of nodes that are being dialled.
//!
//! ```text
//!              route                    opened
//!   none ───────────────▶ flight ─────────────────────▶ open ──┐ opened, the new one wins
//!    ▲  ▲                   │  │                        │ │ ▲  │
//!    │  └── failure is      │  └─ flight_failed: error  │ │ └──┘
//!    │      remembered ◀────┘                           │ │
//!    └──────────────────────────────────────────────────┘ │ closed, close_id, stop
//!                          opened, the old one wins: ◀────┘
//!                          the new connection is closed
//! ```
//!
//! An open connection is removed only by its own number, so the end of one connection never removes
//! another. Queues end only while the table is locked, so a queue that [`ConnectionTable::route`]
//! returns accepts messages until that lock is released.

mod entry;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::identity::IdentityStore;
use super::memory::Memory;
use super::send_queue::SendQueue;
use super::stats::Stats;
use super::{CommError, Config, ConnInfo, ConnectionEnd, EstablishError, PeerId, RemotePeer};
use crate::complaints::Complaints;
use crate::node::{Enode, NodeId};
use crate::peer::Peer;
use crate::time::after;
pub(crate) use entry::{ConnId, Entry};

/// Maximum number of ids that are reported as dead when one dial fails.
const MAX_WANTED: usize = 16;
/// Maximum number of ids remembered as dead, so that each is reported once.
const MAX_DEAD: usize = 4096;
/// Within this time, an identity can replace its own connection only once.
const REPLACE_SPACING: Duration = Duration::from_secs(1);

/// What a connection attempt is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To stay open.
    Open,
    /// To learn which identity answers.
    Handshake,
    /// To learn whether the node answers.
    Probe,
}

/// The result of an attempt that succeeded.
#[derive(Debug, Clone)]
pub(crate) enum Landed {
    Open(Arc<ConnInfo>),
    Handshake(Arc<ConnInfo>),
    Probe(Duration),
}

pub(crate) type FlightResult = Option<Result<Landed, CommError>>;

/// One attempt to connect to a node, shared by all calls that need it.
#[derive(Debug)]
struct Flight {
    serial: u64,
    enode: Enode,
    purpose: Purpose,
    queue: Arc<SendQueue>,
    wanted: HashSet<PeerId>,
    result: watch::Sender<FlightResult>,
}

/// An attempt that the caller has to carry out.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) serial: u64,
    pub(crate) enode: Enode,
    pub(crate) purpose: Purpose,
    pub(crate) result: watch::Receiver<FlightResult>,
}

/// Where a message goes.
#[derive(Debug)]
pub(crate) enum Route {
    Open(Arc<Entry>),
    Flight {
        queue: Arc<SendQueue>,
        result: watch::Receiver<FlightResult>,
        start: Option<Start>,
    },
}

/// Ids that the caller has to report on the feeds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct News {
    pub(crate) dead: Vec<PeerId>,
    pub(crate) switched: Vec<PeerId>,
}

/// The outcome of an authenticated connection.
#[derive(Debug)]
pub(crate) enum Opened {
    /// The new connection is now the identity's connection.
    Kept(Arc<Entry>),
    /// The given other connection of the same identity is kept instead.
    Lost(Arc<Entry>),
    /// The new connection was rejected.
    Refused(EstablishError),
}

#[derive(Debug)]
struct Failure {
    enode: Enode,
    until: Instant,
    error: CommError,
}

/// The connections of one node.
pub(crate) struct ConnectionTable {
    own_node: NodeId,
    config: Config,
    stats: Arc<Stats>,
    memory: Arc<Memory>,
    pub(crate) identities: IdentityStore,
    next: u64,
    open: HashMap<ConnId, Arc<Entry>>,
    by_id: HashMap<PeerId, Arc<Entry>>,
    by_node: HashMap<NodeId, ConnId>,
    flights: HashMap<NodeId, Flight>,
    failures: HashMap<NodeId, Failure>,
    dead: HashSet<PeerId>,
    contests: Complaints,
    stopped: bool,
}

impl ConnectionTable {
    pub(crate) fn new(
        own_node: NodeId,
        config: Config,
        identities: IdentityStore,
        stats: Arc<Stats>,
    ) -> Self {
        Self {
            own_node,
            config,
            stats,
            memory: Arc::default(),
            identities,
            next: 1,
            open: HashMap::new(),
            by_id: HashMap::new(),
            by_node: HashMap::new(),
            flights: HashMap::new(),
            failures: HashMap::new(),
            dead: HashSet::new(),
            contests: Complaints::default(),
            stopped: false,
        }
    }

    fn serial(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// The budget to which waiting messages are charged.
    pub(crate) fn memory(&self) -> &Arc<Memory> {
        &self.memory
    }

    fn queue(&self) -> Arc<SendQueue> {
        SendQueue::new(&self.config, &self.stats, self.memory.node())
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.open.values()
    }

    pub(crate) fn by_id(&self, id: &PeerId) -> Option<&Arc<Entry>> {
        self.by_id.get(id)
    }

    /// The connection with a node.
    pub(crate) fn by_node(&self, node: &NodeId) -> Option<&Arc<Entry>> {
        self.open.get(self.by_node.get(node)?)
    }

    /// The numbers of open connections, nodes being dialled, and waiting messages.
    pub(crate) fn gauges(&self) -> (usize, usize, usize) {
        let queues = self.open.values().map(|entry| &entry.queue);
        let queues = queues.chain(self.flights.values().map(|flight| &flight.queue));
        let waiting = queues.map(|queue| queue.len()).sum();
        (self.open.len(), self.flights.len(), waiting)
    }

    /// The purpose and the result of the running attempt to connect to a node.
    pub(crate) fn flight(&self, node: &NodeId) -> Option<(Purpose, watch::Receiver<FlightResult>)> {
        let flight = self.flights.get(node)?;
        Some((flight.purpose, flight.result.subscribe()))
    }

    /// Finds the route to a peer: its connection, or the attempt to make one.
    pub(crate) fn route(
        &mut self,
        to: &RemotePeer,
        purpose: Purpose,
        now: Instant,
        news: &mut News,
    ) -> Result<Route, CommError> {
        if self.stopped {
            return Err(CommError::Stopped);
        }
        let node = to.node();
        if node == self.own_node || to.id() == Some(self.identities.own()) {
            return Err(CommError::SelfDial);
        }
        if let Some(entry) = to.id().as_ref().and_then(|id| self.by_id(id)) {
            return Ok(Route::Open(Arc::clone(entry)));
        }
        if let Some(entry) = self.by_node(&node).cloned() {
            if let Some(expected) = to.id() {
                self.accept_other(expected, &entry.info, news)
                    .map_or(Ok(()), Err)?;
            }
            return Ok(Route::Open(entry));
        }
        if let Some(flight) = self.flights.get_mut(&node) {
            if flight.wanted.len() < MAX_WANTED {
                flight.wanted.extend(to.id());
            }
            return Ok(Route::Flight {
                queue: Arc::clone(&flight.queue),
                result: flight.result.subscribe(),
                start: None,
            });
        }
        self.failures.retain(|_, failure| now < failure.until);
        match self.failures.get(&node) {
            Some(failure) if failure.enode == *to.endpoint() => Err(failure.error.clone()),
            _ if self.flights.len() >= self.config.max_dials() => Err(CommError::Full),
            _ => {
                let queue = self.queue();
                let wanted = to.id().into_iter().collect();
                let start = self.take_off(node, to.endpoint(), purpose, Arc::clone(&queue), wanted);
                let result = start.result.clone();
                let start = Some(start);
                Ok(Route::Flight {
                    queue,
                    result,
                    start,
                })
            }
        }
    }

    fn take_off(
        &mut self,
        node: NodeId,
        enode: &Enode,
        purpose: Purpose,
        queue: Arc<SendQueue>,
        wanted: HashSet<PeerId>,
    ) -> Start {
        let serial = self.serial();
        let (result, watcher) = watch::channel(None);
        let flight = Flight {
            serial,
            enode: enode.clone(),
            purpose,
            queue,
            wanted,
            result,
        };
        self.flights.insert(node, flight);
        Start {
            serial,
            enode: enode.clone(),
            purpose,
            result: watcher,
        }
    }

    /// Checks whether the identity `actual` may take the place of the expected one. It may if the
    /// two belong to the same organisation; `news` then reports the switch. Otherwise the error is
    /// returned.
    fn accept_other(
        &mut self,
        expected: PeerId,
        actual: &ConnInfo,
        news: &mut News,
    ) -> Option<CommError> {
        if expected == actual.id {
            return None;
        }
        let known = self.identities.peek(&expected);
        let organisation = known.and_then(|record| record.organisation.as_ref());
        if organisation.is_some() && organisation == actual.organisation.as_ref() {
            if !news.switched.contains(&expected) {
                news.switched.push(expected);
            }
            return None;
        }
        Some(CommError::IdMismatch {
            expected,
            actual: actual.id,
        })
    }

    /// Adds an authenticated connection, unless another connection of the same identity is kept.
    pub(crate) fn opened(
        &mut self,
        info: &Arc<ConnInfo>,
        peer: &Peer,
        dialler: NodeId,
        now: Instant,
        news: &mut News,
    ) -> Opened {
        if self.stopped {
            return Opened::Refused(EstablishError::Stopped);
        }
        if info.id == self.identities.own() {
            return Opened::Refused(EstablishError::OwnIdentity);
        }
        let old = self.by_id(&info.id).cloned();
        if let Some(old) = &old {
            self.note_contest(&old.info, info, now);
            match self.compare(old, dialler, now) {
                Choice::New => {}
                Choice::Old => {
                    self.land(&info.node, old, news);
                    return Opened::Lost(Arc::clone(old));
                }
                Choice::Neither => return Opened::Refused(EstablishError::ReplacedTooSoon),
            }
        }
        let flight = self.flights.get(&info.node);
        let queue = flight.map_or_else(|| self.queue(), |one| Arc::clone(&one.queue));
        let conn = ConnId(self.serial());
        let entry = Arc::new(Entry {
            conn,
            info: Arc::clone(info),
            peer: peer.clone(),
            queue,
            acks: old
                .as_ref()
                .map_or_else(Arc::default, |old| Arc::clone(&old.acks)),
            control: Arc::default(),
            dialler,
            opened: now,
        });
        if let Some(old) = old {
            self.remove(old.conn);
            old.queue.move_to(&entry.queue);
            old.control.close(ConnectionEnd::Replaced);
        }
        self.dead.remove(&info.id);
        self.failures.remove(&info.node);
        self.by_id.insert(info.id, Arc::clone(&entry));
        self.by_node.insert(info.node, conn);
        self.open.insert(conn, Arc::clone(&entry));
        self.land(&info.node, &entry, news);
        Opened::Kept(entry)
    }

    /// Warns if two nodes prove one identity.
    fn note_contest(&mut self, old: &ConnInfo, new: &ConnInfo, now: Instant) {
        if old.node == new.node {
            return;
        }
        self.stats.contested.add(1);
        if let Some(held_back) = self.contests.next(now) {
            tracing::warn!(
                id = %new.id, node = %new.node, other = %old.node, held_back,
                "two nodes have one identity and replace each other's connection"
            );
        }
    }

    /// Decides which of two connections of one identity stays. Of two simultaneous connections,
    /// both sides keep the one that the node with the larger id dialled.
    fn compare(&self, old: &Entry, dialler: NodeId, now: Instant) -> Choice {
        let age = now.saturating_duration_since(old.opened);
        if old.dialler != dialler && age < self.config.simultaneous() {
            if dialler > old.dialler {
                Choice::New
            } else {
                Choice::Old
            }
        } else if old.dialler == dialler && age < REPLACE_SPACING {
            Choice::Neither
        } else {
            Choice::New
        }
    }

    /// Ends the attempt to connect to `node`, since a connection is now open.
    fn land(&mut self, node: &NodeId, entry: &Arc<Entry>, news: &mut News) {
        let Some(flight) = self.flights.remove(node) else {
            return;
        };
        let queue = &flight.queue;
        queue.sift(|expected| self.accept_other(expected, &entry.info, news));
        if !Arc::ptr_eq(queue, &entry.queue) {
            queue.move_to(&entry.queue);
        }
        let landed = Landed::Open(Arc::clone(&entry.info));
        flight.result.send_replace(Some(Ok(landed)));
    }

    /// Reports the result of an attempt whose connection does not stay open. The attempt itself
    /// lasts until the transport is gone.
    pub(crate) fn found(&mut self, node: &NodeId, landed: Landed) {
        if let Some(flight) = self.flights.get(node) {
            flight.result.send_replace(Some(Ok(landed)));
        }
    }

    /// Fails the attempt to connect to `node`. Only the first cause counts.
    pub(crate) fn refused(&mut self, node: &NodeId, error: &CommError, now: Instant) -> News {
        let serial = self.flights.get(node).map(|flight| flight.serial);
        serial.map_or_else(News::default, |serial| {
            self.flight_failed(node, serial, error, now)
        })
    }

    pub(crate) fn flight_failed(
        &mut self,
        node: &NodeId,
        serial: u64,
        error: &CommError,
        now: Instant,
    ) -> News {
        let mut news = News::default();
        let Some(flight) = self.take_flight(node, serial) else {
            return news;
        };
        // If this side has stopped, the failure reveals nothing about the node.
        if flight.purpose == Purpose::Open && !matches!(error, CommError::Stopped) {
            for id in flight.wanted {
                self.report_dead(id, &mut news);
            }
        }
        self.failures.insert(
            *node,
            Failure {
                enode: flight.enode,
                until: after(now, self.config.failure_memory()),
                error: error.clone(),
            },
        );
        flight.queue.fail(error);
        flight.result.send_replace(Some(Err(error.clone())));
        news
    }

    fn take_flight(&mut self, node: &NodeId, serial: u64) -> Option<Flight> {
        match self.flights.get(node) {
            Some(flight) if flight.serial == serial => self.flights.remove(node),
            _ => None,
        }
    }

    /// Ends an attempt whose transport is gone. If messages for the node are waiting by then,
    /// returns another attempt, whose connection stays open.
    pub(crate) fn flight_over(&mut self, node: &NodeId, serial: u64) -> Option<Start> {
        let flight = self.take_flight(node, serial)?;
        if flight.queue.is_empty() || self.stopped {
            flight
                .queue
                .fail(&CommError::PeerClosed(ConnectionEnd::TransportEnded));
            return None;
        }
        let Flight {
            enode,
            queue,
            wanted,
            ..
        } = flight;
        Some(self.take_off(*node, &enode, Purpose::Open, queue, wanted))
    }

    fn report_dead(&mut self, id: PeerId, news: &mut News) {
        if self.dead.len() >= MAX_DEAD {
            // Some ids may then be reported twice, which does less harm than a set without a bound.
            self.dead.clear();
        }
        if !self.by_id.contains_key(&id) && self.dead.insert(id) {
            news.dead.push(id);
        }
    }

    /// Removes a connection that has ended. If the connection is no longer in the table, nothing
    /// changes.
    pub(crate) fn closed(&mut self, conn: ConnId, reason: &ConnectionEnd) -> News {
        let mut news = News::default();
        if let Some(entry) = self.remove(conn) {
            entry.fail(reason);
            if !reason.is_local() {
                self.report_dead(entry.info.id, &mut news);
            }
        }
        news
    }

    fn remove(&mut self, conn: ConnId) -> Option<Arc<Entry>> {
        let entry = self.open.remove(&conn)?;
        let known = self.by_id(&entry.info.id);
        if known.is_some_and(|known| known.conn == conn) {
            self.by_id.remove(&entry.info.id);
        }
        if self.by_node.get(&entry.info.node) == Some(&conn) {
            self.by_node.remove(&entry.info.node);
        }
        Some(entry)
    }

    /// Ends the connection of an identity; false if there is none.
    pub(crate) fn close_id(&mut self, id: &PeerId, reason: &ConnectionEnd) -> bool {
        let Some(conn) = self.by_id(id).map(|entry| entry.conn) else {
            return false;
        };
        let entry = self.open.get(&conn).cloned();
        // This side ended the connection, so there is no dead peer to report.
        self.closed(conn, reason);
        if let Some(entry) = entry {
            entry.control.close(reason.clone());
        }
        true
    }

    /// Ends all connections and attempts, and rejects new ones.
    pub(crate) fn stop(&mut self) {
        self.stopped = true;
        for (_, entry) in self.open.drain() {
            entry
                .queue
                .fail(&CommError::PeerClosed(ConnectionEnd::Stopped));
            entry.control.close(ConnectionEnd::Stopped);
        }
        for (_, flight) in self.flights.drain() {
            flight.queue.fail(&CommError::Stopped);
            flight.result.send_replace(Some(Err(CommError::Stopped)));
        }
        self.by_id.clear();
        self.by_node.clear();
        self.failures.clear();
    }

    /// Removes one identity, and closes its connection.
    pub(crate) fn withdraw(&mut self, id: PeerId) -> News {
        let mut news = News::default();
        if self.identities.remove(&id) {
            self.close_id(&id, &ConnectionEnd::IdentityGone);
            news.switched.push(id);
        }
        news
    }

    /// Removes identities that have expired or were unused too long, and closes their connections.
    pub(crate) fn purge(&mut self, unix_now: Duration) -> News {
        for entry in self.open.values() {
            self.identities.touch(&entry.info.id, unix_now);
        }
        let gone = self.identities.purge(unix_now);
        for id in &gone {
            self.close_id(id, &ConnectionEnd::IdentityGone);
        }
        News {
            dead: Vec::new(),
            switched: gone,
        }
    }
}

enum Choice {
    Old,
    New,
    Neither,
}

#[cfg(test)]
mod tests;
