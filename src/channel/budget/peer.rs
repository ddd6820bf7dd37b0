//! The account of one peer in its node's budget.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio_util::sync::CancellationToken;

use super::{FREE_PER_PEER, NodeBudget};
use crate::mutex::Mutex;
use crate::spare::Spare;

/// Which budget has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OverBudget {
    Peer,
    Node,
}

/// The account of one peer in its node's budget.
#[derive(Debug)]
pub(crate) struct PeerBudget {
    id: u64,
    node: NodeBudget,
    held: Mutex<Held>,
    /// Wakes the read loop when it may find room.
    freed: Notify,
    /// Wakes the peer's own senders when they may find room.
    sent: Notify,
    evicted: CancellationToken,
    /// Whether all of the peer's tasks have ended.
    ended: AtomicBool,
}

/// The memory that a peer holds, in bytes.
#[derive(Debug, Clone, Copy, Default)]
struct Held {
    received: usize,
    to_send: usize,
    /// Data that waits to be sent to this and other peers. The node counts it once.
    shared: usize,
    sealing: usize,
    /// Whether a charge has been refused since the waiters were last woken.
    refused: bool,
}

impl Held {
    fn sum(self) -> usize {
        let messages = self.received.saturating_add(self.to_send);
        messages.saturating_add(self.sealing)
    }

    fn add_to_send(&mut self, bytes: usize, shared: usize) {
        self.to_send = self.to_send.saturating_add(bytes);
        self.shared = self.shared.saturating_add(shared);
    }

    /// All data that waits to be sent.
    fn waiting(self) -> usize {
        self.to_send.saturating_add(self.shared)
    }

    /// The memory that other peers cannot use because of this peer.
    fn in_the_way(self) -> usize {
        self.beyond_free().saturating_add(self.shared)
    }

    /// The memory that counts towards the node's budget.
    fn beyond_free(self) -> usize {
        self.sum().saturating_sub(FREE_PER_PEER)
    }
}

impl PeerBudget {
    pub(super) fn new(id: u64, node: NodeBudget) -> Self {
        Self {
            id,
            node,
            held: Mutex::default(),
            freed: Notify::new(),
            sent: Notify::new(),
            evicted: CancellationToken::new(),
            ended: AtomicBool::new(false),
        }
    }

    /// Charges `bytes` of received data, or returns which budget has no room.
    pub(crate) fn try_charge(&self, bytes: usize) -> Result<(), OverBudget> {
        self.try_add(|held| held.received = held.received.saturating_add(bytes))
    }

    /// Charges `bytes` that wait to be sent, and charges `shared` bytes to the peer alone.
    ///
    /// The node counts the shared bytes once for all peers that share them.
    pub(crate) fn try_charge_to_send(&self, bytes: usize, shared: usize) -> Result<(), OverBudget> {
        self.try_add(|held| held.add_to_send(bytes, shared))
    }

    /// Charges `bytes` of data that waits to be sent, even if there is no room.
    pub(crate) fn charge_to_send(&self, bytes: usize) {
        self.change(|held| held.to_send = held.to_send.saturating_add(bytes));
    }

    /// Replaces the charge for the memory that sealing uses, whether or not there is room.
    ///
    /// This memory counts towards the node's budget, but not towards the peer's own bound, since
    /// only one message at a time is sealed.
    pub(crate) fn set_sealing(&self, bytes: usize) {
        self.change(|held| held.sealing = bytes);
    }

    /// Whether [`try_charge_to_send`](Self::try_charge_to_send) would find room. Charges nothing.
    pub(crate) fn check_to_send(&self, bytes: usize, shared: usize) -> Result<(), OverBudget> {
        let mut held = self.held.lock();
        let mut sum = *held;
        sum.add_to_send(bytes, shared);
        let more = self.uncounted(*held, sum);
        let room = more.and_then(|more| {
            let has_room = self.node.has_room(more);
            has_room.then_some(()).ok_or(OverBudget::Node)
        });
        held.refused |= room.is_err();
        room
    }

    fn try_add(&self, add: impl FnOnce(&mut Held)) -> Result<(), OverBudget> {
        let mut held = self.held.lock();
        let mut sum = *held;
        add(&mut sum);
        let more = self.uncounted(*held, sum);
        let added = more.and_then(|more| {
            let charged = self.node.try_charge(more);
            charged.then_some(()).ok_or(OverBudget::Node)
        });
        if added.is_err() {
            held.refused = true;
            return added;
        }
        if sum.shared != held.shared {
            // The node's count does not change, but this peer may now be the largest holder.
            self.node.changed();
        }
        *held = sum;
        Ok(())
    }

    /// How many more bytes the node counts when the peer goes from `held` to `sum`.
    ///
    /// Fails if `sum` exceeds the peer's own bound. Only a direction that grows is checked, so data
    /// that waits to be sent never stops reading, and received data never stops sending.
    fn uncounted(&self, held: Held, sum: Held) -> Result<usize, OverBudget> {
        let most = self.node.per_peer();
        let exceeds = |before: usize, now: usize| now > before && now > most;
        if exceeds(held.received, sum.received) || exceeds(held.waiting(), sum.waiting()) {
            return Err(OverBudget::Peer);
        }
        Ok(sum.beyond_free().saturating_sub(held.beyond_free()))
    }

    /// Releases `bytes` of received data.
    pub(crate) fn release(&self, bytes: usize) {
        self.change(|held| held.received = held.received.saturating_sub(bytes));
        // The read loop may be waiting for room in a protocol's queue.
        self.freed.notify_one();
    }

    /// Releases `bytes` and `shared` bytes that were charged for data to send.
    pub(crate) fn release_to_send(&self, bytes: usize, shared: usize) {
        self.change(|held| {
            held.to_send = held.to_send.saturating_sub(bytes);
            held.shared = held.shared.saturating_sub(shared);
        });
    }

    /// Changes the memory that the peer holds, and the node's count of it.
    ///
    /// If the peer now holds less and a charge was refused before, its read loop and senders are
    /// woken, because their data may now fit into the peer's own bound or its free allowance. Other
    /// peers are woken only if the node's budget has more room.
    fn change(&self, change: impl FnOnce(&mut Held)) {
        let mut held = self.held.lock();
        let before = *held;
        change(&mut held);
        let (was, now) = (before.beyond_free(), held.beyond_free());
        if now > was {
            self.node.0.used.fetch_add(now - was, Ordering::AcqRel);
            self.node.changed();
        } else {
            self.node.release(was - now);
        }
        let total = |held: Held| held.sum().saturating_add(held.shared);
        // No waiter misses this: each registers for the notification before it looks for room, and
        // looks under this same lock.
        if total(*held) < total(before) && std::mem::take(&mut held.refused) {
            drop(held);
            self.sent.notify_waiters();
            self.freed.notify_one();
        }
    }

    /// Whether less than half of the node's budget is in use.
    pub(crate) fn is_plentiful(&self) -> bool {
        self.node.used() < self.node.per_node() / 2
    }

    /// The bytes that the peer holds now in both directions.
    #[cfg(any(test, feature = "fuzzing", feature = "metrics"))]
    pub(crate) fn held(&self) -> usize {
        let held = self.held.lock();
        held.sum().saturating_add(held.shared)
    }

    /// Buffers of written payloads, kept for reuse.
    pub(crate) fn spare(&self) -> Arc<Spare> {
        Arc::clone(self.node.spare())
    }

    /// The node's budget, to which this account belongs.
    pub(crate) fn node(&self) -> &NodeBudget {
        &self.node
    }

    /// Repeats `attempt` after each release, until `attempt` succeeds. Cancel safe.
    ///
    /// Only the peer's read loop waits here, so it is enough to wake one waiter.
    pub(crate) async fn when_freed<T>(
        &self,
        mut attempt: impl FnMut() -> Result<T, OverBudget>,
    ) -> T {
        loop {
            let node_freed = self.node.0.freed.notified();
            tokio::pin!(node_freed);
            node_freed.as_mut().enable();
            match attempt() {
                Ok(value) => return value,
                Err(OverBudget::Node) => self.node.make_room(),
                Err(OverBudget::Peer) => {}
            }
            tokio::select! {
                // After either of these, try again.
                biased;
                () = self.freed.notified() => {}
                () = node_freed => {}
            }
        }
    }

    /// Returns the notifications after which a refused message may find room.
    ///
    /// The first notification is for the peer's own account, the second for the node's budget.
    /// Enable both before the attempt, so that no release in between is missed.
    pub(crate) fn room_to_send(&self) -> [Notified<'_>; 2] {
        [self.sent.notified(), self.node.0.freed.notified()]
    }

    /// Makes room for a message, if it was the node's budget that refused the message.
    pub(crate) fn make_room(&self, over: OverBudget) {
        if over == OverBudget::Node {
            self.node.make_room();
        }
    }

    /// Makes a waiting [`when_freed`](Self::when_freed) try again.
    pub(crate) fn nudge(&self) {
        self.freed.notify_one();
    }

    /// Completes when the peer must be disconnected to make room for others. Cancel safe.
    pub(crate) async fn evicted(&self) {
        self.evicted.cancelled().await;
    }

    /// Records that the peer's tasks have ended. Any memory that is still charged belongs to
    /// messages that users keep.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.node.changed();
        // Other peers may be waiting for this peer's memory.
        self.node.0.freed.notify_waiters();
    }

    /// Asks the peer to disconnect, to make room for others.
    pub(super) fn evict(&self) {
        self.evicted.cancel();
    }

    #[cfg(test)]
    pub(super) fn is_evicted(&self) -> bool {
        self.evicted.is_cancelled()
    }

    /// The bytes that other peers cannot use because of this peer.
    pub(super) fn in_the_way(&self) -> usize {
        self.held.lock().in_the_way()
    }

    /// Whether the peer has been evicted, but has not ended yet.
    pub(super) fn is_going(&self) -> bool {
        self.evicted.is_cancelled() && !self.ended.load(Ordering::Acquire)
    }

    /// Whether the peer has neither been evicted nor ended.
    pub(super) fn is_living(&self) -> bool {
        !self.evicted.is_cancelled() && !self.ended.load(Ordering::Acquire)
    }
}

/// Ends a peer's account when it is dropped.
#[derive(Debug)]
pub(crate) struct EndAccount(pub(crate) Arc<PeerBudget>);

impl Drop for EndAccount {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Drop for PeerBudget {
    fn drop(&mut self) {
        self.node.0.peers.lock().remove(&self.id);
        self.node.changed();
        let rest = self.held.lock().beyond_free();
        self.node.release(rest);
    }
}
