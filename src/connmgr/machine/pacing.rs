//! When to ask for the next address of an automatic connection.

use std::time::Duration;

use rand::Rng;
use tokio::time::Instant;

use crate::connmgr::backoff::Backoff;
use crate::connmgr::config::ConnConfig;
use crate::connmgr::token_bucket::TokenBucket;
use crate::time::after;

/// What automatic dialling may do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// Ask for an address.
    Ask,
    /// Look again at this time.
    At(Instant),
    /// Nothing until something happens.
    Wait,
}

/// Spends a token per address, and after too many failures in a row probes the network with one
/// dial at a time.
#[derive(Debug)]
pub(super) struct Pacing {
    pub(super) target: usize,
    /// Whether the source is asked and has not answered.
    pub(super) asking: bool,
    bucket: TokenBucket,
    backoff: Backoff,
    offline_after: u32,
    /// Failed automatic dials in a row.
    failures: u32,
    /// Times in a row that the source had nothing.
    dry: u32,
    not_before: Option<Instant>,
}

impl Pacing {
    pub(super) fn new(config: &ConnConfig, now: Instant) -> Self {
        Self {
            target: config.target(),
            asking: false,
            bucket: TokenBucket::new(config.dial_rate(), now),
            backoff: config.backoff(),
            offline_after: config.offline_after(),
            failures: 0,
            dry: 0,
            not_before: None,
        }
    }

    pub(super) fn is_offline(&self) -> bool {
        self.failures >= self.offline_after
    }

    /// With `total` automatic requests, of which `unconnected` have no connection.
    pub(super) fn next(&mut self, total: usize, unconnected: usize, now: Instant) -> Pace {
        if self.asking || total >= self.target || (self.is_offline() && unconnected > 0) {
            return Pace::Wait;
        }
        if let Some(time) = self.not_before.filter(|&time| time > now) {
            return Pace::At(time);
        }
        match self.bucket.take(now) {
            Ok(()) => {
                self.asking = true;
                Pace::Ask
            }
            Err(Some(time)) => Pace::At(time),
            Err(None) => Pace::Wait,
        }
    }

    /// The source answered, with an address or not.
    pub(super) fn on_answer(&mut self, found: bool, now: Instant, rng: &mut impl Rng) {
        self.asking = false;
        if found {
            self.dry = 0;
        } else {
            self.dry = self.dry.saturating_add(1);
            self.wait(self.backoff.draw(self.dry, rng), now);
        }
    }

    /// A dial of any kind succeeded: the network is there.
    pub(super) fn on_success(&mut self) {
        if self.is_offline() {
            self.not_before = None;
        }
        self.failures = 0;
    }

    pub(super) fn on_failure(&mut self, now: Instant, rng: &mut impl Rng) {
        self.failures = self.failures.saturating_add(1);
        if self.is_offline() {
            let probes = self.failures - self.offline_after + 1;
            self.wait(self.backoff.draw(probes, rng), now);
        }
    }

    fn wait(&mut self, time: Duration, now: Instant) {
        self.not_before = self.not_before.max(Some(after(now, time)));
    }
}
