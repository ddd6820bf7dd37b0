//! How much of an honest node an attacker with many keys but few networks controls.
//!
//! The test measures the attacker's share of the node's table and of its dialled peers.
//!
//! Environment variables: `PEERMUX_HONEST` is the number of honest nodes, 100 by default;
//! `PEERMUX_HOURS` is the duration of the attack in hours, 1 by default.

use std::collections::BTreeMap;
use std::time::Duration;

use peermux::discv4::{Contact, Discv4Config};

use super::attacker::{Attacker, is_hostile};
use super::net::{Net, contact};
use super::number;
use super::outbound::{Outbound, TARGET};

const SECOND: Duration = Duration::from_secs(1);

/// The honest node that is attacked.
const VICTIM: usize = 4;

/// The number of bootnodes, which are the first nodes.
const BOOTNODES: usize = 4;

/// How many keys ping the victim per second, and for how many seconds. The rush begins at the
/// victim's start. After it, one key pings the victim per second.
const RUSH: usize = 10;
const RUSH_FOR: u64 = 1000;

/// Every hour, one in this many of the nodes in `honest` is replaced.
const CHURN: usize = 50;

/// Returns the configuration of the nodes other than the victim. They search more rarely than by
/// default, since most of this test's run time is spent on their packets.
fn others() -> Discv4Config {
    Discv4Config::default()
        .with_random_lookups(1)
        .with_revalidate_every(Duration::from_secs(120))
        .with_refresh_every(Duration::from_secs(6 * 3600))
}

fn ip(number: usize) -> [u8; 4] {
    let [.., a, b] = (number as u32).to_be_bytes();
    [40 + a, b, 7, 1]
}

struct Attacked {
    net: Net,
    victim: Outbound,
    /// The running honest nodes other than the bootnodes and the victim.
    honest: Vec<usize>,
    joined: usize,
    /// Seconds since the victim started.
    up: u64,
}

impl Attacked {
    fn new(honest: usize) -> Self {
        let net = Net::empty(11);
        let victim = Outbound::new(VICTIM, 12, net.now);
        let (nodes, joined, up) = (Vec::new(), 0, 0);
        let mut attacked = Self {
            net,
            victim,
            honest: nodes,
            joined,
            up,
        };
        (0..honest).for_each(|_| attacked.join());
        attacked.honest.drain(..=VICTIM);
        attacked.net.run(Duration::from_secs(120));
        attacked.net.attacker = Some(Attacker::new());
        attacked
    }

    /// Adds a node in its own network (/16).
    fn join(&mut self) {
        let number = self.joined;
        self.joined += 1;
        let config = if number == VICTIM {
            Discv4Config::default()
        } else {
            others()
        };
        let boots: Vec<_> = (0..BOOTNODES).map(|boot| contact(boot, ip(boot))).collect();
        let begins = SECOND * (number as u32 % 60);
        let place = self.net.join(ip(number), config, &boots, begins);
        self.honest.push(place);
    }

    fn run(&mut self, seconds: u64) {
        let churn = 3600 * CHURN as u64 / self.honest.len() as u64;
        for _ in 0..seconds {
            self.up += 1;
            if self.up.is_multiple_of(churn) {
                let at = self.net.random::<u32>() as usize % self.honest.len();
                let left = self.honest.swap_remove(at);
                self.net.leave(left);
                self.join();
            }
            self.attack();
            self.net.run(SECOND);
            self.victim.second(&mut self.net);
        }
    }

    /// Pings the victim and one random honest node.
    fn attack(&mut self) {
        let at = self.net.random::<u32>() as usize % self.honest.len();
        let pings = if self.up < RUSH_FOR { RUSH } else { 1 };
        let places = std::iter::repeat_n(VICTIM, pings).chain([self.honest[at]]);
        for place in places {
            let to = self.net.contacts[place].udp_addr();
            let unix = self.net.unix();
            let attacker = self.net.attacker.as_mut().expect("there is one");
            let (from, ping) = attacker.ping(to, unix);
            self.net.inject(from, place, ping);
        }
    }

    /// Restarts the victim without bootnodes. It remembers only its book.
    fn restart(&mut self) {
        let seeds = self.victim.restart(&self.net);
        let config = Discv4Config::default();
        self.net.start(VICTIM, config, &seeds, Duration::ZERO);
        self.up = 0;
    }

    /// Prints the attacker's share and checks it against the limits.
    fn check(&self, when: &str) {
        let own = self.net.contacts[VICTIM].node_id();
        let table = self.net.table(VICTIM);
        let contacts = table.iter().map(|entry| entry.contact);
        let hostile: Vec<_> = contacts
            .filter(|contact| is_hostile(contact.udp_addr()))
            .collect();
        let (peers, all) = (self.victim.hostile(), self.victim.peers.len());
        let (in_book, book) = self.victim.book();
        println!(
            "{when}: the attacker has {} of {} nodes in the table, {peers} of {all} dialled peers, {in_book} of {book} \
             addresses in the book",
            hostile.len(),
            table.len(),
        );
        let count = |of: &dyn Fn(&Contact) -> [u8; 5]| {
            let mut counts = BTreeMap::new();
            for contact in &hostile {
                *counts.entry(of(contact)).or_insert(0) += 1;
            }
            counts.into_values().max().unwrap_or(0)
        };
        let network = |contact: &Contact| match contact.udp_addr().ip() {
            std::net::IpAddr::V4(ip) => ip.octets(),
            std::net::IpAddr::V6(_) => unreachable!("all are of IPv4"),
        };
        let in_table = count(&|contact| {
            let [a, b, c, _] = network(contact);
            [a, b, c, 0, 0]
        });
        let in_bucket = count(&|contact| {
            let [a, b, c, _] = network(contact);
            let id = contact.node_id();
            let xor: Vec<_> = id
                .as_bytes()
                .iter()
                .zip(own.as_bytes())
                .map(|(a, b)| a ^ b)
                .collect();
            let first = xor.iter().position(|byte| *byte != 0).unwrap_or(0);
            let zeros = 8 * first as u32 + xor[first].leading_zeros();
            // The last of the 17 buckets contains all nodes that are nearer than the other buckets'
            // nodes.
            [a, b, c, zeros.min(16) as u8, 1]
        });
        assert!(in_table <= 10, "{in_table} of a /24 in the table");
        assert!(in_bucket <= 2, "{in_bucket} of a /24 in a bucket");
        assert!(all >= TARGET - 2, "{all} dialled peers");
        assert!(peers * 4 < all, "{peers} of {all} dialled peers");
    }
}

#[test]
fn an_attacker_with_many_keys_gets_no_more_than_its_networks_allow() {
    let hours = number("PEERMUX_HOURS", 1) as u64;
    let mut attacked = Attacked::new(number("PEERMUX_HONEST", 100));
    attacked.run(hours * 3600);
    attacked.check("after the attack");
    attacked.restart();
    attacked.run(RUSH_FOR + 200);
    attacked.check("20 minutes after a restart");
}
