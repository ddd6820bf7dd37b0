//! The bounded set of messages of one node, as a state machine over time.
//!
//! Times of writing, and the current time that they are compared with, are durations since 1970.
//! Times of requests use the monotonic clock.

use std::time::Duration;

use peermux::comm::PeerId;
use tokio::time::Instant;

use super::Config;
use super::held::Held;
use super::message::{MAX_ANSWERS, MAX_IDS, MessageId, Signed};

/// How many ids of evicted messages are remembered, per message that may be kept.
const SEEN_FACTOR: usize = 4;
/// How many rounds pass before a request to the same sender is repeated. A different sender may be
/// asked in the next round already, so a sender cannot delay a message by announcing it first.
const PATIENCE: u32 = 4;
/// The approximate memory of a message in bytes, without its byte strings.
const OVERHEAD: usize = 512;

#[derive(Debug)]
pub(super) struct Store {
    config: Config,
    kept: Held<Kept>,
    /// The times of writing of evicted messages. These messages are rejected until they expire.
    seen: Held<Duration>,
    /// The time at which each message was last requested, with the sender that was asked.
    requested: Held<Instant>,
}

#[derive(Debug)]
struct Kept {
    message: Signed,
    hot: u32,
}

/// Returns the memory of a message in the store, in bytes.
fn cost(message: &Signed) -> usize {
    let strings = [&message.identity, &message.content, &message.signature];
    let bytes = strings.iter().map(|string| string.len());
    bytes.fold(OVERHEAD, usize::saturating_add)
}

impl Store {
    pub(super) fn new(config: Config) -> Self {
        let share = config.max_bytes.checked_div(config.max_messages);
        Self {
            config,
            kept: Held::new(share.unwrap_or(1)),
            seen: Held::new(1),
            requested: Held::new(1),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// Returns the memory of the kept messages, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.kept.weight()
    }

    /// Returns whether a message with this time of writing is acceptable.
    pub(super) fn is_current(&self, written: Duration, now: Duration) -> bool {
        let latest = now.saturating_add(self.config.clock_tolerance);
        written <= latest && now.saturating_sub(written) < self.config.expiry
    }

    /// Inserts a message from `sender`. Returns false if the message is known, not current, or too
    /// large.
    pub(super) fn insert(
        &mut self,
        sender: PeerId,
        id: MessageId,
        message: Signed,
        now: Duration,
    ) -> bool {
        let (cost, max) = (cost(&message), self.config.max_bytes);
        let known = self.kept.contains(&id) || self.seen.contains(&id);
        if known || !self.is_current(message.written, now) || cost > max {
            return false;
        }
        while self.kept.len() >= self.config.max_messages
            || self.kept.weight().saturating_add(cost) > max
        {
            let Some((_, oldest)) = self.kept.crowded() else {
                break;
            };
            self.forget(oldest);
        }
        self.requested.remove(&id);
        let hot = self.config.hot_rounds;
        self.kept.insert(sender, id, cost, Kept { message, hot });
        true
    }

    /// Evicts a message. Remembers its id, because the message could arrive again.
    fn forget(&mut self, id: MessageId) {
        let Some((sender, kept)) = self.kept.remove(&id) else {
            return;
        };
        while self.seen.len() >= SEEN_FACTOR.saturating_mul(self.config.max_messages) {
            let Some((_, oldest)) = self.seen.crowded() else {
                break;
            };
            self.seen.remove(&oldest);
        }
        self.seen.insert(sender, id, 1, kept.message.written);
    }

    /// Removes expired messages, expired ids, and records of requests that were not answered in
    /// time.
    pub(super) fn expire(&mut self, now: Duration, instant: Instant) {
        let Config {
            expiry, interval, ..
        } = self.config;
        let is_over = |written: Duration| now.saturating_sub(written) >= expiry;
        self.kept.take_if(|kept| is_over(kept.message.written));
        self.seen.take_if(|written| is_over(*written));
        let patience = interval.saturating_mul(PATIENCE);
        self.requested
            .take_if(|since| instant.saturating_duration_since(*since) >= patience);
    }

    /// Returns a message that has not expired.
    pub(super) fn get(&self, id: &MessageId, now: Duration) -> Option<&Signed> {
        let (_, kept) = self.kept.get(id)?;
        self.is_current(kept.message.written, now)
            .then_some(&kept.message)
    }

    /// Returns the ids of new messages, and decrements their remaining rounds.
    pub(super) fn take_hot(&mut self) -> Vec<MessageId> {
        let mut ids = Vec::new();
        let newest: Vec<_> = self.kept.newest().collect();
        for id in newest {
            match self.kept.get_mut(&id) {
                Some(kept) if kept.hot > 0 && ids.len() < MAX_IDS => {
                    kept.hot = kept.hot.saturating_sub(1);
                    ids.push(id);
                }
                _ => {}
            }
        }
        ids
    }

    /// Returns the ids of the newest messages.
    pub(super) fn digest(&self) -> Vec<MessageId> {
        self.kept.newest().take(MAX_IDS).collect()
    }

    /// Returns those of `ids` to request from `sender`, and records them as requested. An id is
    /// returned at most once per round. One call returns at most as many ids as one Request is
    /// answered with. If too many ids are recorded, an id of the sender with the most recorded ids
    /// is removed. If that sender is `sender`, no further id is returned.
    pub(super) fn missing(
        &mut self,
        sender: PeerId,
        ids: &[MessageId],
        now: Instant,
    ) -> Vec<MessageId> {
        let mut missing = Vec::new();
        for id in ids {
            if missing.len() >= MAX_ANSWERS {
                break;
            }
            let known = self.kept.contains(id) || self.seen.contains(id);
            if known || self.is_requested(sender, id, now) {
                continue;
            }
            if self.requested.len() >= self.config.max_messages {
                match self.requested.crowded() {
                    Some((largest, oldest)) if largest != sender => {
                        self.requested.remove(&oldest);
                    }
                    _ => break,
                }
            }
            self.requested.insert(sender, *id, 1, now);
            missing.push(*id);
        }
        missing
    }

    fn is_requested(&self, sender: PeerId, id: &MessageId, now: Instant) -> bool {
        let Some((asked, since)) = self.requested.get(id) else {
            return false;
        };
        let rounds = if asked == sender { PATIENCE } else { 1 };
        let limit = self.config.interval.saturating_mul(rounds);
        now.saturating_duration_since(*since) < limit
    }
}
