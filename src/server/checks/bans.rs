//! Bans that are not kept by a store of nodes.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::BanInfo;
use crate::ip::banned_net;
use crate::mutex::Mutex;
use crate::node::NodeId;
use crate::time::after;

/// Maximum number of banned nodes, and of banned addresses. If there are more, the ban that ends
/// first is dropped.
const MOST: usize = 16_384;

/// Maximum length of a reason in characters; a longer one is truncated.
const LONGEST_REASON: usize = 256;

/// Nodes and addresses banned for a time; an IPv6 address represents its /64.
#[derive(Debug, Default)]
pub(crate) struct Bans {
    nodes: Mutex<Table<NodeId>>,
    ips: Mutex<Table<IpAddr>>,
}

impl Bans {
    pub(crate) fn ban(&self, node: NodeId, time: Duration, reason: &str) {
        let ban = Ban::new(time, reason);
        self.nodes.lock().insert(node, ban, Instant::now());
    }

    pub(crate) fn ban_ip(&self, ip: IpAddr, time: Duration, reason: &str) {
        let ban = Ban::new(time, reason);
        self.ips.lock().insert(banned_net(ip), ban, Instant::now());
    }

    /// Returns all current bans.
    pub(crate) fn all(&self) -> Vec<BanInfo> {
        let now = Instant::now();
        let nodes = self
            .nodes
            .lock()
            .all(now, |node, left, why| BanInfo::of_node(node, left, why));
        let ips = self
            .ips
            .lock()
            .all(now, |ip, left, why| BanInfo::of_ip(ip, left, why));
        [nodes, ips].concat()
    }

    /// Returns the number of banned nodes and the number of banned addresses.
    #[cfg(feature = "metrics")]
    pub(crate) fn count(&self) -> (usize, usize) {
        let now = Instant::now();
        (self.nodes.lock().count(now), self.ips.lock().count(now))
    }

    /// Lifts the ban of a node. Returns whether there was one.
    pub(crate) fn unban(&self, node: &NodeId) -> bool {
        self.nodes.lock().remove(node, Instant::now())
    }

    /// Lifts the ban of an address. Returns whether there was one.
    pub(crate) fn unban_ip(&self, ip: IpAddr) -> bool {
        self.ips.lock().remove(&banned_net(ip), Instant::now())
    }

    pub(crate) fn holds(&self, node: &NodeId) -> bool {
        self.nodes.lock().holds(node, Instant::now())
    }

    pub(crate) fn holds_ip(&self, ip: IpAddr) -> bool {
        self.ips.lock().holds(&banned_net(ip), Instant::now())
    }
}

#[derive(Debug)]
struct Ban {
    end: Instant,
    reason: Box<str>,
}

impl Ban {
    fn new(time: Duration, reason: &str) -> Self {
        Self {
            end: after(Instant::now(), time),
            reason: reason.chars().take(LONGEST_REASON).collect(),
        }
    }
}

#[derive(Debug)]
struct Table<K> {
    bans: HashMap<K, Ban>,
    by_end: BTreeSet<(Instant, K)>,
}

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self {
            bans: HashMap::new(),
            by_end: BTreeSet::new(),
        }
    }
}

impl<K: Copy + Eq + Hash + Ord> Table<K> {
    /// Adds a ban, which replaces an earlier ban of the same key.
    fn insert(&mut self, key: K, ban: Ban, now: Instant) {
        self.remove(&key, now);
        while let Some((end, _)) = self.by_end.first()
            && (*end <= now || self.by_end.len() >= MOST)
        {
            if let Some((_, first)) = self.by_end.pop_first() {
                self.bans.remove(&first);
            }
        }
        self.by_end.insert((ban.end, key));
        self.bans.insert(key, ban);
    }

    fn remove(&mut self, key: &K, now: Instant) -> bool {
        let Some(ban) = self.bans.remove(key) else {
            return false;
        };
        self.by_end.remove(&(ban.end, *key));
        ban.end > now
    }

    #[cfg(feature = "metrics")]
    fn count(&self, now: Instant) -> usize {
        // Expired bans come first, because the bans are ordered by their ends.
        let ended = self.by_end.iter().take_while(|(end, _)| *end <= now);
        self.by_end.len().saturating_sub(ended.count())
    }

    fn holds(&self, key: &K, now: Instant) -> bool {
        self.bans.get(key).is_some_and(|ban| ban.end > now)
    }

    fn all<T>(&self, now: Instant, of: impl Fn(K, Duration, &str) -> T) -> Vec<T> {
        let holding = self.bans.iter().filter(|(_, ban)| ban.end > now);
        holding
            .map(|(key, ban)| of(*key, ban.end.saturating_duration_since(now), &ban.reason))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_ban_lasts_for_its_time_or_until_it_is_lifted() {
        let (bans, node) = (Bans::default(), NodeId::from_bytes([1; 32]));
        bans.ban(node, SECOND, "");
        assert!(bans.holds(&node));
        advance(SECOND).await;
        assert!(!bans.holds(&node) && !bans.unban(&node));
        bans.ban(node, Duration::MAX, "");
        bans.ban(node, 2 * SECOND, "again");
        assert_eq!(bans.all(), [BanInfo::of_node(node, 2 * SECOND, "again")]);
        assert!(bans.unban(&node) && !bans.holds(&node) && !bans.unban(&node));

        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        bans.ban_ip(ip("2001:db8::1"), Duration::MAX, "");
        bans.ban_ip(ip("192.0.2.1"), SECOND, "");
        assert!(bans.holds_ip(ip("2001:db8::2")) && !bans.holds_ip(ip("2001:db8:0:1::1")));
        assert!(bans.holds_ip(ip("::ffff:192.0.2.1")) && !bans.holds_ip(ip("192.0.2.2")));
        assert!(bans.unban_ip(ip("2001:db8::3")) && !bans.holds_ip(ip("2001:db8::1")));
    }

    #[tokio::test(start_paused = true)]
    async fn bans_are_bounded_and_the_first_to_end_is_dropped() {
        let bans = Bans::default();
        let node = |number: u32| {
            let mut id = [0; 32];
            id[..4].copy_from_slice(&number.to_be_bytes());
            NodeId::from_bytes(id)
        };
        let most = u32::try_from(MOST).unwrap();
        for number in 0..most + 10 {
            bans.ban(node(number), SECOND * (most + 10 - number), "");
        }
        let table = bans.nodes.lock();
        assert_eq!((table.bans.len(), table.by_end.len()), (MOST, MOST));
        drop(table);
        assert!(bans.holds(&node(0)) && bans.holds(&node(most + 9)));
        assert!(!bans.holds(&node(most - 1)), "it would have ended first");
    }
}
