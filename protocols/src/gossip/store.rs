//! The messages that one node has, under a bound, as a state machine over time.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::Config;
use super::message::{MAX_IDS, MessageId, Signed};

/// How many ids of forgotten messages are remembered for each message that is kept.
const SEEN_FACTOR: usize = 4;

#[derive(Debug)]
pub(super) struct Store {
    config: Config,
    kept: HashMap<MessageId, Kept>,
    /// Ids of kept messages, the oldest first.
    order: VecDeque<MessageId>,
    bytes: usize,
    /// Ids of messages that are forgotten, so that they do not come back for a while, and since when.
    seen: HashMap<MessageId, Instant>,
    /// What was requested, and when.
    requested: HashMap<MessageId, Instant>,
}

#[derive(Debug)]
struct Kept {
    message: Signed,
    born: Instant,
    hot: u32,
}

impl Store {
    pub(super) fn new(config: Config) -> Self {
        Self {
            config,
            kept: HashMap::new(),
            order: VecDeque::new(),
            bytes: 0,
            seen: HashMap::new(),
            requested: HashMap::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    pub(super) fn knows(&self, id: &MessageId) -> bool {
        self.kept.contains_key(id) || self.seen.contains_key(id)
    }

    /// Takes a message in that is not known yet; false if it is too old, or too large.
    pub(super) fn insert(
        &mut self,
        id: MessageId,
        message: Signed,
        age: Duration,
        now: Instant,
    ) -> bool {
        let size = message.content.len();
        if self.knows(&id) || age >= self.config.expiry || size > self.config.max_bytes {
            return false;
        }
        while self.kept.len() >= self.config.max_messages
            || self.bytes + size > self.config.max_bytes
        {
            match self.order.pop_front() {
                Some(oldest) => self.forget(oldest, now),
                None => break,
            }
        }
        self.requested.remove(&id);
        self.bytes += size;
        self.order.push_back(id);
        let kept = Kept {
            message,
            born: now.checked_sub(age).unwrap_or(now),
            hot: self.config.hot_rounds,
        };
        self.kept.insert(id, kept);
        true
    }

    fn forget(&mut self, id: MessageId, now: Instant) {
        if let Some(kept) = self.kept.remove(&id) {
            self.bytes -= kept.message.content.len();
            if self.seen.len() < SEEN_FACTOR.saturating_mul(self.config.max_messages) {
                self.seen.insert(id, now);
            }
        }
    }

    /// Forgets what is over.
    pub(super) fn expire(&mut self, now: Instant) {
        let Config {
            expiry, interval, ..
        } = self.config;
        let lasts = |since: &Instant, time| now.saturating_duration_since(*since) < time;
        let (kept, order) = (&self.kept, &mut self.order);
        let mut old = Vec::new();
        order.retain(|id| {
            let over = kept.get(id).is_none_or(|one| !lasts(&one.born, expiry));
            if over {
                old.push(*id);
            }
            !over
        });
        for id in old {
            self.forget(id, now);
        }
        self.seen.retain(|_, since| lasts(since, expiry));
        self.requested.retain(|_, since| lasts(since, interval));
    }

    /// A message and its age.
    pub(super) fn get(&self, id: &MessageId, now: Instant) -> Option<(Duration, Signed)> {
        let kept = self.kept.get(id)?;
        let age = now.saturating_duration_since(kept.born);
        (age < self.config.expiry).then(|| (age, kept.message.clone()))
    }

    /// The ids that are new; each is so for a number of rounds.
    pub(super) fn take_hot(&mut self) -> Vec<MessageId> {
        let mut ids = Vec::new();
        for id in self.order.iter().rev() {
            match self.kept.get_mut(id) {
                Some(kept) if kept.hot > 0 && ids.len() < MAX_IDS => {
                    kept.hot -= 1;
                    ids.push(*id);
                }
                _ => {}
            }
        }
        ids
    }

    /// The ids of the newest messages.
    pub(super) fn digest(&self) -> Vec<MessageId> {
        self.order.iter().rev().take(MAX_IDS).copied().collect()
    }

    /// Which of these to request: each at most once in a round, and not without a bound.
    pub(super) fn missing(&mut self, ids: &[MessageId], now: Instant) -> Vec<MessageId> {
        let mut missing = Vec::new();
        for id in ids {
            let full = self.requested.len() >= self.config.max_messages;
            let asked = self.requested.get(id);
            let asked = asked
                .is_some_and(|since| now.saturating_duration_since(*since) < self.config.interval);
            if !self.knows(id) && !asked && !full {
                self.requested.insert(*id, now);
                missing.push(*id);
            }
        }
        missing
    }
}
