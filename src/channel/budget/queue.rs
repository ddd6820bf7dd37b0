//! Charges the memory of queues in front of a lane.

use std::sync::Arc;

use tokio::sync::futures::Notified;

use super::{NodeBudget, OverBudget, PeerBudget};

/// The account to which waiting messages are charged.
#[derive(Debug, Clone)]
pub(crate) enum Holder {
    /// The node alone, while there is no connection.
    Node(NodeBudget),
    /// A peer's account, which in turn charges the node.
    Peer(Arc<PeerBudget>),
}

impl Holder {
    fn try_charge(&self, bytes: usize) -> Result<(), OverBudget> {
        match self {
            Self::Node(node) => {
                let charged = node.try_charge(bytes);
                charged.then_some(()).ok_or(OverBudget::Node)
            }
            Self::Peer(peer) => peer.try_charge_to_send(bytes, 0),
        }
    }

    fn charge(&self, bytes: usize) {
        match self {
            Self::Node(node) => node.charge(bytes),
            Self::Peer(peer) => peer.charge_to_send(bytes),
        }
    }

    fn release(&self, bytes: usize) {
        match self {
            Self::Node(node) => node.release(bytes),
            Self::Peer(peer) => peer.release_to_send(bytes, 0),
        }
    }

    fn node(&self) -> &NodeBudget {
        match self {
            Self::Node(node) => node,
            Self::Peer(peer) => peer.node(),
        }
    }

    /// Like [`PeerBudget::room_to_send`].
    pub(crate) fn room(&self) -> [Notified<'_>; 2] {
        match self {
            Self::Node(node) => [node.0.freed.notified(), node.0.freed.notified()],
            Self::Peer(peer) => peer.room_to_send(),
        }
    }

    /// Like [`PeerBudget::make_room`].
    pub(crate) fn make_room(&self, over: OverBudget) {
        if over == OverBudget::Node {
            self.node().make_room();
        }
    }
}

/// The charge for a queue in front of a lane, in bytes; released on drop.
///
/// The memory is charged to the node, and once there is a connection, also to the peer.
#[derive(Debug)]
pub(crate) struct QueueCharge {
    holder: Holder,
    bytes: usize,
}

impl QueueCharge {
    pub(crate) fn new(node: NodeBudget) -> Self {
        Self {
            holder: Holder::Node(node),
            bytes: 0,
        }
    }

    /// The account to which the memory is charged.
    pub(crate) fn holder(&self) -> &Holder {
        &self.holder
    }

    /// Charges `bytes`, or returns which budget has no room.
    pub(crate) fn try_add(&mut self, bytes: usize) -> Result<(), OverBudget> {
        self.holder.try_charge(bytes)?;
        self.bytes = self.bytes.saturating_add(bytes);
        Ok(())
    }

    /// Charges `bytes` that are already held, whether or not there is room.
    pub(crate) fn add(&mut self, bytes: usize) {
        self.holder.charge(bytes);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Releases `bytes`.
    pub(crate) fn remove(&mut self, bytes: usize) {
        if bytes > 0 {
            self.bytes = self.bytes.saturating_sub(bytes);
            self.holder.release(bytes);
        }
    }

    /// Hands the charge for `bytes` over to the peer's lane, which will release it.
    pub(crate) fn hand_over(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Whether there is room for `bytes`.
    pub(crate) fn check(&self, bytes: usize) -> Result<(), OverBudget> {
        match &self.holder {
            Holder::Node(node) if node.has_room(bytes) => Ok(()),
            Holder::Node(_) => Err(OverBudget::Node),
            Holder::Peer(peer) => peer.check_to_send(bytes, 0),
        }
    }

    /// Charges the peer of a new connection from now on, also for messages already queued.
    pub(crate) fn connect(&mut self, peer: &Arc<PeerBudget>) {
        self.switch(Holder::Peer(Arc::clone(peer)));
    }

    /// Charges the node alone again, since the connection has ended.
    pub(crate) fn disconnect(&mut self) {
        let node = self.holder.node().clone();
        self.switch(Holder::Node(node));
    }

    fn switch(&mut self, to: Holder) {
        // Charge the new account before the old one is released, so that no other caller takes the
        // room in between.
        to.charge(self.bytes);
        let from = std::mem::replace(&mut self.holder, to);
        from.release(self.bytes);
    }
}

impl Drop for QueueCharge {
    fn drop(&mut self) {
        self.holder.release(self.bytes);
    }
}
