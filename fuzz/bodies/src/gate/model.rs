use std::collections::{HashSet, VecDeque};

use peermux::{DisconnectReason, ProtocolLimits, SendError};

use super::fairness::Fairness;

/// The cost of a message in addition to its payload, in bytes.
const MESSAGE_COST: usize = 64;
/// The budget is charged in steps, of which the first is free.
const STEP: usize = 16 << 10;
const PING: u64 = 2;
const PONG: u64 = 3;
const CONTROL_COST: usize = 1 + MESSAGE_COST;

/// Whether a sender waits until its message is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flush {
    Nobody,
    Awaited,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    Ending(Option<DisconnectReason>),
    Closed,
}

struct Queued {
    code: u64,
    size: usize,
    flush: Flush,
}

impl Queued {
    fn cost(&self) -> usize {
        self.size + MESSAGE_COST
    }
}

struct Lane {
    limits: ProtocolLimits,
    offset: u64,
    queue: VecDeque<Queued>,
}

/// The expected state of the gate.
pub(super) struct Model {
    lanes: Vec<Lane>,
    fairness: Fairness,
    ping: bool,
    pongs: usize,
    /// The messages that the write loop has taken but not written. Control messages are `None`.
    taken: VecDeque<Option<Queued>>,
    /// The number and the cost of the protocols' messages that the write loop has taken.
    in_flight: [usize; 2],
    unsent: usize,
    phase: Phase,
    failure: Option<SendError>,
    dropping: bool,
    /// The written messages whose senders wait until their message is written.
    written: HashSet<u64>,
}

impl Model {
    pub(super) fn new(lanes: &[(ProtocolLimits, u32, u64)]) -> Self {
        let weights = lanes.iter().map(|(_, weight, _)| *weight as usize);
        let lane = |&(limits, _, offset)| Lane {
            limits,
            offset,
            queue: VecDeque::new(),
        };
        Self {
            fairness: Fairness::new(weights.collect()),
            lanes: lanes.iter().map(lane).collect(),
            ping: false,
            pongs: 0,
            taken: VecDeque::new(),
            in_flight: [0; 2],
            unsent: 0,
            phase: Phase::Open,
            failure: None,
            dropping: false,
            written: HashSet::new(),
        }
    }

    pub(super) fn lanes(&self) -> usize {
        self.lanes.len()
    }

    pub(super) fn is_empty(&self, lane: usize) -> bool {
        self.lanes[lane].queue.is_empty()
    }

    /// Returns whether queued messages may be dropped.
    pub(super) fn is_dropping(&self) -> bool {
        self.dropping
    }

    /// Returns why nothing can be sent any more.
    pub(super) fn closed(&self) -> Option<SendError> {
        let error = || self.failure.clone().unwrap_or(SendError::ShuttingDown);
        (self.phase != Phase::Open).then(error)
    }

    fn cost(&self) -> usize {
        let queued = self.lanes.iter().flat_map(|lane| &lane.queue);
        queued.map(Queued::cost).sum::<usize>() + self.in_flight[1]
    }

    /// Returns whether a message is accepted. `peer` and `node` are the room in their budgets.
    pub(super) fn has_room(&self, lane: usize, size: usize, [peer, node]: [usize; 2]) -> bool {
        let Lane { limits, queue, .. } = &self.lanes[lane];
        let bytes: usize = queue.iter().map(|one| one.size).sum();
        let in_queue = queue.is_empty()
            || queue.len() < limits.queue_messages() && bytes + size <= limits.queue_bytes();
        let due = (self.cost() + size + MESSAGE_COST)
            .saturating_sub(STEP)
            .next_multiple_of(STEP);
        let held = peermux::channel::MemoryLimits::MIN - peer;
        let more = due.saturating_sub(held);
        in_queue && (more == 0 || more <= peer.min(node))
    }

    pub(super) fn queue(&mut self, lane: usize, code: u64, size: usize, flush: Flush) {
        let queued = Queued { code, size, flush };
        self.fairness.pushed(lane, queued.cost());
        self.lanes[lane].queue.push_back(queued);
    }

    pub(super) fn ping(&mut self) {
        self.ping |= self.phase == Phase::Open;
    }

    /// Queues one more Pong than `count`.
    pub(super) fn pongs(&mut self, count: usize) {
        if self.phase == Phase::Open {
            self.pongs += count + 1;
        }
    }

    /// Returns whether the write loop has something to do.
    pub(super) fn has_work(&self) -> bool {
        let queued = self.lanes.iter().any(|lane| !lane.queue.is_empty());
        queued || self.ping || self.pongs > 0 || self.phase != Phase::Open
    }

    pub(super) fn write(&mut self, count: usize) {
        let count = count.min(self.taken.len());
        for message in self.taken.drain(..count).flatten() {
            if message.flush == Flush::Awaited {
                self.written.insert(message.code);
            }
        }
    }

    pub(super) fn was_written(&self, code: u64) -> bool {
        self.written.contains(&code)
    }

    /// Returns whether a message is queued or taken by the write loop.
    pub(super) fn is_there(&self, code: u64) -> bool {
        let queued = self.lanes.iter().flat_map(|lane| &lane.queue);
        let taken = self.taken.iter().flatten();
        queued.chain(taken).any(|one| one.code == code)
    }

    /// Records that the write loop returned to the gate. Messages that it took but did not write
    /// are lost.
    fn came_back(&mut self) {
        self.unsent += self.taken.drain(..).flatten().count();
        self.in_flight = [0; 2];
    }

    /// Records that the write loop requested `limit` bytes and took these messages.
    pub(super) fn took(&mut self, messages: &[(Option<usize>, u64, usize)], limit: usize) {
        self.came_back();
        assert!(self.phase != Phase::Closed);
        let mut bytes = 0;
        let control = messages.iter().filter(|(lane, ..)| lane.is_none()).count();
        let pongs = self.pongs.min(limit.div_ceil(CONTROL_COST));
        assert_eq!(control, pongs + usize::from(self.ping), "control first");
        for (index, &(lane, id, size)) in messages.iter().enumerate() {
            if index < control {
                let expected = if index < pongs { PONG } else { PING };
                assert_eq!((lane, id), (None, expected));
                bytes += CONTROL_COST;
                self.taken.push_back(None);
            } else {
                assert!(bytes < limit, "more than requested");
                let lane = lane.expect("control messages come first");
                bytes += self.take(lane, id, size);
            }
        }
        self.pongs -= pongs;
        self.ping = false;
        let all = self.pongs == 0 && self.lanes.iter().all(|lane| lane.queue.is_empty());
        assert!(bytes >= limit || all, "less than available");
    }

    fn take(&mut self, lane: usize, id: u64, size: usize) -> usize {
        let from = &mut self.lanes[lane];
        let message = from.queue.pop_front().expect("something is queued");
        assert_eq!((from.offset + message.code, message.size), (id, size));
        let cost = message.cost();
        self.in_flight[0] += 1;
        self.in_flight[1] += cost;
        self.taken.push_back(Some(message));
        let busy = |other: usize| !self.lanes[other].queue.is_empty();
        self.fairness.sent(lane, cost, busy);
        if self.lanes[lane].queue.is_empty() {
            self.fairness.emptied(lane);
        }
        cost
    }

    pub(super) fn waits(&mut self) {
        self.came_back();
        assert!(!self.has_work(), "the write loop missed a message");
    }

    pub(super) fn finished(&mut self, reason: Option<DisconnectReason>) {
        self.came_back();
        assert!(
            self.phase == Phase::Ending(reason),
            "the Disconnect is not last"
        );
        self.phase = Phase::Closed;
        assert!(self.lanes.iter().all(|lane| lane.queue.is_empty()));
    }

    pub(super) fn stopped(&mut self) {
        self.came_back();
        assert!(self.phase == Phase::Closed);
    }

    pub(super) fn finish(&mut self, drain: bool, reason: Option<DisconnectReason>) {
        if !drain {
            self.drop_queued();
        }
        if self.phase != Phase::Closed {
            self.phase = Phase::Ending(reason);
        }
    }

    pub(super) fn fail(&mut self, error: SendError) {
        self.failure = Some(error);
        self.close();
    }

    /// Closes the gate. Returns how many messages were never written.
    pub(super) fn close(&mut self) -> usize {
        self.phase = Phase::Closed;
        self.drop_queued();
        self.unsent + self.in_flight[0]
    }

    fn drop_queued(&mut self) {
        self.dropping = true;
        (self.ping, self.pongs) = (false, 0);
        for lane in 0..self.lanes.len() {
            self.unsent += self.lanes[lane].queue.drain(..).count();
            self.fairness.emptied(lane);
        }
    }

    /// Checks that the charge equals the held memory, within a step or two.
    pub(super) fn check(&self, charged: usize) {
        let cost = self.cost();
        assert!(
            cost <= charged + STEP,
            "{cost} bytes, {charged} are charged"
        );
        assert!(charged <= cost + 2 * STEP, "{charged} for {cost} bytes");
        for Lane { limits, queue, .. } in &self.lanes {
            assert!(queue.len() <= limits.queue_messages().max(1));
            let bytes: usize = queue.iter().map(|one| one.size).sum();
            assert!(queue.len() == 1 || bytes <= limits.queue_bytes());
        }
    }
}
