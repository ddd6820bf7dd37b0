//! One known address and what is remembered of it.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use super::Group;
use super::time::{age, is_ahead, within};
use crate::node::{Endpoint, Enode, Host};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// An address that was attempted so recently is neither judged nor, if there is a choice, drawn.
const JUST_NOW: Duration = MINUTE;
pub(super) const RECENTLY: Duration = Duration::from_secs(10 * 60);

/// Unseen for so long, an address is taken for gone.
const VANISHED: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Failed attempts after which an address that never worked is bad.
const NEVER_WORKED: u32 = 3;

/// Failed attempts after which an address is bad that has not worked for a week.
const STOPPED_WORKING: u32 = 10;
const WEEK: Duration = Duration::from_secs(7 * DAY.as_secs());

/// Who told us of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// We ourselves: configuration, or a command of our user.
    Own,
    /// The node at this address, which may also have told of itself. Everything it tells goes
    /// into few of the buckets.
    Ip(IpAddr),
}

impl Source {
    pub(super) fn group(&self) -> Group {
        match self {
            Self::Own => Group::Local,
            Self::Ip(ip) => Group::of_ip(*ip),
        }
    }
}

/// Where an entry stands: `New` turns into `Tried` by a handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// In these new buckets, none twice.
    New(Vec<u16>),
    /// In this tried bucket.
    Tried(u16),
}

/// A known address.
#[derive(Debug, Clone)]
pub struct Entry {
    pub(super) enode: Enode,
    pub(super) group: Group,
    pub(super) source: Source,
    pub(super) last_seen: SystemTime,
    pub(super) attempts: u32,
    pub(super) last_attempt: Option<SystemTime>,
    pub(super) last_success: Option<SystemTime>,
    pub(super) place: Place,
    /// How many dials of this process had succeeded at the last attempt.
    pub(super) successes_seen: u64,
}

impl Entry {
    pub(super) fn new(enode: Enode, group: Group, source: Source, last_seen: SystemTime) -> Self {
        Self {
            enode,
            group,
            source,
            last_seen,
            attempts: 0,
            last_attempt: None,
            last_success: None,
            place: Place::New(Vec::new()),
            successes_seen: 0,
        }
    }

    /// The node and where it is; always with an endpoint.
    pub fn enode(&self) -> &Enode {
        &self.enode
    }

    /// The group of the endpoint's host.
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// Who told of this address first.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// When the node was last known to be there, to us or to those who tell of it.
    pub fn last_seen(&self) -> SystemTime {
        self.last_seen
    }

    /// Failed attempts since the last success, without those that say nothing about this node
    /// because no dial at all had succeeded in between.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// When this address was last dialled.
    pub fn last_attempt(&self) -> Option<SystemTime> {
        self.last_attempt
    }

    /// When a handshake last proved that this node is there.
    pub fn last_success(&self) -> Option<SystemTime> {
        self.last_success
    }

    /// Whether a handshake has proved that this node is there.
    pub fn is_tried(&self) -> bool {
        matches!(self.place, Place::Tried(_))
    }

    /// Whether the address is not worth a place: unseen for 30 days, three attempts and never a success,
    /// or ten attempts and no success for a week. An address that was attempted within the last minute is
    /// not judged. A time that is still to come, from a clock that was wrong, counts as now.
    pub fn is_bad(&self, now: SystemTime) -> bool {
        if self.attempted_within(JUST_NOW, now) {
            return false;
        }
        let failing = match self.last_success {
            None => self.attempts >= NEVER_WORKED,
            Some(success) => self.attempts >= STOPPED_WORKING && age(now, success) > WEEK,
        };
        failing || age(now, self.last_seen) > VANISHED
    }

    /// How readily the address is drawn, above 0 and at most 1: a hundredth if it was attempted
    /// within ten minutes, and divided by 1.5 for each failed attempt.
    pub fn chance(&self, now: SystemTime) -> f64 {
        let recent = if self.attempted_within(RECENTLY, now) {
            0.01
        } else {
            1.0
        };
        let attempts = i32::try_from(self.attempts.min(MAX_ATTEMPTS)).unwrap_or_default();
        recent / 1.5f64.powi(attempts)
    }

    pub(super) fn attempted_within(&self, time: Duration, now: SystemTime) -> bool {
        self.last_attempt
            .is_some_and(|attempt| within(now, attempt, time))
    }

    /// Replaces what a clock that was wrong has written, as the entry is written anyway: no time that is
    /// kept is later than now.
    pub(super) fn correct(&mut self, now: SystemTime) {
        let times = [
            Some(&mut self.last_seen),
            self.last_attempt.as_mut(),
            self.last_success.as_mut(),
        ];
        for time in times.into_iter().flatten() {
            if is_ahead(now, *time) {
                *time = now;
            }
        }
    }
}

/// More attempts change nothing: the chance stays above zero and a draw short.
const MAX_ATTEMPTS: u32 = 64;

/// What no two entries share: host and TCP port, however a name is written.
pub(super) fn slot(endpoint: &Endpoint) -> (Host, u16) {
    let host = match &endpoint.host {
        Host::Ip(ip) => Host::Ip(ip.to_canonical()),
        Host::Dns(name) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            Host::Dns(name.to_ascii_lowercase())
        }
    };
    (host, endpoint.tcp)
}
