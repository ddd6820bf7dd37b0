//! What a queue holds, for the fuzz target.

pub(in crate::comm) use super::exit::Opening;
use super::{Part, SendQueue};

/// What one part of a queue holds, in units of its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// How many messages wait.
    pub waiting: usize,
    /// The units that the waiting messages take.
    pub taken: usize,
    /// The units that are free.
    pub free: usize,
    /// The units that messages from other queues took beyond the bound.
    pub owed: usize,
    /// The bound.
    pub total: usize,
}

impl SendQueue {
    /// The accounts of messages and of answers; `None` if the queue has ended.
    pub(in crate::comm) fn accounts(&self) -> Option<[Account; 2]> {
        let mut state = self.lock();
        if state.end.is_some() {
            return None;
        }
        Some([Part::Messages, Part::Replies].map(|part| {
            let semaphore = match part {
                Part::Messages => &self.messages,
                Part::Replies => &self.replies,
            };
            let waiting = state.part(part);
            Account {
                waiting: waiting.len(),
                taken: waiting.iter().map(|message| message.units).sum(),
                free: semaphore.available_permits(),
                owed: *state.owed.part(part),
                total: self.total(part),
            }
        }))
    }
}
