//! The node database.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use super::super::unsaved::Unsaved;
use super::ban::IpBans;
use super::{Ban, BanTarget, KnownNode};
use crate::node::NodeId;
use crate::settings::settings;

settings! {
    /// How much a [`NodeDb`] remembers, and when it bans.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct NodeDbConfig {
        /// How many nodes are remembered; 0 counts as 1.
        ///
        /// Beyond that, the unbanned node whose record has been unchanged for longest is dropped.
        /// If all nodes are banned, the one whose ban ends first is dropped. Default: 65,536.
        max_nodes / with_max_nodes: usize = 65_536, |nodes: usize| nodes.max(1);
        /// How many IP addresses can be banned; 0 counts as 1.
        ///
        /// Beyond that, the ban that ends first is dropped. Default: 16,384.
        max_ip_bans / with_max_ip_bans: usize = 16_384, |bans: usize| bans.max(1);
        /// A score above this bans a node. Default: 100.
        ban_above / with_ban_above: u32 = 100;
        /// How long a ban for the score lasts. Default: 24 hours.
        ban_for / with_ban_for: Duration = Duration::from_secs(24 * 60 * 60);
    }
}

/// The records of nodes by id, and the bans of IP addresses.
///
/// It is a pure data structure: the time is an argument, and must always come from the same
/// [`Clock`](super::super::Clock).
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use peermux::addrbook::{NodeDb, NodeDbConfig};
/// use peermux::NodeId;
///
/// let mut nodes = NodeDb::new(NodeDbConfig::default());
/// let (id, now) = (NodeId::from_bytes([7; 32]), SystemTime::now());
/// nodes.penalise(&id, 0, 60, "spam", now);
/// assert!(nodes.banned(&id, now).is_none());
/// nodes.penalise(&id, 0, 60, "more spam", now);
/// assert_eq!(nodes.banned(&id, now).unwrap().reason, "more spam");
/// assert!(nodes.banned(&id, now + Duration::from_secs(86_400)).is_none());
/// ```
#[derive(Debug, Clone, Default)]
pub struct NodeDb {
    config: NodeDbConfig,
    records: BTreeMap<NodeId, KnownNode>,
    /// All records, in the order in which they are dropped.
    by_rank: BTreeSet<(bool, SystemTime, NodeId)>,
    ip_bans: IpBans,
    pub(in crate::addrbook) unsaved: Unsaved<BanTarget>,
}

impl NodeDb {
    /// An empty database.
    pub fn new(config: NodeDbConfig) -> Self {
        Self {
            config,
            ..Self::default()
        }
    }

    /// Records that a node is connected, and resets its failures.
    pub fn seen(&mut self, id: &NodeId, now: SystemTime) {
        self.change(id, now, |info| {
            info.last_seen = Some(now);
            info.failures = 0;
        });
    }

    /// Records that a dial of a node or its handshake failed.
    ///
    /// Returns how often in a row that has happened.
    pub fn failed(&mut self, id: &NodeId, now: SystemTime) -> u32 {
        self.change(id, now, |info| {
            info.failures = info.failures.saturating_add(1);
            info.last_failure = Some(now);
            info.failures
        })
    }

    /// Adds to a node's [`Score`](super::super::Score), and returns the sum.
    ///
    /// If the score exceeds the limit, the node is banned with `reason`, and its stored score is
    /// reset to zero.
    pub fn penalise(
        &mut self,
        id: &NodeId,
        lasting: u32,
        fading: u32,
        reason: &str,
        now: SystemTime,
    ) -> u32 {
        let score = self.change(id, now, |info| info.score.add(lasting, fading, now));
        if score > self.config.ban_above() {
            self.ban(BanTarget::Node(*id), self.config.ban_for(), reason, now);
            self.change(id, now, |info| info.score = Default::default());
        }
        score
    }

    /// Bans `target` for the given time from now, and replaces an earlier ban.
    pub fn ban(&mut self, target: BanTarget, time: Duration, reason: &str, now: SystemTime) {
        let ban = Ban::new(now, time, reason);
        match target {
            BanTarget::Node(id) => self.change(&id, now, |info| info.ban = Some(ban)),
            BanTarget::Ip(ip) => {
                let changed = self.ip_bans.insert(ip, ban, self.config.max_ip_bans());
                changed.into_iter().for_each(|net| self.ip_changed(net));
            }
        }
    }

    /// Lifts a ban; returns whether there was one.
    pub fn unban(&mut self, target: BanTarget, now: SystemTime) -> bool {
        match target {
            BanTarget::Node(id) => {
                self.banned(&id, now).is_some()
                    && self.change(&id, now, |info| info.ban.take().is_some())
            }
            BanTarget::Ip(ip) => {
                let was_banned = self.ip_bans.remove(ip);
                if let BanTarget::Ip(net) = BanTarget::ip(ip) {
                    self.ip_changed(net);
                }
                was_banned
            }
        }
    }

    /// The ban of a node, if it is in force.
    ///
    /// For IP addresses see [`banned_ip`](Self::banned_ip).
    pub fn banned(&self, id: &NodeId, now: SystemTime) -> Option<&Ban> {
        let ban = self.records.get(id)?.ban.as_ref();
        ban.filter(|ban| ban.holds(now))
    }

    /// The ban of an IP address, if it is in force.
    pub fn banned_ip(&self, ip: IpAddr, now: SystemTime) -> Option<&Ban> {
        self.ip_bans.get(ip, now)
    }

    /// All bans in force.
    pub fn bans(&self, now: SystemTime) -> impl Iterator<Item = (BanTarget, &Ban)> {
        let nodes = self.records.iter().filter_map(|(id, info)| {
            let ban = info.ban.as_ref()?;
            Some((BanTarget::Node(*id), ban))
        });
        let ips = self.ip_bans.iter();
        let all = nodes.chain(ips.map(|(ip, ban)| (BanTarget::Ip(ip), ban)));
        all.filter(move |(_, ban)| ban.holds(now))
    }

    /// The record of a node.
    pub fn node(&self, id: &NodeId) -> Option<&KnownNode> {
        self.records.get(id)
    }

    /// All nodes, in the order of their ids.
    pub fn nodes(&self) -> impl Iterator<Item = (&NodeId, &KnownNode)> {
        self.records.iter()
    }

    /// How many nodes are remembered.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether no node is remembered.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Removes a node with its ban; returns whether it was known.
    pub fn forget(&mut self, id: &NodeId) -> bool {
        let Some(info) = self.records.remove(id) else {
            return false;
        };
        let (banned, time) = info.rank();
        self.by_rank.remove(&(banned, time, *id));
        self.unsaved.removed(BanTarget::Node(*id));
        true
    }

    /// Drops the bans that have ended, and returns how many there were.
    ///
    /// This also happens whenever a node is added.
    pub fn expire(&mut self, now: SystemTime) -> usize {
        let ended = self.ip_bans.expire(now);
        let mut count = ended.len();
        ended.into_iter().for_each(|net| self.ip_changed(net));
        while let Some((until, id)) = self.first_ban().filter(|(until, _)| *until <= now) {
            // The end of the ban counts as the record's last change.
            count += self.change_at(&id, until, |info| {
                let ban = info.ban.take();
                info.ban = ban.and_then(|ban| ban.looked_at_again(now));
                usize::from(info.ban.is_none())
            });
        }
        count
    }

    /// Returns the node whose ban ends first, and when it ends.
    fn first_ban(&self) -> Option<(SystemTime, NodeId)> {
        let first = NodeId::from_bytes([0; NodeId::LENGTH]);
        let mut banned = self.by_rank.range((true, SystemTime::UNIX_EPOCH, first)..);
        banned.next().map(|(_, until, id)| (*until, *id))
    }

    fn change<T>(
        &mut self,
        id: &NodeId,
        now: SystemTime,
        change: impl FnOnce(&mut KnownNode) -> T,
    ) -> T {
        if !self.records.contains_key(id) {
            self.expire(now);
            while self.records.len() >= self.config.max_nodes() {
                let Some((_, _, id)) = self.by_rank.first().copied() else {
                    break;
                };
                self.forget(&id);
            }
        }
        self.change_at(id, now, change)
    }

    fn change_at<T>(
        &mut self,
        id: &NodeId,
        now: SystemTime,
        change: impl FnOnce(&mut KnownNode) -> T,
    ) -> T {
        let info = self
            .records
            .entry(*id)
            .or_insert_with(|| KnownNode::new(now));
        let (banned, time) = info.rank();
        self.by_rank.remove(&(banned, time, *id));
        let result = change(info);
        info.touched = now;
        let (banned, time) = info.rank();
        self.by_rank.insert((banned, time, *id));
        self.unsaved.changed(BanTarget::Node(*id));
        result
    }

    /// Adds a record from the store.
    pub(in crate::addrbook) fn restore(&mut self, id: NodeId, info: KnownNode) {
        let touched = info.touched;
        self.change(&id, touched, |slot| *slot = info);
        self.unsaved.restored(BanTarget::Node(id));
    }

    /// Adds a ban from the store.
    pub(in crate::addrbook) fn restore_ip_ban(&mut self, net: IpAddr, ban: Ban) {
        self.unsaved.restored(BanTarget::Ip(net));
        let changed = self.ip_bans.insert(net, ban, self.config.max_ip_bans());
        let others = changed.into_iter().skip(1);
        others.for_each(|net| self.ip_changed(net));
    }

    /// The ban of exactly this address or network, which may have ended.
    pub(in crate::addrbook) fn ip_ban(&self, net: IpAddr) -> Option<&Ban> {
        self.ip_bans.get_exact(net)
    }

    fn ip_changed(&mut self, net: IpAddr) {
        if self.ip_bans.get_exact(net).is_some() {
            self.unsaved.changed(BanTarget::Ip(net));
        } else {
            self.unsaved.removed(BanTarget::Ip(net));
        }
    }
}
