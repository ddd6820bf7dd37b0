//! Comm's store: connections by identity, queues, and the result of each message.
//!
//! The input is a script of sends, connection attempts, connections and their ends. Every message
//! has exactly one result, and bounds hold after each step. The room of an empty queue is free.

use std::collections::HashMap;
use std::task::Poll;
use std::time::Duration;

use peermux::comm::fuzzing::{Account, Placed, Room, Sent, Store};
use peermux::comm::{CommError, Config, Delivery};
use peermux::{Bytes, Peer, testing};
use tokio::sync::oneshot::{self, error::TryRecvError};

use super::input::Input;
use super::waiting::{Waiting, payload};

/// The number of nodes, of which this node is the first.
const NODES: u8 = 5;
const IDS: u8 = 4;
const MAX_DIALS: usize = 3;
const MOST_WAITING: usize = 8;
/// How many answers a connection queues in addition to its messages.
const REPLIES: usize = 64;

/// The first two bytes select the bounds; the rest is the script.
pub fn store(data: &[u8]) {
    let mut input = Input::new(data);
    let (messages, bytes) = (usize::from(input.byte() & 15) + 1, input.byte() & 15);
    let config = Config::default()
        .with_queue_messages(messages)
        .with_queue_bytes(1 << (bytes + 6))
        .with_max_dials(MAX_DIALS);
    let mut world = World {
        store: Store::new(config, NODES),
        peer: testing::peer("x", vec![]),
        messages,
        connections: Vec::new(),
        sent: Vec::new(),
        acks: Vec::new(),
        waiting: Vec::new(),
        written: 0,
        ends: HashMap::new(),
    };
    while !input.is_empty() {
        world.step(&mut input);
        world.settle();
        world.check();
    }
    world.end();
}

struct World {
    store: Store,
    /// A dummy handle that stands for the peer of every connection.
    peer: Peer,
    /// The bound of a queue, in messages.
    messages: usize,
    /// The numbers of open connections.
    connections: Vec<usize>,
    /// Messages without a result so far.
    sent: Vec<Sent>,
    /// The callers that wait for an Ack of a message.
    acks: Vec<oneshot::Receiver<Result<(), CommError>>>,
    /// The callers that wait for room.
    waiting: Vec<Waiter>,
    written: u64,
    /// How many messages ended with each result.
    ends: HashMap<&'static str, u64>,
}

/// A node, and its expected identity.
type To = (usize, Option<u8>);

struct Waiter {
    room: Waiting<Option<Room>>,
    to: To,
    payload: Bytes,
}

impl World {
    fn step(&mut self, input: &mut Input<'_>) {
        let (choice, more) = (input.byte(), input.byte());
        let node = usize::from(more % NODES);
        let id = (more & 0x80 == 0).then_some((more >> 3) % IDS + 1);
        let connection = self.some_connection(more);
        match choice % 16 {
            0..3 => self.send((node, id), choice >= 0x80, input),
            3 => self.wait_to_send((node, id), input),
            4 => drop(self.waiting.pop()),
            5 | 6 => self.open(node, (more >> 3) % IDS + 1, more >= 0x80),
            7 | 8 => {
                let limit = [1, 1 << 10, usize::MAX][usize::from(choice >> 4) % 3];
                let written = connection.map_or(0, |one| self.store.write(one, limit));
                self.written += written as u64;
            }
            9 => {
                let sent = connection.and_then(|one| self.store.answer(one, payload(input)));
                self.sent.extend(sent);
            }
            10 => self.store.fail_attempt(node),
            11 => self.store.attempt_over(node),
            12 => {
                if let Some(connection) = connection {
                    self.store.acknowledge(connection, input.byte().into());
                }
            }
            13 => self.store.wait(Duration::from_millis(u64::from(more) * 40)),
            14 => match connection {
                Some(connection) if more >= 0x80 => self.store.break_transport(connection),
                Some(connection) => self.end_connection(connection),
                None => {}
            },
            _ => match more {
                0xff => self.store.stop(),
                _ => self.store.close_id((more >> 3) % IDS + 1),
            },
        }
    }

    fn some_connection(&self, choice: u8) -> Option<usize> {
        let count = self.connections.len().max(1);
        self.connections.get(usize::from(choice) % count).copied()
    }

    fn send(&mut self, to: To, with_ack: bool, input: &mut Input<'_>) {
        let sent = self.store.send(to, payload(input), with_ack, None);
        self.sent.push(sent);
    }

    fn wait_to_send(&mut self, to: To, input: &mut Input<'_>) {
        let payload = payload(input);
        if self.waiting.len() < MOST_WAITING
            && let Some(room) = self.store.reserve(to, payload.len())
        {
            let room = Waiting::new(room);
            self.waiting.push(Waiter { room, to, payload });
        }
    }

    fn open(&mut self, node: usize, id: u8, by_them: bool) {
        let placed = self.store.open(node, id, by_them, &self.peer);
        if let Placed::Kept(number) = placed {
            self.connections.push(number);
        }
    }

    fn end_connection(&mut self, connection: usize) {
        self.store.end(connection);
        self.connections.retain(|one| *one != connection);
    }

    /// Continues the waiting callers for which there is room.
    fn settle(&mut self) {
        let mut next = 0;
        while next < self.waiting.len() {
            let Some(Poll::Ready(room)) = self.waiting[next].room.poll_if_woken() else {
                next += 1;
                continue;
            };
            let Waiter { to, payload, .. } = self.waiting.remove(next);
            let sent = self.store.send(to, payload, false, room);
            self.sent.push(sent);
            next = 0;
        }
    }

    fn check(&mut self) {
        let (open, flights, waiting) = self.store.gauges();
        assert!(
            open <= usize::from(IDS),
            "more than one connection per identity"
        );
        assert!(flights <= MAX_DIALS.max(1));
        let most = 2 * (self.messages + REPLIES) * (open + flights);
        assert!(waiting <= most, "{waiting} messages wait");
        for account in self.store.accounts().concat() {
            self.check_account(account);
        }
        self.sent = std::mem::take(&mut self.sent)
            .into_iter()
            .filter_map(|sent| self.look(sent))
            .collect();
        self.check_counts();
    }

    fn check_account(&self, account: Account) {
        let Account {
            waiting,
            taken,
            free,
            owed,
            total,
        } = account;
        assert!(owed <= total, "more than twice the bound");
        // Room that is reserved but not yet taken belongs to the waiting callers.
        assert!(taken + free <= total + owed, "{account:?}");
        if self.waiting.is_empty() {
            assert_eq!(taken + free, total + owed, "{account:?}");
        }
        assert!(waiting <= taken);
    }

    /// Checks whether a message has a result. Returns the message if it has none.
    fn look(&mut self, mut sent: Sent) -> Option<Sent> {
        let outcome = match sent.outcome.try_recv() {
            Ok(outcome) => outcome,
            Err(TryRecvError::Empty) => return Some(sent),
            Err(TryRecvError::Closed) => panic!("a message ended without a result"),
        };
        *self.ends.entry(label(&outcome)).or_default() += 1;
        if let Some(mut ack) = sent.ack {
            // A message that a transport took may still be acknowledged.
            let was_taken = matches!(
                outcome,
                Delivery::Sent | Delivery::Failed(CommError::PeerClosed(_))
            );
            if was_taken {
                self.acks.push(ack);
            } else {
                assert!(ack.try_recv().is_ok(), "a waiter for an Ack has no result");
            }
        }
        None
    }

    /// Checks that the counters agree with the senders' results.
    fn check_counts(&self) {
        let stats = self.store.stats();
        let count = |what| self.ends.get(what).copied().unwrap_or(0);
        assert_eq!((stats.sent, self.written), (count("sent"), count("sent")));
        assert_eq!(stats.overflowed, count("full"));
        assert_eq!(stats.failed_closed, count("closed"));
        assert_eq!(stats.failed_dial, count("dial"));
        assert_eq!(stats.failed_other, count("other"));
    }

    /// Ends everything. Then all messages must have a result, and no caller may wait for room.
    fn end(mut self) {
        for connection in std::mem::take(&mut self.connections) {
            self.store.end(connection);
        }
        self.store.stop();
        self.settle();
        self.check();
        assert!(self.waiting.is_empty(), "a caller still waits for room");
        assert_eq!(self.store.gauges(), (0, 0, 0));
        assert!(self.sent.is_empty(), "a message has no result");
        drop(self.store);
        for mut ack in self.acks {
            let answer = ack.try_recv();
            assert_ne!(
                answer.err(),
                Some(TryRecvError::Empty),
                "a waiter for an Ack has no result"
            );
        }
    }
}

fn label(outcome: &Delivery) -> &'static str {
    match outcome.error() {
        None => "sent",
        Some(CommError::Full) => "full",
        Some(CommError::PeerClosed(_)) => "closed",
        Some(CommError::Dial(_) | CommError::Handshake { .. } | CommError::NotSupported { .. }) => {
            "dial"
        }
        Some(_) => "other",
    }
}
