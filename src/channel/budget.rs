//! Memory accounting: what one peer may hold, and what all peers of a node may hold together.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::mutex::Mutex;
use crate::settings::{TooSmall, settings};
use crate::spare::Spare;

/// Bytes that each peer holds without charging the node's budget.
const FREE_PER_PEER: usize = 64 << 10;

settings! {
    /// Bounds on the memory that received data may take.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    #[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
    pub struct MemoryLimits {
        /// What one peer's read buffer and undelivered messages may take together, in bytes; at
        /// least and by default 32 MiB.
        #[serde(with = "crate::units::size")]
        per_peer / with_per_peer: usize = Self::MIN;
        /// What all peers may take together beyond 64 KiB each, in bytes; at least 32 MiB, by
        /// default 512 MiB.
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
    /// The peers that are in the middle of a large message: its bytes so far, and how to end it.
    incomplete: Mutex<HashMap<u64, (usize, CancellationToken)>>,
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
            incomplete: Mutex::default(),
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

    /// Opens an account for one more peer.
    pub(crate) fn open(&self) -> Arc<PeerBudget> {
        Arc::new(PeerBudget {
            id: self.0.next_peer.fetch_add(1, Ordering::Relaxed),
            node: self.clone(),
            used: Mutex::new(0),
            freed: Notify::new(),
            evicted: CancellationToken::new(),
        })
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

    /// Ends the peer that is in the middle of the largest message, to make room.
    fn evict_largest(&self) {
        let mut incomplete = self.0.incomplete.lock();
        let largest = incomplete
            .iter()
            .max_by_key(|(_, (bytes, _))| *bytes)
            .map(|(&id, _)| id);
        if let Some((_, token)) = largest.and_then(|id| incomplete.remove(&id)) {
            token.cancel();
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
    used: Mutex<usize>,
    freed: Notify,
    evicted: CancellationToken,
}

impl PeerBudget {
    /// Charges `bytes`, or says which budget has no room for them.
    pub(crate) fn try_charge(&self, bytes: usize) -> Result<(), OverBudget> {
        let mut used = self.used.lock();
        let sum = used.saturating_add(bytes);
        if sum > self.node.0.limits.per_peer {
            return Err(OverBudget::Peer);
        }
        if !self.node.try_charge(beyond_free(sum) - beyond_free(*used)) {
            return Err(OverBudget::Node);
        }
        *used = sum;
        Ok(())
    }

    /// Gives `bytes` back.
    pub(crate) fn release(&self, bytes: usize) {
        {
            let mut used = self.used.lock();
            let rest = used.saturating_sub(bytes);
            self.node.release(beyond_free(*used) - beyond_free(rest));
            *used = rest;
        }
        self.freed.notify_one();
    }

    /// Whether less than half of the node's budget is in use.
    pub(crate) fn is_plentiful(&self) -> bool {
        self.node.used() < self.node.0.limits.per_node / 2
    }

    /// What the peer holds now, in bytes.
    pub(crate) fn used(&self) -> usize {
        *self.used.lock()
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
            let over = match attempt() {
                Ok(value) => return value,
                Err(over) => over,
            };
            if over == OverBudget::Node {
                self.node.evict_largest();
            }
            tokio::select! {
                // Either means to look again.
                biased;
                () = self.freed.notified() => {}
                () = node_freed => {}
            }
        }
    }

    /// Wakes a waiting [`when_freed`](Self::when_freed) to look again.
    pub(crate) fn nudge(&self) {
        self.freed.notify_one();
    }

    /// Tells the node how many bytes of an incomplete message the peer holds.
    pub(crate) fn note_incomplete(&self, bytes: usize) {
        let mut incomplete = self.node.0.incomplete.lock();
        if bytes > FREE_PER_PEER {
            incomplete.insert(self.id, (bytes, self.evicted.clone()));
        } else {
            incomplete.remove(&self.id);
        }
    }

    /// Completes when the peer must end to make room for others.
    pub(crate) async fn evicted(&self) {
        self.evicted.cancelled().await;
    }
}

impl Drop for PeerBudget {
    fn drop(&mut self) {
        self.note_incomplete(0);
        let rest = self.used();
        self.node.release(beyond_free(rest));
    }
}

fn beyond_free(bytes: usize) -> usize {
    bytes.saturating_sub(FREE_PER_PEER)
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
        assert_eq!((node.used(), peer.used()), (0, FREE_PER_PEER - 100));
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

    #[tokio::test(start_paused = true)]
    async fn under_pressure_the_largest_incomplete_message_ends_first() {
        let node = NodeBudget::within(MemoryLimits::default().with_per_node(MemoryLimits::MIN));
        let (large, small, third) = (node.open(), node.open(), node.open());
        large.try_charge(20 << 20).expect("fits");
        large.note_incomplete(20 << 20);
        small.try_charge(10 << 20).expect("fits");
        small.note_incomplete(10 << 20);
        let wait = third.when_freed(|| third.try_charge(8 << 20));
        tokio::select! {
            // The wait is what evicts.
            biased;
            () = wait => panic!("no room yet"),
            () = large.evicted() => {}
        }
        assert!(!small.evicted.is_cancelled());
        drop(large);
        third.when_freed(|| third.try_charge(8 << 20)).await;
    }
}
