//! The write gate of one peer, compared with a plain model.
//!
//! The input is a script of actions by senders, the read loop and the write loop, and of changes in
//! how much of the node's memory other peers hold. After each step all woken tasks continue.

mod fairness;
mod model;
mod senders;

use std::io::ErrorKind;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use peermux::channel::fuzzing::{Account, Exit, Turn};
use peermux::channel::{MemoryLimits, NodeBudget};
use peermux::{DisconnectReason, ProtocolLimits};

use super::input::Input;
use super::waiting::{Bell, size};
use model::Model;
use senders::Senders;

const PER_NODE: usize = 40 << 20;
const FREE_PER_PEER: usize = 32 << 10;
/// The number of ids of each lane; those of the first lane begin at 16.
const IDS: u64 = 1 << 32;

/// The first bytes describe the lanes; the rest is the script.
pub fn gate(data: &[u8]) {
    let mut input = Input::new(data);
    let limits = MemoryLimits::default().with_per_node(PER_NODE);
    let node = NodeBudget::new(limits).expect("enough");
    let mut world = World::new(&node, &mut input);
    while !input.is_empty() {
        world.step(&mut input);
        world.settle();
        world.check();
    }
    drop(world);
    assert_eq!(node.used(), 0, "memory was not released");
}

struct World {
    node: NodeBudget,
    /// The account of all other peers, and the memory that they hold.
    others: Account,
    elsewhere: usize,
    account: Account,
    exit: Exit,
    bell: Arc<Bell>,
    writer_waits: bool,
    senders: Senders,
    model: Model,
}

/// Returns one lane's bounds, its weight and its first id.
fn lane(index: u64, choice: u8) -> (ProtocolLimits, u32, u64) {
    let limits = ProtocolLimits::default()
        .with_queue_messages(usize::from(choice & 7) + 1)
        .with_queue_bytes(1 << (10 + (choice >> 3 & 7) * 2));
    (limits, u32::from(choice >> 6) + 1, 16 + index * IDS)
}

impl World {
    fn new(node: &NodeBudget, input: &mut Input<'_>) -> Self {
        let count = u64::from(input.byte() % 3) + 1;
        let lanes: Vec<_> = (0..count).map(|index| lane(index, input.byte())).collect();
        let account = Account::open(node);
        let (exit, senders) = Exit::new(&account, &lanes);
        Self {
            node: node.clone(),
            others: Account::open(node),
            elsewhere: 0,
            account,
            exit,
            bell: Arc::default(),
            writer_waits: false,
            senders: Senders::new(senders),
            model: Model::new(&lanes),
        }
    }

    fn step(&mut self, input: &mut Input<'_>) {
        let (choice, more) = (input.byte(), input.byte());
        let lane = usize::from(more) % self.model.lanes();
        match choice % 16 {
            0..4 => self.senders.start(lane, false, input),
            4 | 5 => self.senders.start(lane, true, input),
            6 => {
                let room = self.room();
                self.senders.try_send(lane, input, &mut self.model, room);
            }
            7 => self.senders.cancel(more),
            8..11 => self.next([1, 1000, 64 << 10, usize::MAX][usize::from(more & 3)]),
            11 => self.write(usize::MAX),
            12 => self.control(more),
            13 => {
                self.elsewhere = 3 * size(input);
                self.others.set_sealing(self.elsewhere);
            }
            14 if self.model.is_dropping() => self.write(more.into()),
            14 => self.write(usize::MAX),
            _ => self.end(more),
        }
        self.wake_writer();
    }

    fn control(&mut self, more: u8) {
        if more & 1 == 0 {
            self.exit.ping();
            self.model.ping();
        } else {
            (0..=more).for_each(|_| self.exit.pong());
            self.model.pongs(more.into());
        }
    }

    fn end(&mut self, more: u8) {
        match more >> 5 {
            0..3 => {
                let reason = (more & 1 == 1).then_some(DisconnectReason::CLIENT_QUITTING);
                self.exit.finish(more & 2 == 2, reason);
                self.model.finish(more & 2 == 2, reason);
            }
            3 => {
                let kind = [ErrorKind::BrokenPipe, ErrorKind::TimedOut][usize::from(more & 1)];
                self.model.fail(self.exit.fail(kind));
            }
            4 => assert_eq!(self.exit.close(), self.model.close()),
            // The other values do nothing, so that a run rarely ends early.
            _ => {}
        }
    }

    /// The write loop writes the first `count` messages of those that it has taken.
    fn write(&mut self, count: usize) {
        self.exit.write(count);
        self.model.write(count);
    }

    fn next(&mut self, limit: usize) {
        if !self.model.is_dropping() {
            self.write(usize::MAX);
        }
        let waker = Waker::from(Arc::clone(&self.bell));
        let turn = self.exit.poll_next(&mut Context::from_waker(&waker), limit);
        self.writer_waits = turn.is_pending();
        match turn {
            Poll::Ready(Turn::Write) => self.model.took(&self.exit.taken(), limit),
            Poll::Ready(Turn::Finish(reason)) => self.model.finished(reason),
            Poll::Ready(Turn::Stop) => self.model.stopped(),
            Poll::Pending => self.model.waits(),
        }
    }

    fn wake_writer(&mut self) {
        if self.writer_waits && self.model.has_work() {
            assert!(self.bell.has_rung(), "the write loop was not woken");
            self.writer_waits = false;
        }
    }

    /// Returns the room in the peer's own budget, and in the node's.
    fn room(&self) -> [usize; 2] {
        let held = self.account.held();
        let node = PER_NODE.saturating_sub(self.node.used());
        let free = FREE_PER_PEER.saturating_sub(held);
        [MemoryLimits::MIN.saturating_sub(held), node + free]
    }

    fn settle(&mut self) {
        let mut next = 0;
        while next < self.senders.len() {
            let room = self.room();
            let went_on = self.senders.advance(next, &mut self.model, room);
            // A sender that continued may have woken others, so start again with the first one.
            next = if went_on { 0 } else { next + 1 };
            self.wake_writer();
        }
    }

    fn check(&self) {
        let held = self.account.held();
        self.model.check(held);
        let beyond_free = |held: usize| held.saturating_sub(FREE_PER_PEER);
        let used = beyond_free(held) + beyond_free(self.elsewhere);
        assert_eq!(
            self.node.used(),
            used,
            "the node does not count what peers hold"
        );
        self.senders.check(&self.model, self.room());
    }
}
