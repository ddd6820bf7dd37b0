//! What a peer's outgoing messages hold, and what of it is charged.

use std::sync::Arc;

use crate::channel::{OverBudget, PeerBudget};

/// The budget is asked in steps of this many bytes, so that small messages seldom do. The first step is
/// free.
const STEP: usize = 16 << 10;

/// The messages that are queued or on their way to the socket, in bytes.
#[derive(Debug)]
pub(super) struct Outgoing {
    budget: Arc<PeerBudget>,
    messages: usize,
    charged: usize,
}

impl Outgoing {
    pub(super) fn new(budget: Arc<PeerBudget>) -> Self {
        Self {
            budget,
            messages: 0,
            charged: 0,
        }
    }

    /// Takes a message of `bytes` in, if the budget has room for it.
    pub(super) fn admit(&mut self, bytes: usize) -> Result<(), OverBudget> {
        let sum = self.messages.saturating_add(bytes);
        let more = self.uncharged(sum);
        if more > 0 {
            self.budget.try_charge_to_send(more)?;
        }
        self.charged += more;
        self.messages = sum;
        Ok(())
    }

    /// Takes a message of `bytes` in, whatever room there is.
    pub(super) fn add(&mut self, bytes: usize) {
        self.messages = self.messages.saturating_add(bytes);
        let more = self.uncharged(self.messages);
        if more > 0 {
            self.budget.charge_to_send(more);
            self.charged += more;
        }
    }

    /// Messages of `bytes` are gone.
    pub(super) fn remove(&mut self, bytes: usize) {
        self.messages = self.messages.saturating_sub(bytes);
        self.settle();
    }

    /// What has to be charged if there are `messages` bytes of messages.
    fn uncharged(&self, messages: usize) -> usize {
        due(messages).saturating_sub(self.charged)
    }

    /// Gives back what is not needed, but for one step, since more may follow.
    fn settle(&mut self) {
        let due = due(self.messages);
        let keep = match due {
            0 => 0,
            due => due.saturating_add(STEP),
        };
        if self.charged > keep {
            self.budget.release_to_send(self.charged - due);
            self.charged = due;
        }
    }
}

/// What is charged for `messages` bytes of messages.
fn due(messages: usize) -> usize {
    let beyond = messages.saturating_sub(STEP);
    beyond.checked_next_multiple_of(STEP).unwrap_or(beyond)
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.budget.release_to_send(self.charged);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::{MemoryLimits, NodeBudget};

    #[test]
    fn what_is_taken_in_is_charged_and_given_back() {
        let node = NodeBudget::default();
        let mut outgoing = Outgoing::new(node.open());
        let peers = node.open();
        // The free part of the peer is used up, so that every byte shows.
        outgoing.budget.charge_to_send(32 << 10);
        outgoing.admit(STEP).expect("is free");
        assert_eq!(node.used(), 0);
        outgoing.admit(1).expect("fits");
        assert_eq!(node.used(), STEP);
        outgoing.remove(STEP + 1);
        assert_eq!(node.used(), 0);
        let most = MemoryLimits::MIN - STEP;
        outgoing.admit(most).expect("fits, but for the first step");
        assert_eq!(outgoing.admit(2 * STEP), Err(OverBudget::Peer));
        outgoing.add(2 * STEP);
        drop((outgoing, peers));
        assert_eq!(node.used(), 0);
    }
}
