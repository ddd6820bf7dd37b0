//! The order of outgoing messages: control messages, then lanes by deficit round robin.
//!
//! Pure: no clock, no I/O.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::payload::{Cost, Payload};
use super::turns::Turns;
use crate::arena::Gathered;
use crate::channel::{Class, ProtocolLimits};
use crate::p2p::ids;

/// How much a lane of weight 1 may send in one round, in bytes.
const QUANTUM: usize = 16 << 10;
/// The payload of a Ping and of a Pong.
const EMPTY_LIST: Bytes = Bytes::from_static(&[0xc0]);

/// One lane's limits and share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LaneSettings {
    pub(crate) limits: ProtocolLimits,
    pub(crate) class: Class,
    pub(crate) weight: u32,
}

impl LaneSettings {
    fn quantum(&self) -> usize {
        QUANTUM.saturating_mul(self.weight as usize)
    }
}

/// One message that waits to be written, with its absolute id.
#[derive(Debug)]
pub(crate) struct QueuedMessage {
    pub(crate) id: u64,
    pub(crate) payload: Payload,
    /// Who is notified when the message is handed to the socket.
    pub(crate) flushed: Option<Flushed>,
}

impl QueuedMessage {
    /// The message's cost in budgets.
    pub(crate) fn cost(&self) -> Cost {
        Cost::of(&self.payload)
    }

    /// The size that counts against the lane's share of a round, in bytes.
    fn bytes(&self) -> usize {
        self.cost().sum()
    }
}

/// Counts messages that will never be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Dropped {
    pub(crate) messages: usize,
    /// The cost of these messages in budgets.
    pub(crate) cost: Cost,
}

/// Who is notified that a message was handed to the socket.
#[derive(Debug)]
pub(crate) enum Flushed {
    /// A caller that waits for this message. The sender is dropped if the message is never written.
    One(oneshot::Sender<()>),
    /// The source of the lane, which counts the messages that it queued.
    Counted,
}

/// The messages of one write, and the lanes that they came from.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    messages: Vec<(Option<usize>, QueuedMessage)>,
    bytes: usize,
    /// How many protocol messages were still queued after this batch was taken.
    left: usize,
    /// How long some of the messages waited, with their lanes.
    waits: Vec<(usize, Duration)>,
}

impl Batch {
    pub(crate) fn clear(&mut self) {
        self.messages.clear();
        self.waits.clear();
        self.bytes = 0;
    }

    /// Calls `waited` with the lane of each message, and records the waits that it returns.
    pub(super) fn note_waits(&mut self, mut waited: impl FnMut(usize) -> Option<Duration>) {
        let lanes = self.messages.iter().filter_map(|(lane, _)| *lane);
        let waits = lanes.filter_map(|lane| Some((lane, waited(lane)?)));
        self.waits.extend(waits);
    }

    /// How long some of the messages waited, each wait with its lane.
    pub(crate) fn waits(&self) -> &[(usize, Duration)] {
        &self.waits
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// How many of the messages are protocol messages, not control messages.
    pub(crate) fn of_protocols(&self) -> usize {
        self.messages
            .iter()
            .filter(|(lane, _)| lane.is_some())
            .count()
    }

    /// The cost of the batch's protocol messages in budgets.
    pub(crate) fn cost_of_protocols(&self) -> Cost {
        let of_protocols = self.messages.iter().filter(|(lane, _)| lane.is_some());
        let costs = of_protocols.map(|(_, message)| message.cost());
        costs.fold(Cost::default(), Cost::and)
    }

    /// How many protocol messages were still queued after this batch was taken.
    pub(crate) fn left(&self) -> usize {
        self.left
    }

    /// The cost of the messages in bytes: payloads before compression, and a fixed cost each.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The messages in order, each with its lane; control messages have none.
    pub(crate) fn messages(&self) -> impl Iterator<Item = (Option<usize>, &QueuedMessage)> {
        self.messages.iter().map(|(lane, message)| (*lane, message))
    }

    /// Takes the first `count` messages out, in order.
    pub(crate) fn drain(
        &mut self,
        count: usize,
    ) -> impl Iterator<Item = (Option<usize>, QueuedMessage)> {
        let count = count.min(self.messages.len());
        self.messages.drain(..count)
    }

    /// The lanes from which the messages came. A lane may occur more than once.
    pub(crate) fn drained_lanes(&self) -> impl Iterator<Item = usize> {
        let mut last = None;
        self.messages.iter().filter_map(move |(lane, _)| {
            let fresh = *lane != last;
            last = *lane;
            lane.filter(|_| fresh)
        })
    }

    /// Reports, for each run of messages of one lane, how many are [`Flushed::Counted`].
    ///
    /// Only the first `count` messages of the batch are considered.
    pub(crate) fn counted(&self, count: usize, tell: impl Fn(usize, usize)) {
        let is_counted =
            |message: &QueuedMessage| matches!(message.flushed, Some(Flushed::Counted));
        let messages = self.messages.get(..count).unwrap_or(&self.messages);
        for stretch in messages.chunk_by(|(one, _), (next, _)| one == next) {
            let messages = stretch
                .iter()
                .filter(|(_, message)| is_counted(message))
                .count();
            if let (Some((Some(lane), _)), 1..) = (stretch.first(), messages) {
                tell(*lane, messages);
            }
        }
    }

    fn add(&mut self, lane: Option<usize>, message: QueuedMessage) {
        self.bytes += message.bytes();
        self.messages.push((lane, message));
    }
}

#[derive(Debug)]
struct LaneState {
    settings: LaneSettings,
    queue: VecDeque<QueuedMessage>,
    bytes: usize,
    /// How much the lane may still send in this round, in bytes.
    deficit: usize,
    small: Gathered,
}

/// Everything that waits to be sealed.
#[derive(Debug)]
pub(crate) struct Schedule {
    ping: bool,
    pongs: u32,
    lanes: Vec<LaneState>,
    turns: Turns,
}

impl Schedule {
    pub(crate) fn new(lanes: Vec<LaneSettings>) -> Self {
        let state = |settings| LaneState {
            settings,
            queue: VecDeque::new(),
            bytes: 0,
            deficit: 0,
            small: Gathered::default(),
        };
        Self {
            ping: false,
            pongs: 0,
            turns: Turns::default(),
            lanes: lanes.into_iter().map(state).collect(),
        }
    }

    pub(crate) fn ping(&mut self) {
        self.ping = true;
    }

    pub(crate) fn pong(&mut self) {
        self.pongs = self.pongs.saturating_add(1);
    }

    /// Whether a lane has room for another message of `size` bytes.
    pub(crate) fn has_room(&self, lane: usize, size: usize) -> bool {
        let lane = &self.lanes[lane];
        lane.settings
            .limits
            .admits(lane.queue.len(), lane.bytes, size)
    }

    /// How many messages wait in a lane, and their total size in bytes.
    pub(crate) fn waiting(&self, lane: usize) -> (usize, usize) {
        let lane = &self.lanes[lane];
        (lane.queue.len(), lane.bytes)
    }

    pub(crate) fn push(&mut self, lane: usize, mut message: QueuedMessage) {
        let state = &mut self.lanes[lane];
        if let Payload::Own(payload) = &mut message.payload {
            let own = std::mem::take(payload);
            *payload = state.small.take(own, state.queue.is_empty());
        }
        if state.queue.is_empty() {
            // A lane that was idle gets its share at once, so that a lone message is not delayed.
            state.deficit = state.settings.quantum();
            self.turns.join(state.settings.class, lane);
        }
        state.bytes += message.payload.len();
        state.queue.push_back(message);
    }

    /// Moves messages into `batch` until `limit` bytes are reached. Control messages go first, then
    /// the lanes take turns.
    pub(crate) fn take(&mut self, batch: &mut Batch, limit: usize) {
        while self.pongs > 0 && batch.bytes < limit {
            self.pongs -= 1;
            batch.add(None, control(ids::PONG));
        }
        if std::mem::take(&mut self.ping) {
            batch.add(None, control(ids::PING));
        }
        while batch.bytes < limit {
            let first = |lane: usize| {
                let first = self.lanes[lane].queue.front();
                first.map_or(0, QueuedMessage::bytes)
            };
            let Some((class, lane, most)) = self.turns.next(first) else {
                break;
            };
            let before = batch.bytes;
            let limit = limit.min(before.saturating_add(most));
            self.take_turn(class, lane, batch, limit);
            self.turns.sent(class, batch.bytes - before);
        }
        batch.left = self.lanes.iter().map(|lane| lane.queue.len()).sum();
    }

    /// Lets a lane send until the batch is full or the lane's share is exhausted.
    fn take_turn(&mut self, class: Class, lane: usize, batch: &mut Batch, limit: usize) {
        let alone = self.turns.is_alone(class);
        let state = &mut self.lanes[lane];
        while batch.bytes < limit {
            let Some(message) = state.queue.front() else {
                break;
            };
            let cost = message.bytes();
            if cost > state.deficit && !alone {
                state.deficit = state.deficit.saturating_add(state.settings.quantum());
                self.turns.rotate(class);
                return;
            }
            state.deficit = state.deficit.saturating_sub(cost);
            if let Some(message) = state.queue.pop_front() {
                state.bytes -= message.payload.len();
                batch.add(Some(lane), message);
            }
        }
        if state.queue.is_empty() {
            self.turns.leave(class);
        }
    }

    /// Drops everything, and returns how many protocol messages were dropped, with their cost.
    pub(crate) fn clear(&mut self) -> Dropped {
        self.ping = false;
        self.pongs = 0;
        self.turns.clear();
        let mut dropped = Dropped::default();
        for lane in &mut self.lanes {
            dropped.messages += lane.queue.len();
            let costs = lane.queue.iter().map(QueuedMessage::cost);
            dropped.cost = costs.fold(dropped.cost, Cost::and);
            lane.queue = VecDeque::new();
            lane.bytes = 0;
        }
        dropped
    }

    /// Frees the memory of empty lanes.
    pub(crate) fn shrink(&mut self) {
        for lane in &mut self.lanes {
            if lane.queue.is_empty() {
                lane.queue = VecDeque::new();
                lane.small.shrink();
            }
        }
    }
}

fn control(id: u64) -> QueuedMessage {
    QueuedMessage {
        id,
        payload: Payload::Own(EMPTY_LIST),
        flushed: None,
    }
}
