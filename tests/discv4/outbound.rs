//! A node's outbound peers, chosen by a server's rules.
//!
//! The book and discovery take turns as the source of nodes. There is at most one peer per network.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, SystemTime};

use peermux::addrbook::{Book, BookConfig, Group, Source};
use peermux::discv4::Contact;
use peermux::discv4::machine::RequestId;
use peermux::{Enode, NodeId};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::Instant;

use super::attacker::is_hostile;
use super::net::{Net, UNIX};

/// A server's default number of outbound peers: a third of its 50 seats.
pub(crate) const TARGET: usize = 17;

/// Automatic dials per second.
const DIALS: usize = 2;

/// The minimum interval between two dials of one node.
const REDIAL: Duration = Duration::from_secs(35);

/// The interval at which nodes of the table are added to the book.
const KEPT: Duration = Duration::from_secs(30);

/// The number of nodes from the book with which discovery starts.
pub(crate) const KNOWN: usize = 64;

/// The average time after which an honest peer leaves: ten hours. A hostile peer stays.
const STAYS: u32 = 10 * 3600;

/// The address book of a node, and its dialled peers.
pub(crate) struct Outbound {
    own: usize,
    pub(crate) peers: BTreeMap<NodeId, Contact>,
    book: Book,
    found: VecDeque<Contact>,
    lookup: Option<(usize, RequestId)>,
    turn_of_book: bool,
    dialled: BTreeMap<NodeId, Instant>,
    kept: Instant,
    rng: StdRng,
}

fn contact(enode: &Enode) -> Contact {
    Contact::of_enode(enode).expect("all have a port for discovery")
}

fn group(contact: &Contact) -> Group {
    Group::of_ip(contact.udp_addr().ip())
}

impl Outbound {
    pub(crate) fn new(own: usize, seed: u64, now: Instant) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        Self {
            own,
            peers: BTreeMap::new(),
            book: Book::new(BookConfig::default(), &mut rng),
            found: VecDeque::new(),
            lookup: None,
            turn_of_book: true,
            dialled: BTreeMap::new(),
            kept: now,
            rng,
        }
    }

    /// Drops everything but the book. Returns the nodes with which discovery starts.
    pub(crate) fn restart(&mut self, net: &Net) -> Vec<Contact> {
        self.peers.clear();
        self.dialled.clear();
        self.found.clear();
        self.lookup = None;
        let wall = wall(net);
        let mut seen = BTreeSet::new();
        for _ in 0..KNOWN {
            let new = |entry: &peermux::addrbook::Entry| !seen.contains(&entry.enode().node_id());
            let Some(entry) = self.book.draw(new, wall, &mut self.rng) else {
                break;
            };
            let enode = entry.enode().clone();
            seen.insert(enode.node_id());
        }
        let entries = self.book.entries().map(|entry| contact(entry.enode()));
        entries
            .filter(|contact| seen.contains(&contact.node_id()))
            .collect()
    }

    /// Returns how many peers are the attacker's.
    pub(crate) fn hostile(&self) -> usize {
        let hostile = |peer: &&Contact| is_hostile(peer.udp_addr());
        self.peers.values().filter(hostile).count()
    }

    /// Returns the number of the attacker's entries in the book, and of all entries.
    pub(crate) fn book(&self) -> (usize, usize) {
        let contacts = self.book.entries().map(|entry| contact(entry.enode()));
        let hostile = contacts.filter(|contact| is_hostile(contact.udp_addr()));
        (hostile.count(), self.book.len())
    }

    /// Advances by one second.
    pub(crate) fn second(&mut self, net: &mut Net) {
        let rng = &mut self.rng;
        self.peers
            .retain(|_, peer| match net.place(peer.udp_addr()) {
                Some(place) => net.is_there(place) && !rng.random_ratio(1, STAYS),
                None => true,
            });
        if net.now >= self.kept {
            self.kept = net.now + KEPT;
            self.keep(net);
        }
        for _ in 0..DIALS {
            if self.peers.len() >= TARGET {
                break;
            }
            let Some(next) = self.next(net) else {
                break;
            };
            self.dial(next, net);
        }
    }

    fn keep(&mut self, net: &Net) {
        let wall = wall(net);
        for entry in net.table(self.own) {
            if entry.is_worth_keeping() {
                let contact = entry.contact;
                let source = Source::Ip(contact.udp_addr().ip());
                // If the book already has an entry that contradicts this one, the book keeps its
                // entry.
                let _ = (self.book).add(&contact.to_enode(), source, wall, wall, &mut self.rng);
            }
        }
    }

    fn wanted(&self, contact: &Contact, now: Instant) -> bool {
        let recent = self.dialled.get(&contact.node_id());
        let recent = recent.is_some_and(|at| now < *at + REDIAL);
        let taken = self
            .peers
            .values()
            .any(|peer| group(peer) == group(contact));
        !recent && !taken && contact.endpoint().tcp != 0
    }

    /// Returns the next node to dial, from the book and discovery in turn.
    fn next(&mut self, net: &mut Net) -> Option<Contact> {
        let (now, wall) = (net.now, wall(net));
        self.look_around(net);
        let mut rng = StdRng::seed_from_u64(self.rng.random());
        let by_book = |outbound: &Self, rng: &mut StdRng| {
            let wanted =
                |entry: &peermux::addrbook::Entry| outbound.wanted(&contact(entry.enode()), now);
            let drawn = outbound.book.draw(wanted, wall, rng);
            drawn.map(|entry| contact(entry.enode()))
        };
        let by_walk = |outbound: &mut Self| {
            while let Some(found) = outbound.found.pop_front() {
                if outbound.wanted(&found, now) {
                    return Some(found);
                }
            }
            None
        };
        let first = self.turn_of_book;
        let drawn = if first {
            by_book(self, &mut rng)
        } else {
            by_walk(self)
        };
        let served_first = drawn.is_some();
        let drawn = match (drawn, first) {
            (None, true) => by_walk(self),
            (None, false) => by_book(self, &mut rng),
            (drawn, _) => drawn,
        };
        if drawn.is_some() {
            // The source that returned a node this time is asked second next time.
            self.turn_of_book = first != served_first;
        }
        drawn
    }

    fn look_around(&mut self, net: &mut Net) {
        if let Some(lookup) = self.lookup
            && let Some(done) = net.take_result(&lookup)
        {
            self.found.extend(done.nodes);
            self.lookup = None;
        }
        if self.found.is_empty() && self.lookup.is_none() {
            let target = std::array::from_fn(|_| self.rng.random());
            self.lookup = Some(net.lookup(self.own, target));
        }
    }

    fn dial(&mut self, to: Contact, net: &Net) {
        let (wall, id, enode) = (wall(net), to.node_id(), to.to_enode());
        self.dialled.retain(|_, at| net.now < *at + REDIAL);
        self.dialled.insert(id, net.now);
        self.book.attempt(&id, wall);
        let place = net.place(to.udp_addr());
        let there = place.is_none_or(|place| net.is_there(place));
        if !there {
            self.book.failed(&id, wall);
            return;
        }
        self.book.good(&enode, wall).expect("a public address");
        // Half of the honest nodes have no free seat.
        if place.is_none() || self.rng.random() {
            self.peers.insert(id, to);
        }
    }
}

/// Returns the calendar time.
fn wall(net: &Net) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(UNIX) + net.elapsed()
}
