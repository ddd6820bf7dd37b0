//! Decides when to ask the source for the address of another automatic connection.

use std::time::Duration;

use rand::Rng;
use tokio::time::Instant;

use crate::connmgr::backoff::Backoff;
use crate::connmgr::config::ConnConfig;
use crate::connmgr::request::{Count, Family};
use crate::connmgr::token_bucket::{Rate, TokenBucket};
use crate::time::after;

/// The next step of automatic dialling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// Ask for an address.
    Ask,
    /// Check again at this time.
    At(Instant),
    /// Wait until something changes.
    Wait,
}

/// What the last dials to one family of addresses showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Unknown,
    /// A dial succeeded.
    Open,
    /// Number of automatic dials that have failed in a row.
    Failing(u32),
}

/// Limits the rate of automatic dials: each address costs one token.
///
/// After too many failures in a row, only one dial at a time probes the network.
#[derive(Debug)]
pub(super) struct Pacing {
    pub(super) target: usize,
    /// Whether the source has been asked and has not answered.
    pub(super) asking: bool,
    bucket: TokenBucket,
    backoff: Backoff,
    offline_after: u32,
    /// The results for IPv4, IPv6, and addresses without a family.
    ways: [Way; 3],
    /// Number of consecutive times that the source had no address.
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
            ways: [Way::Unknown; 3],
            dry: 0,
            not_before: None,
        }
    }

    pub(super) fn set_rate(&mut self, rate: Rate, now: Instant) {
        self.bucket.set_rate(rate, now);
    }

    /// Returns whether every dialled family has failed too often.
    ///
    /// With an open connection the network is never down, because the connection proves that the
    /// network works.
    pub(super) fn is_offline(&self, connected: bool) -> bool {
        !connected && self.probes() > 0
    }

    /// Returns how many dials have failed since the network went down; otherwise 0.
    fn probes(&self) -> u32 {
        let mut least = None;
        for way in self.ways {
            least = match way {
                Way::Open => return 0,
                Way::Unknown => least,
                Way::Failing(failures) => Some(least.unwrap_or(u32::MAX).min(failures)),
            };
        }
        let failures = least.unwrap_or(0).saturating_add(1);
        failures.saturating_sub(self.offline_after)
    }

    /// Returns the next step, given the automatic requests and whether anything is connected.
    pub(super) fn next(&mut self, automatic: Count, connected: bool, now: Instant) -> Pace {
        let total = automatic.pending.saturating_add(automatic.connected);
        let probing = self.is_offline(connected) && automatic.pending > 0;
        if self.asking || total >= self.target || probing {
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

    /// Handles the source's answer; `found` tells whether the answer contains an address.
    pub(super) fn on_answer(&mut self, found: bool, now: Instant, rng: &mut impl Rng) {
        self.asking = false;
        if found {
            self.dry = 0;
        } else {
            self.dry = self.dry.saturating_add(1);
            self.wait(self.backoff.draw(self.dry, rng), now);
        }
    }

    /// Handles a successful dial of any kind, which shows that the network is up.
    pub(super) fn on_success(&mut self, family: Option<Family>) {
        if self.probes() > 0 {
            self.not_before = None;
        }
        *self.way(family) = Way::Open;
    }

    /// Handles an automatic dial that failed while nothing was connected.
    pub(super) fn on_failure(&mut self, family: Option<Family>, now: Instant, rng: &mut impl Rng) {
        let way = self.way(family);
        *way = match *way {
            Way::Failing(failures) => Way::Failing(failures.saturating_add(1)),
            Way::Unknown | Way::Open => Way::Failing(1),
        };
        let probes = self.probes();
        if probes > 0 {
            self.wait(self.backoff.draw(probes, rng), now);
        }
    }

    /// Forgets failures and waits, because the network may have changed.
    pub(super) fn revive(&mut self) {
        self.ways = [Way::Unknown; 3];
        (self.dry, self.not_before) = (0, None);
    }

    fn way(&mut self, family: Option<Family>) -> &mut Way {
        let [v4, v6, other] = &mut self.ways;
        match family {
            Some(Family::V4) => v4,
            Some(Family::V6) => v6,
            None => other,
        }
    }

    fn wait(&mut self, time: Duration, now: Instant) {
        self.not_before = self.not_before.max(Some(after(now, time)));
    }
}
