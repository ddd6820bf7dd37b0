//! Bans of nodes and of IP addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use crate::addrbook::time::{is_ahead, later};
use crate::ip::banned_net;
use crate::node::NodeId;

/// The maximum number of characters in a reason. The rest is cut off.
const LONGEST_REASON: usize = 256;

/// Why and how long a node or an address is banned.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ban {
    /// When the ban began.
    pub since: SystemTime,
    /// When the ban ends.
    pub until: SystemTime,
    /// The reason, as text for people; at most 256 characters.
    pub reason: String,
    /// When the ban was read from a store. This is set only if `since` was in the future at that
    /// time. In that case the clock was wrong either when the ban was written or when it was read.
    /// Until the clock is corrected, the ban lasts for its full length, counted from the time of
    /// reading.
    read: Option<SystemTime>,
}

impl Ban {
    pub(super) fn new(now: SystemTime, time: Duration, reason: &str) -> Self {
        let reason = reason.chars().take(LONGEST_REASON).collect();
        Self {
            since: now,
            until: later(now, time),
            reason,
            read: None,
        }
    }

    /// A ban from a store.
    pub(in crate::addrbook) fn restored(
        since: SystemTime,
        until: SystemTime,
        reason: String,
        now: SystemTime,
    ) -> Self {
        Self {
            since,
            until,
            reason,
            read: is_ahead(now, since).then_some(now),
        }
    }

    pub(super) fn holds(&self, now: SystemTime) -> bool {
        if is_ahead(now, self.since) {
            self.read.is_some() && self.end() > now
        } else {
            self.until > now
        }
    }

    /// When the ban ends, or when it must be checked again.
    pub(super) fn end(&self) -> SystemTime {
        let length = self.until.duration_since(self.since).unwrap_or_default();
        self.read.map_or(self.until, |read| later(read, length))
    }

    /// How much longer the ban lasts.
    #[cfg(feature = "server")]
    pub(in crate::addrbook) fn left(&self, now: SystemTime) -> Duration {
        self.end().duration_since(now).unwrap_or_default()
    }

    /// Checks a ban again when it seems to have ended. If the clock has been corrected since, the
    /// ban may still be in force, and is returned.
    pub(super) fn looked_at_again(mut self, now: SystemTime) -> Option<Self> {
        self.read = None;
        self.holds(now).then_some(self)
    }
}

/// A node or an IP address that is banned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum BanTarget {
    /// A node, wherever it is.
    Node(NodeId),
    /// Any node at this IPv4 address, or in the /64 of this IPv6 address.
    ///
    /// A /64 is the smallest block that one customer gets.
    Ip(IpAddr),
}

impl BanTarget {
    /// The target for an IP address; an IPv6 address is cut to its /64.
    pub fn ip(ip: IpAddr) -> Self {
        Self::Ip(banned_net(ip))
    }
}

impl fmt::Display for BanTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(id) => id.fmt(f),
            Self::Ip(IpAddr::V4(ip)) => ip.fmt(f),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "{ip}/64"),
        }
    }
}

/// A bounded number of bans of IP addresses. If there are too many, the ban that ends first is
/// dropped.
#[derive(Debug, Clone, Default)]
pub(super) struct IpBans {
    bans: BTreeMap<IpAddr, Ban>,
    by_end: BTreeSet<(SystemTime, IpAddr)>,
}

impl IpBans {
    pub(super) fn get(&self, ip: IpAddr, now: SystemTime) -> Option<&Ban> {
        self.bans.get(&banned_net(ip)).filter(|ban| ban.holds(now))
    }

    pub(super) fn get_exact(&self, net: IpAddr) -> Option<&Ban> {
        self.bans.get(&net)
    }

    /// Sets a ban, and returns the addresses whose bans changed or were dropped.
    pub(super) fn insert(&mut self, ip: IpAddr, ban: Ban, most: usize) -> Vec<IpAddr> {
        let net = banned_net(ip);
        self.remove(net);
        self.by_end.insert((ban.end(), net));
        self.bans.insert(net, ban);
        let mut changed = vec![net];
        while self.bans.len() > most {
            let Some((_, first)) = self.by_end.pop_first() else {
                break;
            };
            self.bans.remove(&first);
            changed.push(first);
        }
        changed
    }

    pub(super) fn remove(&mut self, ip: IpAddr) -> bool {
        let net = banned_net(ip);
        let Some(ban) = self.bans.remove(&net) else {
            return false;
        };
        self.by_end.remove(&(ban.end(), net));
        true
    }

    /// Drops the bans that have ended, and returns their addresses.
    pub(super) fn expire(&mut self, now: SystemTime) -> Vec<IpAddr> {
        let mut ended = Vec::new();
        while let Some((_, net)) = self.by_end.first().filter(|(until, _)| *until <= now) {
            let net = *net;
            let ban = self.bans.get(&net).cloned();
            self.remove(net);
            match ban.and_then(|ban| ban.looked_at_again(now)) {
                Some(ban) => {
                    self.by_end.insert((ban.end(), net));
                    self.bans.insert(net, ban);
                }
                None => ended.push(net),
            }
        }
        ended
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (IpAddr, &Ban)> {
        self.bans.iter().map(|(net, ban)| (*net, ban))
    }
}
