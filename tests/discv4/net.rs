//! A network of machines in virtual time, with latency and without sockets.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::SocketAddr;
use std::time::Duration;

use peermux::discv4::machine::{Event, Now, RequestId, Transmit};
use peermux::discv4::{Contact, Discv4Config, LookupDone, Machine, TableEntry};
use peermux::{Bytes, NodeRecord, SecretKey};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::Instant;

use super::attacker::Attacker;

/// The calendar time when the clock is at zero.
pub(crate) const UNIX: u64 = 1_700_000_000;

/// An event: a packet arrives, or a machine's deadline passes.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Arrives { from: SocketAddr, datagram: Bytes },
    Due,
}

/// The machines, and the packets in transit.
pub(crate) struct Net {
    pub(crate) contacts: Vec<Contact>,
    /// The machine of each node, or `None` for a node that has left.
    machines: Vec<Option<Machine>>,
    /// The owner of all addresses that belong to no machine.
    pub(crate) attacker: Option<Attacker>,
    places: BTreeMap<SocketAddr, usize>,
    /// The events, ordered by time. Events at the same time keep the order of their insertion.
    queue: BinaryHeap<Reverse<(Instant, u64, usize, What)>>,
    /// The deadline of each machine for which an event is queued.
    due: Vec<Option<Instant>>,
    queued: u64,
    start: Instant,
    pub(crate) now: Instant,
    rng: StdRng,
    done: BTreeMap<(usize, RequestId), LookupDone>,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
}

fn key(number: usize) -> SecretKey {
    let mut bytes = [0x5a; 32];
    bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
    SecretKey::from_bytes(&bytes).expect("in range")
}

/// Returns the contact of a node with this number and address.
pub(crate) fn contact(place: usize, ip: [u8; 4]) -> Contact {
    let addr = SocketAddr::from((ip, 30_303));
    Contact::new(key(place).public_key(), addr, 30_303)
}

impl Net {
    /// Creates `nodes` nodes, each in a /24 of its own. The first `seeds` nodes know
    /// each other, and all other nodes know them. The others start at random times up to `within`.
    pub(crate) fn new(nodes: usize, seeds: usize, within: Duration, seed: u64) -> Self {
        let mut net = Self::empty(seed);
        let ip = |number: usize| {
            let [.., a, b] = (number as u32).to_be_bytes();
            [20, a, b, 1]
        };
        let known: Vec<_> = (0..seeds)
            .map(|number| contact(number, ip(number)))
            .collect();
        for number in 0..nodes {
            let begins = if number < seeds {
                Duration::ZERO
            } else {
                within / 1000 * net.rng.random_range(0..1000)
            };
            // One random lookup per refresh instead of three, in addition to the lookup of the node
            // itself, halves the run time of the test.
            let config = Discv4Config::default().with_random_lookups(1);
            net.join(ip(number), config, &known, begins);
        }
        net
    }

    pub(crate) fn empty(seed: u64) -> Self {
        let start = Instant::now();
        Self {
            contacts: Vec::new(),
            machines: Vec::new(),
            attacker: None,
            places: BTreeMap::new(),
            queue: BinaryHeap::new(),
            due: Vec::new(),
            queued: 0,
            start,
            now: start,
            rng: StdRng::seed_from_u64(seed),
            done: BTreeMap::new(),
            packets: 0,
            bytes: 0,
        }
    }

    /// Adds a node that starts after `begins` with these seeds. Returns its number.
    pub(crate) fn join(
        &mut self,
        ip: [u8; 4],
        config: Discv4Config,
        seeds: &[Contact],
        begins: Duration,
    ) -> usize {
        let place = self.machines.len();
        let contact = contact(place, ip);
        self.contacts.push(contact);
        self.places.insert(contact.udp_addr(), place);
        self.machines.push(None);
        self.due.push(None);
        self.start(place, config, seeds, begins);
        place
    }

    /// Starts or restarts a node, which then knows only these seeds.
    pub(crate) fn start(
        &mut self,
        place: usize,
        config: Discv4Config,
        seeds: &[Contact],
        begins: Duration,
    ) {
        let record = NodeRecord::builder(1)
            .ip(self.contacts[place].udp_addr().ip())
            .udp(30_303)
            .tcp(30_303);
        let record = record.sign(&key(place)).expect("a short record");
        let rng = StdRng::seed_from_u64(self.rng.random());
        let now = self.at(self.now + begins);
        let machine = Machine::new(key(place), record, config, seeds, now, rng);
        self.machines[place] = Some(machine);
        self.due[place] = None;
        self.after(place);
    }

    /// Removes a node without notice to others.
    pub(crate) fn leave(&mut self, place: usize) {
        self.machines[place] = None;
    }

    pub(crate) fn is_there(&self, place: usize) -> bool {
        self.machines[place].is_some()
    }

    /// Returns the number of the node at an address.
    pub(crate) fn place(&self, addr: SocketAddr) -> Option<usize> {
        self.places.get(&addr).copied()
    }

    /// Returns the time since the network's start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    /// Returns the calendar time in seconds since 1970.
    pub(crate) fn unix(&self) -> u64 {
        self.at(self.now).unix
    }

    fn at(&self, at: Instant) -> Now {
        Now {
            at,
            unix: UNIX + at.duration_since(self.start).as_secs(),
        }
    }

    fn put(&mut self, at: Instant, place: usize, what: What) {
        self.queued += 1;
        self.queue.push(Reverse((at, self.queued, place, what)));
    }

    /// Handles what a machine has produced: packets, results and its next deadline.
    fn after(&mut self, place: usize) {
        let Some(machine) = &mut self.machines[place] else {
            return;
        };
        let transmits: Vec<_> = std::iter::from_fn(|| machine.poll_transmit()).collect();
        while let Some(event) = machine.poll_event() {
            if let Event::LookupDone(id, done) = event {
                self.done.insert((place, id), done);
            }
        }
        let deadline = machine.next_deadline();
        for transmit in transmits {
            self.packets += 1;
            self.bytes += transmit.datagram.len() as u64;
            self.carry(place, transmit);
        }
        let earlier = self.due[place].is_none_or(|due| deadline.is_some_and(|next| next < due));
        if let Some(deadline) = deadline.filter(|_| earlier) {
            self.due[place] = Some(deadline);
            self.put(deadline, place, What::Due);
        }
    }

    /// Delivers a packet to its destination.
    fn carry(&mut self, place: usize, transmit: Transmit) {
        let Transmit { to, datagram } = transmit;
        let from = self.contacts[place].udp_addr();
        if let Some(to) = self.places.get(&to).copied() {
            // Each pair of nodes has a fixed latency. So packets mostly stay in order, as they do
            // in practice.
            let delay = Duration::from_millis(10 + (place as u64 * 31 + to as u64 * 17) % 50);
            return self.put(self.now + delay, to, What::Arrives { from, datagram });
        }
        let unix = self.at(self.now).unix;
        let answers = self.attacker.as_mut();
        let answers = answers.map(|attacker| attacker.answer(to, from, &datagram, unix));
        for datagram in answers.unwrap_or_default() {
            self.inject(to, place, datagram);
        }
    }

    /// Sends a packet from an address that belongs to no node.
    pub(crate) fn inject(&mut self, from: SocketAddr, to: usize, datagram: Bytes) {
        let at = self.now + Duration::from_millis(20);
        self.put(at, to, What::Arrives { from, datagram });
    }

    /// Advances the clock by `time`, and handles all events up to the new time.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(Reverse((at, ..))) = self.queue.peek()
            && *at <= end
        {
            let Some(Reverse((at, _, place, what))) = self.queue.pop() else {
                break;
            };
            self.now = at.max(self.now);
            let now = self.at(self.now);
            let Some(machine) = &mut self.machines[place] else {
                continue;
            };
            match what {
                What::Arrives { from, datagram } => {
                    // Some packets are rejected, such as a late answer.
                    let _ = machine.received(from, &datagram, now);
                }
                What::Due => {
                    self.due[place] = None;
                    machine.advance(now);
                }
            }
            self.after(place);
        }
        self.now = end;
    }

    /// Starts a lookup. The returned value identifies it for [`take_result`](Self::take_result).
    pub(crate) fn lookup(&mut self, place: usize, target: [u8; 64]) -> (usize, RequestId) {
        let now = self.at(self.now);
        let machine = self.machines[place].as_mut().expect("the node runs");
        let id = machine.lookup(target, now);
        self.after(place);
        (place, id.expect("few lookups at a time"))
    }

    pub(crate) fn result(&self, of: &(usize, RequestId)) -> &LookupDone {
        self.done.get(of).expect("the lookup has ended")
    }

    /// Returns the result of a lookup that has ended. Each result is returned only once.
    pub(crate) fn take_result(&mut self, of: &(usize, RequestId)) -> Option<LookupDone> {
        self.done.remove(of)
    }

    /// Returns the table of a running node.
    pub(crate) fn table(&self, place: usize) -> Vec<TableEntry> {
        let machine = self.machines[place].iter();
        machine.flat_map(Machine::table).cloned().collect()
    }

    /// Returns the number of nodes in each node's table.
    pub(crate) fn tables(&self) -> impl Iterator<Item = usize> {
        let machines = self.machines.iter().flatten();
        machines.map(|machine| machine.table().count())
    }

    pub(crate) fn random<T>(&mut self) -> T
    where
        rand::distr::StandardUniform: rand::distr::Distribution<T>,
    {
        self.rng.random()
    }
}
