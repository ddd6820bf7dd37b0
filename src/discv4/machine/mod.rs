//! The state machine of a node: packets in, packets out, deadlines.

mod answering;
mod asking;
mod dropped;
mod event;
mod lookups;
mod query;
mod receiving;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use rand::rngs::StdRng;
use tokio::time::Instant;

use super::bonds::Bonds;
use super::config::Discv4Config;
use super::contact::Contact;
use super::limiter::Limiter;
use super::packet::{Packet, PacketHash, WireEndpoint};
use super::table::{Table, TableEntry};
use crate::node::{Host, NodeId, NodeRecord, Reach, SecretKey};
use crate::time::after;

pub use dropped::Dropped;
pub use event::{Event, Found, LookupDone, Observation, RequestId};
use lookups::Running;
use query::{PendingPing, Query};

/// Lifetime of our packets, in seconds.
const EXPIRATION: u64 = 20;

/// Maximum number of pending Pings.
const PINGS: usize = 1024;

/// From this number of pending Pings on, nodes that ping us are not pinged back.
const PINGS_TO_STRANGERS: usize = 768;

/// Number of addresses, and of networks, in a generation of a rate limiter.
///
/// These are as many as fit into hash tables of 2,048 and of 1,024 slots.
const LIMITED: usize = 1792;
const LIMITED_NETWORKS: usize = 896;

/// Maximum number of nodes to ping at the start.
const SEEDS: usize = 256;

/// A moment, on the monotonic clock and on the wall clock.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// The monotonic clock, for deadlines.
    pub at: Instant,
    /// Seconds since 1970, for the expiry of packets.
    pub unix: u64,
}

/// A packet to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// The recipient's address.
    pub to: SocketAddr,
    /// The packet, at most [`MAX_PACKET`](super::packet::MAX_PACKET) bytes.
    pub datagram: Bytes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Ping(PacketHash),
    Query(u64),
    Revalidate,
    Refresh,
}

/// A discovery node that has no socket, clock or task.
///
/// Pass received datagrams to [`received`](Self::received), and call [`advance`](Self::advance) no
/// later than [`next_deadline`](Self::next_deadline). After each call, drain
/// [`poll_transmit`](Self::poll_transmit), and send its packets. Drain
/// [`poll_event`](Self::poll_event), too. Each call may add a few packets and events, which only
/// these two methods remove. Everything that the machine stores for other nodes is bounded. Its
/// behaviour depends only on the calls and the random generator.
#[derive(Debug)]
pub struct Machine {
    key: SecretKey,
    own: NodeId,
    record: NodeRecord,
    config: Discv4Config,
    table: Table,
    bonds: Bonds,
    packets: Limiter,
    strangers: Limiter,
    stranger_networks: Limiter,
    pings: BTreeMap<PacketHash, PendingPing>,
    /// The pending Ping of each node.
    pinged: BTreeMap<(NodeId, SocketAddr), PacketHash>,
    queries: BTreeMap<u64, Query>,
    lookups: BTreeMap<u64, Running>,
    seeds: Vec<Contact>,
    /// Whether a seed has answered.
    joined: bool,
    timers: BTreeSet<(Instant, Timer)>,
    last_id: u64,
    transmits: VecDeque<Transmit>,
    events: VecDeque<Event>,
    rng: StdRng,
}

impl Machine {
    /// Creates a node with this key, its record, and the first 256 of these seeds.
    ///
    /// The record must belong to the key.
    #[must_use]
    pub fn new(
        key: SecretKey,
        record: NodeRecord,
        config: Discv4Config,
        seeds: &[Contact],
        now: Now,
        rng: StdRng,
    ) -> Self {
        let own = key.public_key().node_id();
        let (all, strangers) = (config.packets_per_second(), config.strangers_per_second());
        let limit = |per_second: u32, bursts: u32, capacity| {
            Limiter::new(per_second.saturating_mul(bursts), per_second, capacity)
        };
        let seeds = seeds.iter().filter(|seed| seed.node_id() != own);
        Self {
            table: Table::new(own),
            bonds: Bonds::default(),
            packets: limit(all, 2, LIMITED),
            strangers: limit(strangers, 4, LIMITED),
            stranger_networks: limit(strangers.saturating_mul(4), 4, LIMITED_NETWORKS),
            pings: BTreeMap::new(),
            pinged: BTreeMap::new(),
            queries: BTreeMap::new(),
            lookups: BTreeMap::new(),
            seeds: seeds.take(SEEDS).copied().collect(),
            joined: false,
            timers: BTreeSet::from([
                (now.at, Timer::Refresh),
                (after(now.at, config.revalidate_every()), Timer::Revalidate),
            ]),
            last_id: 0,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            key,
            own,
            record,
            config,
            rng,
        }
    }

    /// Replaces the node's record; returns whether it was accepted.
    ///
    /// A record that belongs to another key, or is not newer, is rejected.
    pub fn set_record(&mut self, record: NodeRecord) -> bool {
        let newer = record.node_id() == self.own && record.seq() > self.record.seq();
        if newer {
            self.record = record;
        }
        newer
    }

    /// Returns the node's own record.
    #[must_use]
    pub fn record(&self) -> &NodeRecord {
        &self.record
    }

    /// Returns the nodes in the table, the nearest bucket first.
    pub fn table(&self) -> impl Iterator<Item = &TableEntry> {
        self.table.entries()
    }

    /// Returns when [`advance`](Self::advance) must be called at the latest.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Handles all timers that are due.
    pub fn advance(&mut self, now: Now) {
        // The loop ends, because a timer starts only later timers. The exception is the next query
        // of a lookup, which is due at once if too many Pings are pending. But a lookup makes a
        // bounded number of queries.
        while let Some(due) = self.timers.first().copied()
            && due.0 <= now.at
        {
            self.timers.remove(&due);
            match due.1 {
                Timer::Ping(hash) => self.ping_unanswered(&hash, now),
                Timer::Query(id) => self.query_due(id, now),
                Timer::Revalidate => self.revalidate(now),
                Timer::Refresh => self.refresh(now),
            }
        }
    }

    /// Returns the next packet to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// Returns the next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn revalidate(&mut self, now: Now) {
        let next = after(now.at, self.config.revalidate_every());
        self.timers.insert((next, Timer::Revalidate));
        if let Some(contact) = self.table.stalest(self.config.silence(), now.at) {
            self.ping(contact, PINGS, now);
        }
    }

    fn next_id(&mut self) -> u64 {
        self.last_id = self.last_id.wrapping_add(1);
        self.last_id
    }

    /// Returns whether nodes at this address may take part in discovery.
    fn admits(&self, ip: IpAddr) -> bool {
        match Reach::of(ip) {
            Reach::Public => true,
            Reach::Private | Reach::Local => self.config.private_networks(),
            Reach::Unroutable => false,
        }
    }

    /// Signs and queues a packet; returns its hash.
    fn send(&mut self, to: SocketAddr, packet: &Packet) -> Option<PacketHash> {
        let sealed = packet.seal(&self.key).ok()?;
        self.transmits.push_back(Transmit {
            to,
            datagram: sealed.bytes,
        });
        Some(sealed.hash)
    }

    /// Returns our endpoint according to our record.
    fn own_endpoint(&self) -> WireEndpoint {
        let endpoint = self.record.endpoint();
        let ip = endpoint.as_ref().and_then(|endpoint| match endpoint.host {
            Host::Ip(ip) => Some(ip),
            Host::Dns(_) => None,
        });
        let port = |name| self.record.get(name).unwrap_or(0);
        let (udp, tcp) = match endpoint {
            Some(endpoint) => (endpoint.udp, endpoint.tcp),
            None => (port("udp"), port("tcp")),
        };
        WireEndpoint {
            ip: ip.or(Some(IpAddr::from([0; 4]))),
            udp,
            tcp,
        }
    }
}

fn expiration(now: Now) -> u64 {
    now.unix.saturating_add(EXPIRATION)
}

#[cfg(test)]
mod tests;
