//! The messages that one node has, under a bound, as a state machine over time.
//!
//! Times of writing and expiry follow the calendar, as durations since 1970; what was requested
//! follows the monotonic clock.

use std::time::Duration;

use peermux::comm::PeerId;
use tokio::time::Instant;

use super::Config;
use super::held::Held;
use super::message::{MAX_ANSWERS, MAX_IDS, MessageId, Signed};

/// How many ids of forgotten messages are remembered for each message that may be kept.
const SEEN_FACTOR: usize = 4;
/// A sender that was asked for a message and did not send it is asked again after this many rounds;
/// others are asked in the next one. So nobody holds a message up by announcing it first.
const PATIENCE: u32 = 4;
/// What a message takes beside its byte strings: its places in the tables, about.
const OVERHEAD: usize = 512;

#[derive(Debug)]
pub(super) struct Store {
    config: Config,
    kept: Held<Kept>,
    /// Times of writing of forgotten messages, which stay away as long as they are accepted.
    seen: Held<Duration>,
    /// When a message was requested from its sender.
    requested: Held<Instant>,
}

#[derive(Debug)]
struct Kept {
    message: Signed,
    hot: u32,
}

/// How many bytes a message takes in the store.
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

    /// How many bytes the kept messages take.
    pub(super) fn bytes(&self) -> usize {
        self.kept.weight()
    }

    /// Whether a message that was written at a time can be accepted.
    pub(super) fn is_current(&self, written: Duration, now: Duration) -> bool {
        let latest = now.saturating_add(self.config.clock_tolerance);
        written <= latest && now.saturating_sub(written) < self.config.expiry
    }

    /// Takes in a message that `sender` brought; false if it is known, not current, or too large.
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

    /// Forgets a message that could still come back.
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

    /// Forgets what is over, which is not accepted again.
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

    /// A message that is not over yet.
    pub(super) fn get(&self, id: &MessageId, now: Duration) -> Option<&Signed> {
        let (_, kept) = self.kept.get(id)?;
        self.is_current(kept.message.written, now)
            .then_some(&kept.message)
    }

    /// The ids that are new; each is so for a number of rounds.
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

    /// The ids of the newest messages.
    pub(super) fn digest(&self) -> Vec<MessageId> {
        self.kept.newest().take(MAX_IDS).collect()
    }

    /// Which of these to request from their sender: no more than one Request is answered with, each
    /// at most once in a round. Where too much is requested, the sender with the most gives way.
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
