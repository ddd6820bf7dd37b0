//! An attacker with ten thousand keys and 256 addresses in four networks.

use std::net::SocketAddr;

use peermux::discv4::Contact;
use peermux::discv4::packet::{Datagram, Neighbor, Neighbors, Packet, Ping, Pong, WireEndpoint};
use peermux::{Bytes, SecretKey};
use sha3::{Digest, Keccak256};

const KEYS: usize = 10_000;

/// The number of networks (/24), and the number of addresses in each. Each network is in its own
/// /16.
const NETWORKS: usize = 4;
const OF_NETWORK: usize = 64;

/// Several keys share an address. Their ports differ, and begin at this one.
const FIRST_PORT: usize = 20_000;

/// Answers like an honest node, but returns only its own keys as neighbours.
pub(crate) struct Attacker {
    keys: Vec<SecretKey>,
    contacts: Vec<Contact>,
    /// The first bytes of each key's id, which suffice to compare distances.
    ids: Vec<u64>,
    next: usize,
}

/// Returns whether an address is the attacker's.
pub(crate) fn is_hostile(addr: SocketAddr) -> bool {
    matches!(addr, SocketAddr::V4(addr) if addr.ip().octets()[0] >= 200)
}

fn addr(number: usize) -> SocketAddr {
    let addresses = NETWORKS * OF_NETWORK;
    let (network, host) = (number % NETWORKS, number / NETWORKS % OF_NETWORK);
    let ip = [200 + network as u8, 7, 7, 1 + host as u8];
    SocketAddr::from((ip, (FIRST_PORT + number / addresses) as u16))
}

fn number(addr: SocketAddr) -> Option<usize> {
    let SocketAddr::V4(addr) = addr else {
        return None;
    };
    let [network, _, _, host] = addr.ip().octets();
    let network = usize::from(network).checked_sub(200)?;
    let host = usize::from(host).checked_sub(1)?;
    let at = usize::from(addr.port()).checked_sub(FIRST_PORT)?;
    Some(at * NETWORKS * OF_NETWORK + host * NETWORKS + network)
}

impl Attacker {
    pub(crate) fn new() -> Self {
        let key = |number: usize| {
            let mut bytes = [0xa5; 32];
            bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
            SecretKey::from_bytes(&bytes).expect("in range")
        };
        let keys: Vec<_> = (0..KEYS).map(key).collect();
        let contact = |(number, key): (usize, &SecretKey)| {
            Contact::new(key.public_key(), addr(number), 30_303)
        };
        let contacts: Vec<_> = keys.iter().enumerate().map(contact).collect();
        let ids = contacts
            .iter()
            .map(|contact| first(contact.node_id().as_bytes()));
        Self {
            ids: ids.collect(),
            contacts,
            keys,
            next: 0,
        }
    }

    /// Returns a Ping of the next key, and its source address.
    pub(crate) fn ping(&mut self, to: SocketAddr, unix: u64) -> (SocketAddr, Bytes) {
        self.next = (self.next + 1) % KEYS;
        let from = self.contacts[self.next].udp_addr();
        let ping = Packet::Ping(Ping {
            version: 4,
            from: WireEndpoint::new(from, 30_303),
            to: WireEndpoint::new(to, 0),
            expiration: unix + 20,
            enr_seq: None,
        });
        (from, seal(&ping, &self.keys[self.next]))
    }

    /// Returns the answers to a packet that was sent to the attacker's address `at`.
    pub(crate) fn answer(
        &mut self,
        at: SocketAddr,
        from: SocketAddr,
        datagram: &[u8],
        unix: u64,
    ) -> Vec<Bytes> {
        let Some(key) = number(at).and_then(|number| self.keys.get(number)) else {
            return Vec::new();
        };
        let Ok(datagram) = Datagram::check(datagram) else {
            return Vec::new();
        };
        match datagram.packet() {
            Ok(Packet::Ping(_)) => {
                let pong = Packet::Pong(Pong {
                    to: WireEndpoint::new(from, 0),
                    ping_hash: Some(datagram.hash()),
                    expiration: unix + 20,
                    enr_seq: None,
                });
                vec![seal(&pong, key)]
            }
            Ok(Packet::FindNode(find)) => {
                let nodes = self.nearest(&Keccak256::digest(find.target));
                let answers = Neighbors::split(&nodes, unix + 20).into_iter();
                let answers = answers.map(|answer| seal(&Packet::Neighbors(answer), key));
                answers.collect()
            }
            _ => Vec::new(),
        }
    }

    /// Returns the 16 keys nearest to a target.
    fn nearest(&self, target: &[u8]) -> Vec<Neighbor> {
        let target = first(target);
        let mut all: Vec<_> = (0..KEYS).collect();
        let (nearest, ..) = all.select_nth_unstable_by_key(16, |number| self.ids[*number] ^ target);
        let neighbor = |number: &usize| Neighbor {
            endpoint: WireEndpoint::new(addr(*number), 30_303),
            key: self.contacts[*number].public_key().to_bytes(),
        };
        nearest.iter().map(neighbor).collect()
    }
}

fn first(id: &[u8]) -> u64 {
    let first = id.first_chunk().expect("an id or a hash");
    u64::from_be_bytes(*first)
}

fn seal(packet: &Packet, key: &SecretKey) -> Bytes {
    packet.seal(key).expect("a short packet").bytes
}
