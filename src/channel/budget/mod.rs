//! Memory accounting for each peer, and for all peers of a node together.

mod peer;
mod queue;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use tokio::sync::Notify;

use crate::mutex::Mutex;
use crate::settings::{TooSmall, settings};
use crate::spare::Spare;
pub(crate) use peer::{EndAccount, OverBudget, PeerBudget};
pub(crate) use queue::QueueCharge;

/// The cost of a message in addition to its payload, in bytes.
///
/// This cost covers the slot in a queue, so small messages are not free.
pub(crate) const MESSAGE_COST: usize = 64;

/// The free allowance: bytes that each peer holds without a charge to the node's budget.
const FREE_PER_PEER: usize = 32 << 10;

settings! {
    /// Bounds on the memory of received data, and of data that waits to be sent.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    #[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
    pub struct MemoryLimits {
        /// How much one peer may hold in each direction, in bytes.
        ///
        /// The receiving direction covers the read buffer and undelivered messages; the sending
        /// direction covers data that waits to be sent. Minimum and default: 32 MiB.
        #[serde(with = "crate::units::size")]
        per_peer / with_per_peer: usize = Self::MIN;
        /// How much all peers together may hold, in bytes.
        ///
        /// Both directions count, but not the first 32 KiB of each peer. Minimum: 32 MiB; default:
        /// 512 MiB. When this limit is reached, the peer that holds the most memory is
        /// disconnected, if it holds more than its fair share. The fair share is this limit divided
        /// by the number of peers.
        #[serde(with = "crate::units::size")]
        per_node / with_per_node: usize = 512 << 20;
    }
}

impl MemoryLimits {
    /// The minimum of both limits, in bytes.
    ///
    /// This is enough for one message of maximum size, both compressed and decompressed.
    pub const MIN: usize = 32 << 20;

    pub(crate) fn check(&self) -> Result<(), TooSmall> {
        TooSmall::check("memory.per_peer", self.per_peer, Self::MIN)?;
        TooSmall::check("memory.per_node", self.per_node, Self::MIN)
    }
}

/// The memory budget that all peers of a node share; clones share it too.
///
/// The budget also keeps the buffers of written payloads for reuse.
#[derive(Debug, Clone)]
pub struct NodeBudget(Arc<NodeShared>);

#[derive(Debug)]
struct NodeShared {
    per_peer: AtomicUsize,
    per_node: AtomicUsize,
    used: AtomicUsize,
    freed: Notify,
    /// How often the memory of peers, or the set of peers, has changed.
    changes: AtomicU64,
    /// The value of `changes` when `make_room` last scanned the peers.
    looked: AtomicU64,
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
    /// Creates a budget with these limits.
    ///
    /// # Errors
    /// [`TooSmall`] if a limit is below [`MemoryLimits::MIN`].
    pub fn new(limits: MemoryLimits) -> Result<Self, TooSmall> {
        limits.check()?;
        Ok(Self::within(limits))
    }

    fn within(limits: MemoryLimits) -> Self {
        Self(Arc::new(NodeShared {
            per_peer: AtomicUsize::new(limits.per_peer),
            per_node: AtomicUsize::new(limits.per_node),
            used: AtomicUsize::new(0),
            freed: Notify::new(),
            changes: AtomicU64::new(0),
            looked: AtomicU64::new(u64::MAX),
            next_peer: AtomicU64::new(0),
            peers: Mutex::default(),
            spare: Arc::default(),
        }))
    }

    /// The limits.
    #[must_use]
    pub fn limits(&self) -> MemoryLimits {
        MemoryLimits {
            per_peer: self.per_peer(),
            per_node: self.per_node(),
        }
    }

    /// Changes the limits from now on.
    ///
    /// Memory held beyond the new limits stays until it is released. If data waits for room in the
    /// node's budget, and the peer that holds the most holds more than its fair share, that peer is
    /// disconnected.
    ///
    /// # Errors
    /// [`TooSmall`] if a limit is below [`MemoryLimits::MIN`]; nothing changes then.
    pub fn set_limits(&self, limits: MemoryLimits) -> Result<(), TooSmall> {
        limits.check()?;
        self.0.per_peer.store(limits.per_peer, Ordering::Relaxed);
        self.0.per_node.store(limits.per_node, Ordering::Relaxed);
        // With the new limits, a peer may hold more than its fair share, or there may be room.
        self.changed();
        self.0.freed.notify_waiters();
        Ok(())
    }

    fn per_peer(&self) -> usize {
        self.0.per_peer.load(Ordering::Relaxed)
    }

    fn per_node(&self) -> usize {
        self.0.per_node.load(Ordering::Relaxed)
    }

    /// The bytes that all peers hold now beyond their free allowances.
    #[must_use]
    pub fn used(&self) -> usize {
        self.0.used.load(Ordering::Acquire)
    }

    /// The bytes that the peer with the most memory holds, including its free allowance.
    #[cfg(feature = "metrics")]
    pub(crate) fn largest(&self) -> usize {
        // Upgrade the handles after the lock is released: dropping an account's last handle takes
        // the lock.
        let peers: Vec<_> = self.0.peers.lock().values().cloned().collect();
        let peers = peers.iter().filter_map(Weak::upgrade);
        peers.map(|peer| peer.held()).max().unwrap_or_default()
    }

    /// Buffers of written payloads, kept for reuse.
    pub(crate) fn spare(&self) -> &Arc<Spare> {
        &self.0.spare
    }

    /// Opens an account for another peer. [`PeerBudget::end`] must be called when the peer ends.
    pub(crate) fn open(&self) -> Arc<PeerBudget> {
        let id = self.0.next_peer.fetch_add(1, Ordering::Relaxed);
        let peer = Arc::new(PeerBudget::new(id, self.clone()));
        self.0.peers.lock().insert(id, Arc::downgrade(&peer));
        self.changed();
        peer
    }

    fn changed(&self) {
        self.0.changes.fetch_add(1, Ordering::AcqRel);
    }

    fn try_charge(&self, bytes: usize) -> bool {
        if bytes == 0 {
            return true;
        }
        let within = |used: usize| {
            used.checked_add(bytes)
                .filter(|&sum| sum <= self.per_node())
        };
        let charged = self
            .0
            .used
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, within);
        if charged.is_ok() {
            self.changed();
        }
        charged.is_ok()
    }

    /// Charges `bytes` that are already held, whether or not there is room.
    fn charge(&self, bytes: usize) {
        if bytes > 0 {
            self.0.used.fetch_add(bytes, Ordering::AcqRel);
            self.changed();
        }
    }

    fn has_room(&self, bytes: usize) -> bool {
        let sum = self.used().saturating_add(bytes);
        bytes == 0 || sum <= self.per_node()
    }

    /// Charges the node for `bytes` that several peers share, if there is room.
    pub(crate) fn charge_shared(&self, bytes: usize) -> Option<SharedCharge> {
        self.try_charge(bytes).then(|| SharedCharge {
            node: self.clone(),
            bytes,
        })
    }

    fn release(&self, bytes: usize) {
        if bytes > 0 {
            self.0.used.fetch_sub(bytes, Ordering::AcqRel);
            self.changed();
            self.0.freed.notify_waiters();
        }
    }

    /// Disconnects the peer that holds the most, if it holds more than its fair share.
    ///
    /// Only one peer at a time is disconnected, since the memory of a disconnected peer is released
    /// only when its tasks have ended. All callers that wait for room call this after each release,
    /// but only the first call scans the peers: with a thousand peers, a scan by each caller would
    /// take longer than all other work of the node.
    fn make_room(&self) {
        let changes = self.0.changes.load(Ordering::Acquire);
        if self.0.looked.swap(changes, Ordering::AcqRel) == changes {
            return;
        }
        // Upgrade the handles after the lock is released: dropping an account's last handle takes
        // the lock.
        let peers: Vec<_> = self.0.peers.lock().values().cloned().collect();
        let peers: Vec<_> = peers.iter().filter_map(Weak::upgrade).collect();
        let share = self.per_node() / peers.len().max(1);
        if peers.iter().any(|peer| peer.is_going()) {
            return;
        }
        // Evicting a peer that has already ended would free nothing.
        let living = peers.iter().filter(|peer| peer.is_living());
        let held = living.map(|peer| (peer.in_the_way(), peer));
        let largest = held.max_by_key(|(held, _)| *held);
        if let Some((_, peer)) = largest.filter(|(held, _)| *held > share) {
            peer.evict();
        }
    }
}

/// A charge for bytes that several peers share, so the node counts them once.
///
/// The charge is released on drop.
#[derive(Debug)]
pub(crate) struct SharedCharge {
    node: NodeBudget,
    bytes: usize,
}

impl Drop for SharedCharge {
    fn drop(&mut self) {
        self.node.release(self.bytes);
    }
}
