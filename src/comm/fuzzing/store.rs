use std::collections::HashMap;
use std::fmt;
use std::io::ErrorKind;
use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::channel::fuzzing::{Account as Memory, Exit};
use crate::channel::{NodeBudget, ProtocolLimits};
use crate::comm::identity::{IdentityRecord, IdentityStore};
use crate::comm::message::DATA;
pub use crate::comm::send_queue::fuzzing::Account;
use crate::comm::send_queue::fuzzing::Opening;
use crate::comm::send_queue::{Draft, Outgoing, Part, Room as QueueRoom};
use crate::comm::stats::Stats;
use crate::comm::table::{ConnectionTable, Entry, News, Opened, Purpose, Route};
use crate::comm::{
    CommError, CommStats, Config, ConnInfo, ConnectionEnd, Delivery, IdentityProvider, PeerId,
    RemotePeer, Secp256k1Identity,
};
use crate::node::{Enode, NodeId, SecretKey};
use crate::peer::Peer;
use crate::setup::Direction;
use crate::time::after;

/// The bound of a lane in messages, so small that queues fill up.
const LANE_MESSAGES: usize = 3;

/// A message that was sent.
#[derive(Debug)]
pub struct Sent {
    /// Receives the outcome.
    pub outcome: oneshot::Receiver<Delivery>,
    /// Receives the answer, if an acknowledgement was requested.
    pub ack: Option<oneshot::Receiver<Result<(), CommError>>>,
}

/// Reserved room in a queue.
#[derive(Debug)]
pub struct Room(QueueRoom);

/// The outcome of a new connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    /// The new connection is now the connection of its identity, and has this number.
    Kept(usize),
    /// Another connection of its identity is kept instead.
    Lost,
    /// The new connection was rejected.
    Refused,
}

struct Connection {
    entry: Arc<Entry>,
    exit: Exit,
    opening: Opening,
}

/// The connections and queues of one node, without tasks.
///
/// Other nodes and their identities are numbers; this node is number 0.
pub struct Store {
    table: ConnectionTable,
    stats: Arc<Stats>,
    now: Instant,
    budget: NodeBudget,
    /// The nodes by number, each with the serial number of its connection attempt, if any.
    nodes: Vec<(Enode, Option<u64>)>,
    connections: HashMap<usize, Connection>,
    opened: usize,
    acks: u64,
}

impl Store {
    /// Creates a node that knows `nodes` nodes, including itself.
    ///
    /// # Panics
    /// If there are more than a hundred.
    pub fn new(config: Config, nodes: u8) -> Self {
        let enode = |number: u8| {
            let key = SecretKey::from_bytes(&[number + 1; 32]).unwrap_or_else(|_| unreachable!());
            Enode::incomplete(key.public_key())
        };
        let nodes: Vec<_> = (0..nodes).map(|number| (enode(number), None)).collect();
        let key = SecretKey::from_bytes(&[1; 32]).unwrap_or_else(|_| unreachable!());
        let provider = Secp256k1Identity::new(key);
        let own = IdentityRecord::examine(&provider, &provider.identity(), Duration::ZERO);
        let own = own.unwrap_or_else(|_| unreachable!());
        let identities = IdentityStore::new(own, config.identities(), Duration::ZERO);
        let stats = Arc::default();
        let own_node = node_id(&nodes, 0);
        let table = ConnectionTable::new(own_node, config, identities, Arc::clone(&stats));
        let budget = NodeBudget::default();
        table.memory().share(&budget);
        Self {
            table,
            stats,
            now: Instant::now(),
            budget,
            nodes,
            connections: HashMap::new(),
            opened: 0,
            acks: 0,
        }
    }

    fn to(&self, node: usize, id: Option<u8>) -> RemotePeer {
        let (enode, _) = &self.nodes[node];
        match id {
            Some(id) => RemotePeer::new(enode.clone(), identity(id)),
            None => RemotePeer::at(enode.clone()),
        }
    }

    fn route(&mut self, node: usize, id: Option<u8>) -> Result<Route, CommError> {
        let to = self.to(node, id);
        let mut news = News::default();
        let mut route = self.table.route(&to, Purpose::Open, self.now, &mut news);
        if let Ok(Route::Flight { start, .. }) = &mut route
            && let Some(start) = start.take()
        {
            self.nodes[node].1 = Some(start.serial);
        }
        route
    }

    /// Sends a message without waiting, and uses `room` if it belongs to the message's queue.
    pub fn send(
        &mut self,
        (node, id): (usize, Option<u8>),
        payload: Bytes,
        with_ack: bool,
        room: Option<Room>,
    ) -> Sent {
        let (done, outcome) = oneshot::channel();
        self.acks += 1;
        let (waiter, ack) = oneshot::channel();
        let draft = Draft {
            code: DATA,
            payload,
            ack: with_ack.then_some((self.acks, waiter)),
            done: Some(done),
        };
        let (queue, expects) = match self.route(node, id) {
            Ok(Route::Open(entry)) => (Ok(Arc::clone(&entry.queue)), None),
            Ok(Route::Flight { queue, .. }) => (Ok(queue), id.map(identity)),
            Err(error) => (Err(error), None),
        };
        let refused = match queue {
            Err(error) => Some((error, draft)),
            Ok(queue) => {
                let message = Outgoing::new(draft, expects, self.now);
                let room = room.filter(|Room(room)| room.is_of(&queue));
                let back = match room {
                    Some(Room(room)) => {
                        queue.push(Part::Messages, message, room);
                        None
                    }
                    None => queue.try_push(Part::Messages, message).err(),
                };
                back.map(|message| (CommError::Full, message.draft))
            }
        };
        if let Some((error, draft)) = refused {
            self.stats.dropped(&error);
            draft.refuse(Delivery::Dropped(error));
        }
        let ack = with_ack.then_some(ack);
        Sent { outcome, ack }
    }

    /// Waits for room for `size` bytes; `None` if there is no route to the node.
    pub fn reserve(
        &mut self,
        (node, id): (usize, Option<u8>),
        size: usize,
    ) -> Option<impl Future<Output = Option<Room>> + 'static> {
        let queue = match self.route(node, id).ok()? {
            Route::Open(entry) => Arc::clone(&entry.queue),
            Route::Flight { queue, .. } => queue,
        };
        Some(async move {
            let room = queue.reserve(Part::Messages, size).await?;
            Some(Room(room))
        })
    }

    /// Answers over a connection without waiting.
    pub fn answer(&self, connection: usize, payload: Bytes) -> Option<Sent> {
        let queue = self.connections.get(&connection)?.entry.queue.current();
        let (done, outcome) = oneshot::channel();
        let draft = Draft {
            code: DATA,
            payload,
            ack: None,
            done: Some(done),
        };
        let message = Outgoing::new(draft, None, self.now);
        if let Err(message) = queue.try_push(Part::Replies, message) {
            self.stats.dropped(&CommError::Full);
            message.draft.refuse(Delivery::Dropped(CommError::Full));
        }
        Some(Sent { outcome, ack: None })
    }

    /// Fails the attempt to connect to a node, if there is one.
    pub fn fail_attempt(&mut self, node: usize) {
        if let Some(serial) = self.nodes[node].1.take() {
            let id = node_id(&self.nodes, node);
            let error = CommError::NotSupported { node: id };
            self.table.flight_failed(&id, serial, &error, self.now);
        }
    }

    /// Ends the transport of an attempt before an identity was proven.
    pub fn attempt_over(&mut self, node: usize) {
        if let Some(serial) = self.nodes[node].1.take() {
            let next = self.table.flight_over(&node_id(&self.nodes, node), serial);
            self.nodes[node].1 = next.map(|start| start.serial);
        }
    }

    /// Opens a connection over which a node proves an identity.
    ///
    /// If `by_them` is set, that node dialled, otherwise this node. `peer` can be the handle of any
    /// peer.
    pub fn open(&mut self, node: usize, id: u8, by_them: bool, peer: &Peer) -> Placed {
        let (enode, _) = &self.nodes[node];
        let info = Arc::new(ConnInfo {
            id: identity(id),
            identity: Bytes::new(),
            organisation: None,
            node: node_id(&self.nodes, node),
            enode: enode.clone(),
            direction: Direction::Inbound,
            signed: Bytes::new(),
            signature: Bytes::new(),
        });
        let dialler = node_id(&self.nodes, if by_them { node } else { 0 });
        let mut news = News::default();
        match self.table.opened(&info, peer, dialler, self.now, &mut news) {
            Opened::Kept(entry) => {
                let number = self.opened;
                self.opened += 1;
                if let Some(connection) = self.attach(entry) {
                    self.connections.insert(number, connection);
                }
                Placed::Kept(number)
            }
            Opened::Lost(_) => Placed::Lost,
            Opened::Refused(_) => Placed::Refused,
        }
    }

    /// Lets a connection take queued messages.
    fn attach(&self, entry: Arc<Entry>) -> Option<Connection> {
        let limits = ProtocolLimits::default().with_queue_messages(LANE_MESSAGES);
        let memory = Memory::open(&self.budget);
        let (exit, mut senders) = Exit::new(&memory, &[(limits, 1, 16)]);
        let lane = senders.pop()?.into_lane()?;
        let opening = entry.queue.open(lane, Arc::clone(&entry.acks));
        Some(Connection {
            entry,
            exit,
            opening,
        })
    }

    /// Writes up to `limit` bytes over a connection; returns the number of messages.
    pub fn write(&mut self, connection: usize, limit: usize) -> usize {
        let Some(connection) = self.connections.get_mut(&connection) else {
            return 0;
        };
        let mut context = Context::from_waker(std::task::Waker::noop());
        let _ = connection.exit.poll_next(&mut context, limit);
        let taken = connection.exit.taken().len();
        connection.exit.write(taken);
        taken
    }

    /// Breaks the transport of a connection, which then accepts nothing more.
    pub fn break_transport(&self, connection: usize) {
        if let Some(connection) = self.connections.get(&connection) {
            connection.exit.fail(ErrorKind::BrokenPipe);
        }
    }

    /// Ends a connection, even if the table no longer holds it.
    pub fn end(&mut self, connection: usize) {
        if let Some(connection) = self.connections.remove(&connection) {
            let reason = &ConnectionEnd::TransportEnded;
            self.table.closed(connection.entry.conn, reason);
            drop(connection.opening);
        }
    }

    /// Acknowledges a message over a connection; returns whether a call waited for it.
    pub fn acknowledge(&self, connection: usize, number: u64) -> bool {
        let connection = self.connections.get(&connection);
        connection.is_some_and(|connection| connection.entry.acks.answer(number, Ok(())))
    }

    /// Ends the connection of an identity.
    pub fn close_id(&mut self, id: u8) {
        self.table
            .close_id(&identity(id), &ConnectionEnd::Requested);
    }

    /// Ends all connections and attempts.
    pub fn stop(&mut self) {
        self.table.stop();
    }

    /// Lets time pass.
    pub fn wait(&mut self, time: Duration) {
        self.now = after(self.now, time);
    }

    /// The numbers of open connections, nodes being dialled, and waiting messages.
    pub fn gauges(&self) -> (usize, usize, usize) {
        self.table.gauges()
    }

    /// A snapshot of the counters.
    pub fn stats(&self) -> CommStats {
        self.stats.snapshot()
    }

    /// The accounts of the connections' queues, without the queues that have ended.
    pub fn accounts(&self) -> Vec<[Account; 2]> {
        let queues = self.connections.values().map(|one| &one.entry.queue);
        queues.filter_map(|queue| queue.accounts()).collect()
    }
}

fn identity(number: u8) -> PeerId {
    PeerId::from_bytes([number; 32])
}

fn node_id(nodes: &[(Enode, Option<u64>)], number: usize) -> NodeId {
    nodes[number].0.node_id()
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}
