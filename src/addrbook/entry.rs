//! One known address and what is remembered about it.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use super::Group;
use super::time::{age, is_ahead, within};
use crate::node::{Endpoint, Enode, Host};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// For this long after an attempt, an address is not judged.
const JUST_NOW: Duration = MINUTE;
/// For this long after an attempt, an address is rarely drawn.
pub(super) const RECENTLY: Duration = Duration::from_secs(10 * 60);

/// An address that has not been seen for this long is bad.
const VANISHED: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The number of failed attempts after which an address that never worked is bad.
const NEVER_WORKED: u32 = 3;

/// Like [`NEVER_WORKED`], for an address that has worked, but not within the last week.
const STOPPED_WORKING: u32 = 10;
const WEEK: Duration = Duration::from_secs(7 * DAY.as_secs());

/// How this node learned of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// This node: its configuration, or a command of its user.
    Own,
    /// The node at this address, which may also report itself.
    ///
    /// All addresses that it reports go into a few of the buckets.
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

/// The buckets of an entry. A handshake turns `New` into `Tried`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// The entry is in these new buckets, in each of them once.
    New(Vec<u16>),
    /// The entry is in this tried bucket.
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
    /// How many dials of this process had succeeded when the last attempt ended.
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

    /// The node and its address; always with an endpoint.
    pub fn enode(&self) -> &Enode {
        &self.enode
    }

    /// The group of the endpoint's host.
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// The source that reported this address first.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// When our own node or a source last saw the node at this address.
    pub fn last_seen(&self) -> SystemTime {
        self.last_seen
    }

    /// Failed attempts since the last success.
    ///
    /// A failed attempt counts only if a dial to some node has succeeded since the previous attempt
    /// at this address. Otherwise our own node may be offline, and the failure reveals nothing.
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

    /// Whether the address is not worth keeping.
    ///
    /// An address is bad if it has not been seen for 30 days, if three attempts have failed and
    /// none has ever succeeded, or if ten attempts have failed since the last success, which was
    /// more than a week ago. An address that was attempted within the last minute is not judged. A
    /// time in the future comes from a wrong clock, and counts as now.
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

    /// The chance that a draw takes the address, above 0 and at most 1.
    ///
    /// The chance is 1, or 0.01 within ten minutes of an attempt. Each failed attempt divides it by
    /// 1.5.
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

    /// Replaces times far in the future, which a wrong clock wrote, with `now`. Call this only
    /// together with another change, since the entry is then written to the store anyway.
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

/// Beyond this number, further attempts do not lower the chance. So the chance stays above zero,
/// and draws stay short.
const MAX_ATTEMPTS: u32 = 64;

/// The key that no two entries share: host and TCP port, with any name normalised.
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
