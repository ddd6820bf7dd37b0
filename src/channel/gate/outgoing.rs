//! The memory of a peer's outgoing messages, and how much of it is charged.

use std::sync::Arc;

use super::payload::Cost;
use crate::channel::{OverBudget, PeerBudget};

/// Charges change in steps of this many bytes, so small messages rarely touch the budget.
///
/// The first step is free.
const STEP: usize = 16 << 10;

/// The bytes of messages that are queued or on their way to the socket.
#[derive(Debug)]
pub(super) struct Outgoing {
    budget: Arc<PeerBudget>,
    messages: usize,
    charged: usize,
    /// The bytes of messages that are shared with other peers.
    shared: usize,
}

impl Outgoing {
    pub(super) fn new(budget: Arc<PeerBudget>) -> Self {
        Self {
            budget,
            messages: 0,
            charged: 0,
            shared: 0,
        }
    }

    /// Admits a message, if the budget has room for it.
    pub(super) fn admit(&mut self, cost: Cost) -> Result<(), OverBudget> {
        let sum = self.messages.saturating_add(cost.own);
        let more = self.uncharged(sum);
        if more > 0 || cost.shared > 0 {
            self.budget.try_charge_to_send(more, cost.shared)?;
        }
        self.charged += more;
        self.messages = sum;
        self.shared = self.shared.saturating_add(cost.shared);
        Ok(())
    }

    /// Whether the budget has room for a message.
    pub(super) fn check(&self, cost: Cost) -> Result<(), OverBudget> {
        match self.uncharged(self.messages.saturating_add(cost.own)) {
            0 if cost.shared == 0 => Ok(()),
            more => self.budget.check_to_send(more, cost.shared),
        }
    }

    /// Admits a message of `bytes` that is already charged to the peer.
    pub(super) fn take_over(&mut self, bytes: usize) {
        self.messages = self.messages.saturating_add(bytes);
        self.charged = self.charged.saturating_add(bytes);
    }

    /// Removes messages with this cost.
    pub(super) fn remove(&mut self, cost: Cost) {
        self.messages = self.messages.saturating_sub(cost.own);
        self.shared = self.shared.saturating_sub(cost.shared);
        let surplus = self.surplus();
        if surplus > 0 || cost.shared > 0 {
            self.charged -= surplus;
            self.budget.release_to_send(surplus, cost.shared);
        }
    }

    /// How much more must be charged for `messages` bytes of messages.
    fn uncharged(&self, messages: usize) -> usize {
        due(messages).saturating_sub(self.charged)
    }

    /// The part of the charge to release.
    ///
    /// While a charge is due, a surplus of up to one step stays charged, since more messages may
    /// follow.
    fn surplus(&self) -> usize {
        let due = due(self.messages);
        let keep = match due {
            0 => 0,
            due => due.saturating_add(STEP),
        };
        if self.charged > keep {
            self.charged - due
        } else {
            0
        }
    }
}

/// The charge for `messages` bytes of messages.
fn due(messages: usize) -> usize {
    let beyond = messages.saturating_sub(STEP);
    beyond.checked_next_multiple_of(STEP).unwrap_or(beyond)
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.budget.release_to_send(self.charged, self.shared);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::{MemoryLimits, NodeBudget};

    #[test]
    fn admitted_messages_are_charged_and_released() {
        let node = NodeBudget::default();
        let mut outgoing = Outgoing::new(node.open());
        let peers = node.open();
        // The peer's free allowance is used up, so every step is charged to the node.
        outgoing.budget.charge_to_send(32 << 10);
        let own = |own| Cost { own, shared: 0 };
        outgoing.admit(own(STEP)).expect("is free");
        assert_eq!(node.used(), 0);
        outgoing.admit(own(1)).expect("fits");
        assert_eq!(node.used(), STEP);
        outgoing.remove(own(STEP + 1));
        assert_eq!(node.used(), 0);
        let most = MemoryLimits::MIN - STEP;
        outgoing
            .admit(own(most))
            .expect("fits, but for the first step");
        assert_eq!(outgoing.admit(own(2 * STEP)), Err(OverBudget::Peer));
        outgoing.budget.charge_to_send(2 * STEP);
        outgoing.take_over(2 * STEP);
        drop((outgoing, peers));
        assert_eq!(node.used(), 0);
    }
}
