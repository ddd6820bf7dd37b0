//! The sending queue of one destination. It exists from the first message on, before there is a
//! connection, and hands over to the connection what that has room for.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, TryAcquireError, oneshot};
use tokio::time::Instant;

use super::acks::{AckSender, AckTable};
use super::handed::{Handed, Sender};
use super::stats::Stats;
use super::{CloseReason, CommError, Config, Delivery, PeerId};
use crate::peer::Source;
use crate::protocol::{Outlet, TrySendError};

/// How many answers may wait beside the queue of messages.
const REPLIES: usize = 64;

/// A message on its way into a queue.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) code: u64,
    pub(crate) payload: Bytes,
    /// Under which number an Ack is waited for, and by whom.
    pub(crate) ack: Option<(u64, AckSender)>,
    pub(crate) done: Option<oneshot::Sender<Delivery>>,
}

impl Draft {
    /// Ends the message.
    pub(crate) fn refuse(self, delivery: Delivery) {
        // Whoever has stopped waiting does not hear of it.
        if let (Some((_, waiter)), Some(error)) = (self.ack, delivery.error()) {
            let _ = waiter.send(Err(error.clone()));
        }
        if let Some(done) = self.done {
            let _ = done.send(delivery);
        }
    }
}

/// A queued message.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) draft: Draft,
    /// For whom it is, as long as nobody is connected.
    expects: Option<Box<PeerId>>,
    queued: Instant,
    /// What it takes of the queue's bound.
    units: usize,
}

impl Outgoing {
    pub(crate) fn new(draft: Draft, expects: Option<PeerId>, now: Instant) -> Self {
        Self {
            draft,
            expects: expects.map(Box::new),
            queued: now,
            units: 0,
        }
    }

    fn size(&self) -> usize {
        self.draft.payload.len()
    }

    fn fail(self, error: CommError, stats: &Stats) {
        stats.failed(&error);
        self.draft.refuse(Delivery::Failed(error));
    }

    /// What the transport gets; from now on an Ack counts.
    fn hand_over(self, acks: &AckTable, senders: &mut VecDeque<Sender>) -> (u64, Bytes) {
        let draft = self.draft;
        if let Some((number, waiter)) = draft.ack {
            acks.expect(number, waiter);
        }
        senders.push_back(Sender {
            done: draft.done,
            queued: self.queued,
        });
        (draft.code, draft.payload)
    }
}

/// Which part of the queue: answers go out before messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Messages,
    Replies,
}

#[derive(Debug)]
pub(crate) struct Link {
    state: Mutex<State>,
    /// Wakes the connection's writer when the transport takes nothing more, or does not ask for
    /// more once it has room.
    blocked: Notify,
    /// Room in units, so that one bound holds for messages and for bytes.
    messages: Arc<Semaphore>,
    replies: Arc<Semaphore>,
    unit: usize,
    total: u32,
    stats: Arc<Stats>,
}

#[derive(Debug, Default)]
struct State {
    messages: VecDeque<Outgoing>,
    replies: VecDeque<Outgoing>,
    exit: Option<Exit>,
    end: Option<End>,
}

impl State {
    fn part(&mut self, part: Part) -> &mut VecDeque<Outgoing> {
        match part {
            Part::Messages => &mut self.messages,
            Part::Replies => &mut self.replies,
        }
    }
}

#[derive(Debug)]
enum End {
    Failed(CommError),
    /// Everything goes through the queue of the connection that took this one's place.
    Moved(Arc<Link>),
}

/// The connection that takes the messages.
#[derive(Debug)]
struct Exit {
    outlet: Outlet,
    acks: Arc<AckTable>,
    handed: Arc<Handed>,
    /// Whether the transport asks for more and tells what is written; else that is as soon as it
    /// is handed over.
    asks: bool,
    /// It took not everything.
    blocked: bool,
    /// It takes nothing more.
    over: bool,
}

/// What left a queue.
#[derive(Debug, Default)]
struct Left {
    messages: u32,
    units: usize,
}

impl Left {
    fn count(&mut self, message: &Outgoing) {
        self.messages += 1;
        self.units += message.units;
    }
}

impl Exit {
    /// Hands messages over for as long as there is room.
    fn take(&mut self, queue: &mut VecDeque<Outgoing>, left: &mut Left) {
        if self.blocked || queue.is_empty() {
            return;
        }
        let mut senders = self.handed.lock();
        let result = self.outlet.fill(queue, Outgoing::size, |message| {
            left.count(&message);
            message.hand_over(&self.acks, &mut senders)
        });
        self.blocked = result.is_err();
        self.over = matches!(result, Err(TrySendError::Refused(_)));
    }
}

impl Link {
    pub(crate) fn new(config: &Config, stats: &Arc<Stats>) -> Arc<Self> {
        let total = u32::try_from(config.queue_messages).unwrap_or(u32::MAX >> 4);
        Arc::new(Self {
            state: Mutex::default(),
            blocked: Notify::new(),
            messages: Arc::new(Semaphore::new(total as usize)),
            replies: Arc::new(Semaphore::new(REPLIES)),
            unit: (config.queue_bytes / config.queue_messages).max(1),
            total,
            stats: Arc::clone(stats),
        })
    }

    fn room(&self, part: Part, size: usize) -> (&Arc<Semaphore>, u32) {
        let units = u32::try_from(size.div_ceil(self.unit)).unwrap_or(u32::MAX);
        match part {
            Part::Messages => (&self.messages, units.clamp(1, self.total)),
            Part::Replies => (&self.replies, units.clamp(1, REPLIES as u32)),
        }
    }

    /// Waits for room for a message of `size` bytes, in the order of asking; `None` if the queue
    /// ends first. Cancel safe.
    pub(crate) async fn reserve(&self, part: Part, size: usize) -> Option<OwnedSemaphorePermit> {
        let (semaphore, units) = self.room(part, size);
        Arc::clone(semaphore).acquire_many_owned(units).await.ok()
    }

    /// Queues a message for which there is room, and which fails if the queue has ended.
    pub(crate) fn push(&self, part: Part, mut message: Outgoing, room: OwnedSemaphorePermit) {
        message.units = room.num_permits();
        room.forget();
        self.put(part, message);
    }

    /// As [`push`](Self::push); a message for which there is no room comes back.
    pub(crate) fn try_push(&self, part: Part, mut message: Outgoing) -> Result<(), Outgoing> {
        let (semaphore, units) = self.room(part, message.size());
        match semaphore.try_acquire_many(units) {
            Ok(room) => {
                message.units = room.num_permits();
                room.forget();
            }
            Err(TryAcquireError::NoPermits) => return Err(message),
            // The end of the queue is the message's, too.
            Err(TryAcquireError::Closed) => {}
        }
        self.put(part, message);
        Ok(())
    }

    fn put(&self, part: Part, message: Outgoing) {
        let mut state = self.lock();
        let moved = match &state.end {
            None => {
                self.stats.meters.queued();
                state.part(part).push_back(message);
                return self.hand_over(state);
            }
            Some(End::Failed(error)) => Err(error.clone()),
            Some(End::Moved(to)) => Ok(Arc::clone(to)),
        };
        drop(state);
        match moved {
            Ok(to) => to.put(
                part,
                Outgoing {
                    units: 0,
                    ..message
                },
            ),
            Err(error) => message.fail(error, &self.stats),
        }
    }

    /// Hands over to the connection what it has room for, answers first.
    fn hand_over(&self, mut state: MutexGuard<'_, State>) {
        let State {
            messages,
            replies,
            exit: Some(exit),
            ..
        } = &mut *state
        else {
            return;
        };
        if exit.blocked {
            return;
        }
        let [mut answers, mut others] = [Left::default(), Left::default()];
        exit.take(replies, &mut answers);
        exit.take(messages, &mut others);
        let written = (!exit.asks).then(|| Arc::clone(&exit.handed));
        let wakes = exit.over || exit.blocked && !exit.asks;
        drop(state);
        let count = answers.messages + others.messages;
        self.stats.meters.unqueued(count);
        for (semaphore, left) in [(&self.replies, answers), (&self.messages, others)] {
            if left.units > 0 {
                semaphore.add_permits(left.units);
            }
        }
        if let Some(handed) = written {
            handed.written(count as usize);
        }
        if wakes {
            self.blocked.notify_one();
        }
    }

    /// Lets a connection take messages until what is returned is dropped: then what it took and
    /// is not known to have written fails. A queue has one connection in its life.
    pub(crate) fn open(self: &Arc<Self>, outlet: Outlet, acks: Arc<AckTable>) -> Opening {
        let handed = Arc::new(Handed::new(Arc::clone(&self.stats)));
        let supply = Supply {
            link: Arc::downgrade(self),
            handed: Arc::clone(&handed),
        };
        let exit = Exit {
            asks: outlet.set_source(Arc::new(supply)),
            outlet,
            acks,
            handed,
            blocked: false,
            over: false,
        };
        let mut state = self.lock();
        state.exit = Some(exit);
        self.hand_over(state);
        Opening(Arc::clone(self))
    }

    /// Waits until a message has found no room in a transport that does not ask for it later;
    /// returns its size, or `None` once the transport takes nothing more. Cancel safe.
    async fn blocked(&self) -> Option<usize> {
        loop {
            {
                let state = self.lock();
                let exit = state.exit.as_ref();
                if exit.is_some_and(|exit| exit.over) {
                    return None;
                }
                let first = state.replies.front().or(state.messages.front());
                if let Some(first) = first.filter(|_| exit.is_some_and(|exit| !exit.asks)) {
                    return Some(first.size());
                }
            }
            self.blocked.notified().await;
        }
    }

    /// The transport has room again.
    fn unblock(&self) {
        let mut state = self.lock();
        if let Some(exit) = &mut state.exit
            && std::mem::take(&mut exit.blocked)
        {
            self.hand_over(state);
        }
    }

    /// The queue that takes messages in place of this one, which may be itself.
    pub(crate) fn current(self: &Arc<Self>) -> Arc<Self> {
        let mut link = Arc::clone(self);
        loop {
            let next = match &link.lock().end {
                Some(End::Moved(to)) => Arc::clone(to),
                _ => break,
            };
            link = next;
        }
        link
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.lock().end.is_some()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn len(&self) -> usize {
        let state = self.lock();
        state.messages.len() + state.replies.len()
    }

    /// Ends the queue: what waits in it fails, and so does what comes later.
    pub(crate) fn fail(&self, error: &CommError) {
        let waiting = {
            let mut state = self.lock();
            if state.end.is_some() {
                return;
            }
            state.end = Some(End::Failed(error.clone()));
            self.close(&mut state)
        };
        for (_, message) in waiting {
            message.fail(error.clone(), &self.stats);
        }
    }

    /// Ends the queue: what waits in it, and what comes later, goes to another one, if need be
    /// over the other's bound, so that nothing is lost.
    pub(crate) fn move_to(&self, other: &Arc<Self>) {
        // Locked until all are there, so that what comes later does not come before them.
        let mut state = self.lock();
        if state.end.is_some() {
            return;
        }
        for (part, message) in self.close(&mut state) {
            other.put(
                part,
                Outgoing {
                    units: 0,
                    ..message
                },
            );
        }
        state.end = Some(End::Moved(Arc::clone(other)));
    }

    /// Takes everything out, answers first, and wakes who waits for room.
    fn close(&self, state: &mut State) -> Vec<(Part, Outgoing)> {
        let mut waiting = Vec::new();
        for part in [Part::Replies, Part::Messages] {
            waiting.extend(state.part(part).drain(..).map(|message| (part, message)));
        }
        self.messages.close();
        self.replies.close();
        self.stats.meters.unqueued(waiting.len() as u32);
        waiting
    }

    /// Looks at the id that each waiting message was meant for; those for which `judge` gives an
    /// error fail with it.
    pub(crate) fn sift(&self, mut judge: impl FnMut(PeerId) -> Option<CommError>) {
        let mut refused = Vec::new();
        let mut left = Left::default();
        {
            let mut state = self.lock();
            let waiting = std::mem::take(&mut state.messages);
            for message in waiting {
                match message.expects.as_deref().copied().and_then(&mut judge) {
                    Some(error) => {
                        left.count(&message);
                        refused.push((message, error));
                    }
                    None => state.messages.push_back(message),
                }
            }
        }
        self.stats.meters.unqueued(left.messages);
        self.messages.add_permits(left.units);
        for (message, error) in refused {
            message.fail(error, &self.stats);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.fail(&CommError::PeerClosed(CloseReason::TransportEnded));
    }
}

/// What the transport asks.
struct Supply {
    link: Weak<Link>,
    handed: Arc<Handed>,
}

impl Source for Supply {
    fn room(&self) {
        if let Some(link) = self.link.upgrade() {
            link.unblock();
        }
    }

    fn written(&self, frames: usize) {
        self.handed.written(frames);
    }
}

/// A connection that takes a queue's messages.
#[derive(Debug)]
pub(crate) struct Opening(Arc<Link>);

impl Opening {
    /// Waits until the transport takes nothing more. One that does not ask for what found no room
    /// gets it here.
    pub(crate) async fn run(&self, outlet: &Outlet) {
        while let Some(size) = self.0.blocked().await {
            if outlet.room(size).await.is_err() {
                return;
            }
            self.0.unblock();
        }
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        let exit = self.0.lock().exit.take();
        if let Some(exit) = exit {
            exit.handed.fail();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Message, ProtocolConn, ProtocolLimits};

    fn message(n: u8) -> (Outgoing, oneshot::Receiver<Delivery>) {
        let (done, receipt) = oneshot::channel();
        let draft = Draft {
            code: 1,
            payload: Bytes::from(vec![n]),
            ack: None,
            done: Some(done),
        };
        (Outgoing::new(draft, None, Instant::now()), receipt)
    }

    #[tokio::test]
    async fn what_finds_no_room_is_handed_over_later_in_order() {
        let limits = ProtocolLimits::default().with_queue_messages(2);
        let (near, mut far) = ProtocolConn::<Message>::pair_with(limits);
        let (sender, _receiver) = near.split();
        let outlet = sender.into_outlet();
        let link = Link::new(&Config::default(), &Arc::default());
        let mut receipts = Vec::new();
        for n in 0..5 {
            let (message, receipt) = message(n);
            link.try_push(Part::Messages, message).expect("room");
            receipts.push(receipt);
        }
        let opening = link.open(outlet.clone(), Arc::default());
        assert_eq!(link.len(), 3);
        let receive = async {
            for n in 0..5 {
                let received = far.recv().await.expect("raw").expect("open");
                assert_eq!(received.payload[..], [n]);
            }
        };
        tokio::select! {
            () = opening.run(&outlet) => panic!("the transport takes more"),
            () = receive => {}
        }
        for receipt in receipts {
            assert!(receipt.await.expect("told").is_sent());
        }
    }

    #[tokio::test]
    async fn a_dropped_queue_tells_its_senders() {
        let stats = Arc::default();
        let link = Link::new(&Config::default(), &stats);
        let (message, receipt) = message(0);
        link.try_push(Part::Messages, message).expect("room");
        drop(link);
        assert!(matches!(receipt.await, Ok(Delivery::Failed(_))));
        assert_eq!(stats.snapshot().failed_closed, 1);
    }
}
