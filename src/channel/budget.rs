//! Memory accounting: what one peer may hold, and what all peers of a node may hold together.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio_util::sync::CancellationToken;

use crate::mutex::Mutex;
use crate::settings::{TooSmall, settings};
use crate::spare::Spare;

/// What a message counts beside its payload, in bytes: its place in a queue, so that small ones are
/// not free.
pub(crate) const MESSAGE_COST: usize = 64;

/// Bytes that each peer holds without charging the node's budget.
const FREE_PER_PEER: usize = 32 << 10;

settings! {
    /// Bounds on the memory that received data may take, and data that waits to be sent.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    #[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
    pub struct MemoryLimits {
        /// What one peer's read buffer and undelivered messages may take together, in bytes, and what
        /// waits to be sent to it may take too; at least and by default 32 MiB.
        #[serde(with = "crate::units::size")]
        per_peer / with_per_peer: usize = Self::MIN;
        /// What all peers may take together beyond 32 KiB each, in bytes, in both directions; at least
        /// 32 MiB, by default 512 MiB. When it is used up, the peer ends that holds most, if that is
        /// more than its fair share: this limit divided by the number of peers.
        #[serde(with = "crate::units::size")]
        per_node / with_per_node: usize = 512 << 20;
    }
}

impl MemoryLimits {
    /// The least that works, in bytes: one maximal message on the wire and decompressed.
    pub const MIN: usize = 32 << 20;

    fn check(&self) -> Result<(), TooSmall> {
        TooSmall::check("memory.per_peer", self.per_peer, Self::MIN)?;
        TooSmall::check("memory.per_node", self.per_node, Self::MIN)
    }
}

/// The memory budget that all peers of a node share, and the memory that large payloads leave for
/// the next ones. Cloning shares it.
#[derive(Debug, Clone)]
pub struct NodeBudget(Arc<NodeShared>);

#[derive(Debug)]
struct NodeShared {
    limits: MemoryLimits,
    used: AtomicUsize,
    freed: Notify,
    next_peer: AtomicU64,
    peers: Mutex<HashMap<u64, Weak<PeerBudget>>>,
    spare: Arc<Spare>,
}

impl Default for NodeBudget {
    fn default() -> Self {
        Self::within(MemoryLimits::default())
    }
}

impl NodeBudget {
    /// A budget with these limits.
    ///
    /// # Errors
    /// [`TooSmall`] if one is below [`MemoryLimits::MIN`].
    pub fn new(limits: MemoryLimits) -> Result<Self, TooSmall> {
        limits.check()?;
        Ok(Self::within(limits))
    }

    fn within(limits: MemoryLimits) -> Self {
        Self(Arc::new(NodeShared {
            limits,
            used: AtomicUsize::new(0),
            freed: Notify::new(),
            next_peer: AtomicU64::new(0),
            peers: Mutex::default(),
            spare: Arc::default(),
        }))
    }

    /// The limits it was made with.
    #[must_use]
    pub fn limits(&self) -> MemoryLimits {
        self.0.limits
    }

    /// What all peers hold now beyond their free part, in bytes.
    #[must_use]
    pub fn used(&self) -> usize {
        self.0.used.load(Ordering::Acquire)
    }

    /// The memory of payloads that were written.
    pub(crate) fn spare(&self) -> Arc<Spare> {
        Arc::clone(&self.0.spare)
    }

    /// Opens an account for one more peer, which [ends](PeerBudget::end) with it.
    pub(crate) fn open(&self) -> Arc<PeerBudget> {
        let id = self.0.next_peer.fetch_add(1, Ordering::Relaxed);
        let peer = Arc::new(PeerBudget {
            id,
            node: self.clone(),
            held: Mutex::default(),
            freed: Notify::new(),
            evicted: CancellationToken::new(),
            ended: AtomicBool::new(false),
        });
        self.0.peers.lock().insert(id, Arc::downgrade(&peer));
        peer
    }

    fn try_charge(&self, bytes: usize) -> bool {
        bytes == 0
            || self
                .0
                .used
                .fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| {
                    used.checked_add(bytes)
                        .filter(|&sum| sum <= self.0.limits.per_node)
                })
                .is_ok()
    }

    fn release(&self, bytes: usize) {
        if bytes > 0 {
            self.0.used.fetch_sub(bytes, Ordering::AcqRel);
            self.0.freed.notify_waiters();
        }
    }

    /// Ends the peer that holds most, if that is more than its fair share; one at a time, since its
    /// memory is free only when it has ended.
    fn make_room(&self) {
        // The last handle on an account must not be dropped under the lock.
        let peers: Vec<_> = self.0.peers.lock().values().cloned().collect();
        let peers: Vec<_> = peers.iter().filter_map(Weak::upgrade).collect();
        let share = self.0.limits.per_node / peers.len().max(1);
        if peers.iter().any(|peer| peer.is_going()) {
            return;
        }
        let living = peers.iter().filter(|peer| !peer.evicted.is_cancelled());
        let held = living.map(|peer| (peer.held.lock().beyond_free(), peer));
        let largest = held.max_by_key(|(held, _)| *held);
        if let Some((_, peer)) = largest.filter(|(held, _)| *held > share) {
            peer.evicted.cancel();
        }
    }
}

/// Which budget has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OverBudget {
    Peer,
    Node,
}

/// One peer's part of the node's budget.
#[derive(Debug)]
pub(crate) struct PeerBudget {
    id: u64,
    node: NodeBudget,
    held: Mutex<Held>,
    /// Wakes the read loop.
    freed: Notify,
    evicted: CancellationToken,
    /// Whether nothing of the peer runs any more.
    ended: AtomicBool,
}

/// What a peer holds, in bytes.
#[derive(Debug, Clone, Copy, Default)]
struct Held {
    received: usize,
    to_send: usize,
    sealing: usize,
}

impl Held {
    fn sum(self) -> usize {
        let messages = self.received.saturating_add(self.to_send);
        messages.saturating_add(self.sealing)
    }

    /// What counts for the node.
    fn beyond_free(self) -> usize {
        self.sum().saturating_sub(FREE_PER_PEER)
    }
}

impl PeerBudget {
    /// Charges `bytes` of received data, or says which budget has no room for them.
    pub(crate) fn try_charge(&self, bytes: usize) -> Result<(), OverBudget> {
        self.try_add(|held| &mut held.received, bytes)
    }

    /// Charges `bytes` that wait to be sent, in the same way.
    pub(crate) fn try_charge_to_send(&self, bytes: usize) -> Result<(), OverBudget> {
        self.try_add(|held| &mut held.to_send, bytes)
    }

    /// Charges `bytes` that wait to be sent and are there already, whatever room there is.
    pub(crate) fn charge_to_send(&self, bytes: usize) {
        self.change(|held| held.to_send = held.to_send.saturating_add(bytes));
    }

    /// Charges the memory that sealing takes now, in place of what it took before, whatever room there
    /// is. It counts for the node alone: one message at a time is sealed.
    pub(crate) fn set_sealing(&self, bytes: usize) {
        self.change(|held| held.sealing = bytes);
    }

    fn try_add(
        &self,
        part: impl FnOnce(&mut Held) -> &mut usize,
        bytes: usize,
    ) -> Result<(), OverBudget> {
        let mut held = self.held.lock();
        let mut sum = *held;
        let part = part(&mut sum);
        *part = part.saturating_add(bytes);
        if *part > self.node.0.limits.per_peer {
            return Err(OverBudget::Peer);
        }
        if !self.node.try_charge(sum.beyond_free() - held.beyond_free()) {
            return Err(OverBudget::Node);
        }
        *held = sum;
        Ok(())
    }

    /// Gives `bytes` of received data back.
    pub(crate) fn release(&self, bytes: usize) {
        self.change(|held| held.received = held.received.saturating_sub(bytes));
        self.freed.notify_one();
    }

    /// Gives `bytes` back that were sent, or will not be.
    pub(crate) fn release_to_send(&self, bytes: usize) {
        self.change(|held| held.to_send = held.to_send.saturating_sub(bytes));
        // Senders of this peer may have waited for its own bound.
        self.node.0.freed.notify_waiters();
    }

    /// Changes what the peer holds, and what the node counts of it.
    fn change(&self, change: impl FnOnce(&mut Held)) {
        let mut held = self.held.lock();
        let before = held.beyond_free();
        change(&mut held);
        let now = held.beyond_free();
        if now > before {
            self.node.0.used.fetch_add(now - before, Ordering::AcqRel);
        } else {
            self.node.release(before - now);
        }
    }

    /// Whether less than half of the node's budget is in use.
    pub(crate) fn is_plentiful(&self) -> bool {
        self.node.used() < self.node.0.limits.per_node / 2
    }

    /// What the peer holds now in both directions, in bytes.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn held(&self) -> usize {
        self.held.lock().sum()
    }

    /// The memory of payloads that were written.
    pub(crate) fn spare(&self) -> Arc<Spare> {
        self.node.spare()
    }

    /// Repeats `attempt` until it succeeds, after each release in between. Only the peer's read
    /// loop waits here, so one waiter is woken at a time. Cancel safe.
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
                // Either means to look again.
                biased;
                () = self.freed.notified() => {}
                () = node_freed => {}
            }
        }
    }

    /// Completes when a message may find room that finds none now. Enable it before looking, so that
    /// nothing which is released in between is missed.
    pub(crate) fn room_to_send(&self) -> Notified<'_> {
        self.node.0.freed.notified()
    }

    /// Makes room for a message that found none, where others are to blame.
    pub(crate) fn make_room(&self, over: OverBudget) {
        if over == OverBudget::Node {
            self.node.make_room();
        }
    }

    /// Wakes a waiting [`when_freed`](Self::when_freed) to look again.
    pub(crate) fn nudge(&self) {
        self.freed.notify_one();
    }

    /// Completes when the peer must end to make room for others. Cancel safe.
    pub(crate) async fn evicted(&self) {
        self.evicted.cancelled().await;
    }

    /// Nothing of the peer runs any more; what it holds now is in the hands of users.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        // Others may wait for its memory.
        self.node.0.freed.notify_waiters();
    }

    /// Whether the peer ends for others, and has not ended.
    fn is_going(&self) -> bool {
        self.evicted.is_cancelled() && !self.ended.load(Ordering::Acquire)
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
        let rest = self.held.lock().beyond_free();
        self.node.release(rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_bounded_and_its_first_part_is_free() {
        let node = NodeBudget::default();
        let peer = node.open();
        assert_eq!(peer.try_charge(FREE_PER_PEER), Ok(()));
        assert_eq!(node.used(), 0);
        assert_eq!(peer.try_charge(100), Ok(()));
        assert_eq!(node.used(), 100);
        assert_eq!(peer.try_charge(MemoryLimits::MIN), Err(OverBudget::Peer));
        peer.release(200);
        assert_eq!((node.used(), peer.held()), (0, FREE_PER_PEER - 100));
    }

    #[test]
    fn the_node_is_bounded_and_a_dropped_peer_gives_all_back() {
        let limits = MemoryLimits::default().with_per_node(MemoryLimits::MIN);
        let node = NodeBudget::within(limits);
        let (first, second) = (node.open(), node.open());
        assert_eq!(first.try_charge(MemoryLimits::MIN), Ok(()));
        assert_eq!(second.try_charge(FREE_PER_PEER), Ok(()));
        assert_eq!(second.try_charge(FREE_PER_PEER + 1), Err(OverBudget::Node));
        drop(first);
        assert_eq!(node.used(), 0);
        assert_eq!(second.try_charge(FREE_PER_PEER + 1), Ok(()));
    }

    fn small() -> NodeBudget {
        NodeBudget::within(MemoryLimits::default().with_per_node(MemoryLimits::MIN))
    }

    /// Whether `peer` must end for a charge of 8 MiB that finds no room.
    async fn ends(peer: &PeerBudget, wants: &PeerBudget) {
        tokio::select! {
            // The wait is what ends it.
            biased;
            () = wants.when_freed(|| wants.try_charge(8 << 20)) => panic!("no room yet"),
            () = peer.evicted() => {}
        }
    }

    #[tokio::test(start_paused = true)]
    async fn under_pressure_who_holds_most_ends_first_whatever_it_holds() {
        let node = small();
        let (complete, sending, third) = (node.open(), node.open(), node.open());
        complete.try_charge(10 << 20).expect("fits");
        complete.charge_to_send(2 << 20);
        sending.try_charge_to_send(20 << 20).expect("fits");
        ends(&sending, &third).await;
        let wait = third.when_freed(|| third.try_charge(22 << 20));
        tokio::select! {
            // The wait, which must not end anybody.
            biased;
            () = wait => panic!("no room yet"),
            () = complete.evicted() => panic!("another one is ending"),
            () = tokio::task::yield_now() => {}
        }
        sending.end();
        // A user keeps what it was given.
        ends(&complete, &third).await;
        drop((sending, complete));
        third.when_freed(|| third.try_charge(22 << 20)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_ends_who_holds_its_fair_share() {
        let node = small();
        let peers: Vec<_> = (0..4).map(|_| node.open()).collect();
        for peer in &peers {
            peer.try_charge((8 << 20) + FREE_PER_PEER - 1)
                .expect("fits");
        }
        let last = &peers[3];
        let none = tokio::time::timeout(
            std::time::Duration::from_secs(9),
            last.when_freed(|| last.try_charge_to_send(FREE_PER_PEER)),
        );
        assert!(none.await.is_err());
        assert!(peers.iter().all(|peer| !peer.evicted.is_cancelled()));
    }

    #[test]
    fn each_direction_has_a_bound_of_its_own() {
        let peer = NodeBudget::default().open();
        assert_eq!(peer.try_charge(MemoryLimits::MIN), Ok(()));
        assert_eq!(peer.try_charge_to_send(MemoryLimits::MIN), Ok(()));
        assert_eq!(peer.try_charge_to_send(1), Err(OverBudget::Peer));
        peer.release(MemoryLimits::MIN);
        assert_eq!(peer.try_charge_to_send(1), Err(OverBudget::Peer));
        peer.release_to_send(MemoryLimits::MIN);
        assert_eq!(peer.held(), 0);
    }

    /// Memory that a large message has left for the next one must not keep that one out.
    #[test]
    fn memory_for_sealing_counts_for_the_node_alone() {
        let node = NodeBudget::default();
        let peer = node.open();
        peer.set_sealing(20 << 20);
        assert_eq!(node.used(), (20 << 20) - FREE_PER_PEER);
        assert_eq!(peer.try_charge_to_send(MemoryLimits::MIN), Ok(()));
        peer.release_to_send(MemoryLimits::MIN);
        peer.set_sealing(0);
        assert_eq!((node.used(), peer.held()), (0, 0));
    }
}
