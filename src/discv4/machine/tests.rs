use std::time::Duration;

use bytes::Bytes;
use rand::SeedableRng;

use super::*;
use crate::discv4::error::Discv4Error;
use crate::discv4::packet::{Datagram, EnrRequest, FindNode, Neighbors, Ping, Pong, kind};

/// A node whose packets the test moves one by one.
struct Node {
    key: SecretKey,
    addr: SocketAddr,
    machine: Machine,
}

fn key(number: u32) -> SecretKey {
    let mut bytes = [9; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    SecretKey::from_bytes(&bytes).unwrap()
}

fn record(number: u32, seq: u64) -> NodeRecord {
    let record = NodeRecord::builder(seq).tcp(30_303).udp(30_303);
    record.sign(&key(number)).unwrap()
}

fn address(number: u32) -> SocketAddr {
    let [_, _, c, d] = number.to_be_bytes();
    SocketAddr::from(([20, c, d, 1], 30_303))
}

fn contact(number: u32) -> Contact {
    Contact::new(key(number).public_key(), address(number), 30_303)
}

impl Node {
    fn new(number: u32, seeds: &[Contact], now: Now) -> Self {
        Self::with(number, seeds, now, Discv4Config::default())
    }

    fn with(number: u32, seeds: &[Contact], now: Now, config: Discv4Config) -> Self {
        let rng = StdRng::seed_from_u64(number.into());
        let machine = Machine::new(key(number), record(number, 1), config, seeds, now, rng);
        Self {
            key: key(number),
            addr: address(number),
            machine,
        }
    }

    fn sent(&mut self) -> Vec<Transmit> {
        std::iter::from_fn(|| self.machine.poll_transmit()).collect()
    }

    /// Takes the types of the packets that the node sent.
    fn kinds(&mut self) -> Vec<u8> {
        let sent = self.sent();
        sent.iter()
            .map(|transmit| Datagram::check(&transmit.datagram).unwrap().kind())
            .collect()
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.machine.poll_event()).collect()
    }
}

fn start() -> Now {
    Now {
        at: Instant::now(),
        unix: 1_700_000_000,
    }
}

fn later(now: Now, wait: Duration) -> Now {
    Now {
        at: now.at + wait,
        unix: now.unix + wait.as_secs(),
    }
}

/// Delivers packets until no node has any.
fn settle(nodes: &mut [Node], now: Now) {
    loop {
        let mut moved = false;
        for from in 0..nodes.len() {
            let source = nodes[from].addr;
            for transmit in nodes[from].sent() {
                moved = true;
                if let Some(to) = nodes.iter_mut().find(|node| node.addr == transmit.to) {
                    let _ = to.machine.received(source, &transmit.datagram, now);
                }
            }
        }
        if !moved {
            return;
        }
    }
}

/// Advances the clock by `time`, from deadline to deadline.
fn run(nodes: &mut [Node], mut now: Now, time: Duration) -> Now {
    let end = later(now, time);
    settle(nodes, now);
    loop {
        let next = nodes.iter().filter_map(|node| node.machine.next_deadline());
        let Some(at) = next.min().filter(|at| *at <= end.at) else {
            return end;
        };
        now = later(now, at.saturating_duration_since(now.at));
        for node in &mut *nodes {
            node.machine.advance(now);
        }
        settle(nodes, now);
    }
}

fn sealed(number: u32, packet: &Packet) -> (Bytes, PacketHash) {
    let sealed = packet.seal(&key(number)).unwrap();
    (sealed.bytes, sealed.hash)
}

fn ping(number: u32, now: Now) -> (Bytes, PacketHash) {
    let nowhere = WireEndpoint {
        ip: None,
        udp: 0,
        tcp: 7,
    };
    let ping = Ping {
        version: 5,
        from: nowhere,
        to: nowhere,
        expiration: now.unix + 20,
        enr_seq: None,
    };
    sealed(number, &Packet::Ping(ping))
}

fn pong(number: u32, ping_hash: PacketHash, now: Now) -> Bytes {
    let pong = Pong {
        to: WireEndpoint::new(address(1), 0),
        ping_hash: Some(ping_hash),
        expiration: now.unix + 20,
        enr_seq: None,
    };
    sealed(number, &Packet::Pong(pong)).0
}

fn find(number: u32, now: Now) -> Bytes {
    let find = FindNode {
        target: [7; 64],
        expiration: now.unix + 20,
    };
    sealed(number, &Packet::FindNode(find)).0
}

/// Makes the node `number` prove its endpoint to `node`, whose other packets are ignored.
fn bond(node: &mut Node, number: u32, now: Now) {
    let (datagram, _) = ping(number, now);
    let _ = node.machine.received(address(number), &datagram, now);
    let hash = node.sent().iter().find_map(|transmit| {
        let datagram = Datagram::check(&transmit.datagram).unwrap();
        (datagram.kind() == kind::PING).then(|| datagram.hash())
    });
    let answer = pong(number, hash.unwrap(), now);
    node.machine
        .received(address(number), &answer, now)
        .unwrap();
}

#[test]
fn a_stranger_gets_a_pong_and_a_ping_and_nothing_else() {
    let now = start();
    let mut node = Node::new(1, &[], now);
    let (datagram, hash) = ping(2, now);
    node.machine.received(address(2), &datagram, now).unwrap();
    let sent = node.sent();
    let packets: Vec<_> = sent
        .iter()
        .map(|transmit| {
            Datagram::check(&transmit.datagram)
                .unwrap()
                .packet()
                .unwrap()
        })
        .collect();
    let [Packet::Pong(answer), Packet::Ping(_)] = &packets[..] else {
        panic!("{packets:?}");
    };
    assert_eq!(answer.ping_hash, Some(hash));
    assert_eq!(answer.to.socket_addr(), Some(address(2)));
    assert_eq!(answer.enr_seq, Some(1));
    let expected = Err(Dropped::Unproven {
        packet: "FindNode",
        ip: address(2).ip(),
    });
    assert_eq!(
        node.machine.received(address(2), &find(2, now), now),
        expected
    );
    let request = Packet::EnrRequest(EnrRequest {
        expiration: now.unix + 20,
    });
    let (request, _) = sealed(2, &request);
    assert!(node.machine.received(address(2), &request, now).is_err());
    assert!(node.kinds().is_empty());
    assert_eq!(node.machine.table().count(), 0);
}

#[test]
fn a_node_that_answered_is_in_the_table_and_is_answered_at_that_address_alone() {
    let now = start();
    let mut node = Node::new(1, &[], now);
    bond(&mut node, 2, now);
    let entry = node.machine.table().next().unwrap();
    assert_eq!(entry.contact.endpoint().tcp, 7);
    let [Event::Found(found), Event::Observed(seen)] = &node.events()[..] else {
        panic!("two events");
    };
    assert_eq!(found.contact.node_id(), key(2).public_key().node_id());
    assert_eq!((seen.seen_as, seen.at), (address(1), address(2)));
    node.machine
        .received(address(2), &find(2, now), now)
        .unwrap();
    assert_eq!(node.kinds(), [kind::NEIGHBORS]);
    // Requests from another address, under another id, or half a day later get no answer.
    for (from, datagram) in [(address(3), find(2, now)), (address(2), find(3, now))] {
        let refused = node.machine.received(from, &datagram, now);
        assert!(
            matches!(refused, Err(Dropped::Unproven { .. })),
            "{refused:?}"
        );
    }
    let tomorrow = later(now, Duration::from_secs(12 * 60 * 60));
    assert!(
        node.machine
            .received(address(2), &find(2, tomorrow), tomorrow)
            .is_err()
    );
    assert!(node.kinds().is_empty());
}

#[test]
fn a_pong_counts_for_the_ping_that_it_names_and_its_sender() {
    let now = start();
    let mut node = Node::new(1, &[], now);
    let (datagram, own) = ping(2, now);
    node.machine.received(address(2), &datagram, now).unwrap();
    let sent = node.sent();
    let hash = Datagram::check(&sent[1].datagram).unwrap().hash();
    for (from, answer) in [
        (address(2), pong(2, [0; 32], now)),
        (address(2), pong(2, own, now)),
        (address(2), pong(3, hash, now)),
        (address(3), pong(2, hash, now)),
    ] {
        let refused = node.machine.received(from, &answer, now);
        assert!(
            matches!(refused, Err(Dropped::Unsolicited { .. })),
            "{refused:?}"
        );
    }
    let answer = pong(2, hash, now);
    assert_eq!(node.machine.received(address(2), &answer, now), Ok(()));
    assert!(node.machine.received(address(2), &answer, now).is_err());
}

#[test]
fn expired_packets_are_dropped() {
    let now = start();
    let mut node = Node::new(1, &[], now);
    bond(&mut node, 2, now);
    node.sent();
    let (datagram, _) = ping(2, now);
    let expired = later(now, Duration::from_secs(21));
    let dropped = node.machine.received(address(2), &datagram, expired);
    assert!(matches!(dropped, Err(Dropped::Expired { .. })));
    let past = Packet::EnrRequest(EnrRequest {
        expiration: (-20_i64) as u64,
    });
    let (past, _) = sealed(2, &past);
    let dropped = node.machine.received(address(2), &past, expired);
    assert!(matches!(dropped, Err(Dropped::Expired { .. })));
}

#[test]
fn a_flood_of_strangers_is_answered_to_the_limit() {
    let now = start();
    let mut node = Node::new(1, &[], now);
    for number in 100..200 {
        let (datagram, _) = ping(number, now);
        let _ = node.machine.received(address(2), &datagram, now);
    }
    let answered = node
        .kinds()
        .iter()
        .filter(|kind| **kind == kind::PONG)
        .count();
    assert_eq!(answered, 32);
    // All addresses of one network together get four times as many answers as one address.
    for number in 0..=255 {
        let (datagram, _) = ping(2, now);
        let from = SocketAddr::from(([21, 0, 0, number], 3000));
        let _ = node.machine.received(from, &datagram, now);
    }
    let answered = node
        .kinds()
        .iter()
        .filter(|kind| **kind == kind::PONG)
        .count();
    assert_eq!(answered, 128);
    // An IPv6 network counts as one sender.
    let (datagram, _) = ping(2, now);
    let answered = (0..100u16).filter(|host| {
        let from = format!("[2a01::{host:x}]:3000").parse().unwrap();
        node.machine.received(from, &datagram, now).is_ok()
    });
    assert_eq!(answered.count(), 32);
    // Beyond an address's limit for all packets, nothing is processed.
    let of_one = |node: &mut Node| node.machine.received(address(9), &[0; 200], now);
    let refused = (0..200)
        .map(|_| of_one(&mut node))
        .filter(|result| matches!(result, Err(Dropped::TooOften { .. })));
    assert_eq!(refused.count(), 100);
}

#[test]
fn strangers_leave_pings_for_our_own_requests() {
    let now = start();
    let mut node = Node::new(1, &[], now);
    for number in 0..1000 {
        let (datagram, _) = ping(number + 10, now);
        node.machine
            .received(address(number + 10), &datagram, now)
            .unwrap();
    }
    assert_eq!(node.machine.pings.len(), PINGS_TO_STRANGERS);
    node.machine.request_record(contact(2), now).unwrap();
    assert_eq!(node.machine.pings.len(), PINGS_TO_STRANGERS + 1);
    node.machine.advance(later(now, Duration::from_secs(1)));
    assert!(node.machine.pings.is_empty() && node.machine.pinged.is_empty());
}

#[test]
fn addresses_that_take_no_part_are_not_answered() {
    let now = start();
    let mut node = Node::new(1, &[], now);
    let (datagram, _) = ping(2, now);
    for from in [
        "127.0.0.1:3000",
        "10.0.0.1:3000",
        "0.0.0.0:3000",
        "[fe80::1]:3000",
        "1.2.3.4:0",
    ] {
        let dropped = node.machine.received(from.parse().unwrap(), &datagram, now);
        assert!(matches!(dropped, Err(Dropped::Address { .. })), "{from}");
    }
    let config = Discv4Config::default().with_private_networks(true);
    let mut node = Node::with(1, &[], now, config);
    assert!(
        node.machine
            .received("127.0.0.1:3000".parse().unwrap(), &datagram, now)
            .is_ok()
    );
    assert!(
        node.machine
            .received("[::ffff:10.0.0.1]:3000".parse().unwrap(), &datagram, now)
            .is_ok()
    );
    assert_eq!(node.sent()[2].to, "10.0.0.1:3000".parse().unwrap());
}

#[test]
fn unsolicited_answers_are_dropped() {
    let now = start();
    let mut node = Node::new(1, &[], now);
    bond(&mut node, 2, now);
    let neighbors = Packet::Neighbors(Neighbors {
        nodes: vec![contact(3).to_neighbor()],
        expiration: now.unix + 20,
    });
    let (datagram, _) = sealed(2, &neighbors);
    let dropped = node.machine.received(address(2), &datagram, now);
    assert!(matches!(dropped, Err(Dropped::Unsolicited { .. })));
}

#[test]
fn a_node_finds_others_through_its_seed() {
    let now = start();
    let mut nodes: Vec<_> = (1..=30)
        .map(|number| Node::new(number, &[contact(1)], now))
        .collect();
    let now = run(&mut nodes, now, Duration::from_secs(30));
    for node in &mut nodes {
        assert!(
            node.machine.table().count() >= 20,
            "{}",
            node.machine.table().count()
        );
        node.events();
    }
    let id = nodes[4]
        .machine
        .lookup(key(20).public_key().to_bytes(), now)
        .unwrap();
    run(&mut nodes, now, Duration::from_secs(5));
    let done = nodes[4].events().into_iter().find_map(|event| match event {
        Event::LookupDone(done, found) if done == id => Some(found),
        _ => None,
    });
    let done = done.unwrap();
    assert_eq!((done.nodes[0], done.nodes.len()), (contact(20), 16));
    assert!(nodes.iter().all(|node| node.machine.queries.is_empty()
        && node.machine.pings.is_empty()
        && node.machine.lookups.is_empty()));
}

#[test]
fn records_are_fetched_when_they_are_new() {
    let now = start();
    let mut nodes = [Node::new(1, &[contact(2)], now), Node::new(2, &[], now)];
    let now = run(&mut nodes, now, Duration::from_secs(2));
    let known = |node: &Node| -> Vec<_> {
        let records = node.machine.table().map(|entry| entry.record.as_ref());
        records
            .map(|record| record.map(|record| record.seq()))
            .collect()
    };
    assert_eq!(
        (known(&nodes[0]), known(&nodes[1])),
        (vec![Some(1)], vec![Some(1)])
    );
    assert!(!nodes[1].machine.set_record(record(2, 1)));
    assert!(!nodes[1].machine.set_record(record(3, 5)));
    assert!(nodes[1].machine.set_record(record(2, 5)));
    // The next Pong, which answers a check of the node, contains the new sequence number.
    run(&mut nodes, now, Duration::from_secs(30));
    assert_eq!(
        (known(&nodes[0]), known(&nodes[1])),
        (vec![Some(5)], vec![Some(1)])
    );
}

#[test]
fn a_caller_gets_the_record_or_an_error() {
    let now = start();
    let mut nodes = [Node::new(1, &[], now), Node::new(2, &[], now)];
    nodes[0].machine.request_record(contact(2), now).unwrap();
    nodes[0].machine.request_record(contact(3), now).unwrap();
    run(&mut nodes, now, Duration::from_secs(3));
    let mut results = nodes[0]
        .events()
        .into_iter()
        .filter_map(|event| match event {
            Event::RecordDone(_, result) => Some(result),
            _ => None,
        });
    assert_eq!(results.next().unwrap().unwrap(), record(2, 1));
    let error = results.next().unwrap().unwrap_err();
    assert!(matches!(error, Discv4Error::NoAnswer { addr, .. } if addr == address(3)));
    let limit = (0..100).find_map(|_| nodes[0].machine.request_record(contact(3), now).err());
    assert!(matches!(limit, Some(Discv4Error::Busy { limit: 64 })));
}

#[test]
fn a_node_that_is_gone_leaves_the_table() {
    let now = start();
    let mut nodes = vec![Node::new(1, &[contact(2)], now), Node::new(2, &[], now)];
    let now = run(&mut nodes, now, Duration::from_secs(60));
    assert_eq!(nodes[0].machine.table().count(), 1);
    nodes.truncate(1);
    run(&mut nodes, now, Duration::from_secs(60));
    assert_eq!(nodes[0].machine.table().count(), 0);
}

#[test]
fn absent_seeds_are_tried_again() {
    let now = start();
    let mut nodes = vec![Node::new(1, &[contact(2)], now)];
    let now = run(&mut nodes, now, Duration::from_secs(35));
    nodes.push(Node::new(2, &[], now));
    run(&mut nodes, now, Duration::from_secs(10));
    assert_eq!(nodes[0].machine.table().count(), 1);
}

#[test]
fn our_own_packets_are_dropped() {
    let now = start();
    let mut node = Node::new(1, &[contact(1)], now);
    node.machine.advance(now);
    assert!(node.kinds().is_empty());
    let (datagram, _) = ping(1, now);
    assert_eq!(
        node.machine.received(address(2), &datagram, now),
        Err(Dropped::Own)
    );
    assert_eq!(node.key.public_key().node_id(), node.machine.own);
}

#[test]
fn a_node_that_has_forgotten_us_is_pinged_anew() {
    let now = start();
    let mut nodes = [Node::new(1, &[], now), Node::new(2, &[], now)];
    let result = |node: &mut Node| {
        let mut events = node.events().into_iter();
        events.find_map(|event| match event {
            Event::RecordDone(_, result) => Some(result),
            _ => None,
        })
    };
    nodes[0].machine.request_record(contact(2), now).unwrap();
    let now = run(&mut nodes, now, Duration::from_secs(2));
    assert!(result(&mut nodes[0]).unwrap().is_ok());
    // The second node restarts, and then knows no other node.
    nodes[1] = Node::new(2, &[], now);
    nodes[0].machine.request_record(contact(2), now).unwrap();
    let now = run(&mut nodes, now, Duration::from_secs(2));
    assert!(result(&mut nodes[0]).unwrap().is_err());
    nodes[0].machine.request_record(contact(2), now).unwrap();
    run(&mut nodes, now, Duration::from_secs(2));
    assert!(result(&mut nodes[0]).unwrap().is_ok());
}

#[test]
fn a_lost_request_is_sent_again() {
    let now = start();
    let mut node = Node::new(1, &[], now);
    // The first refresh takes place now, before the endpoint proof fills the table.
    node.machine.advance(now);
    bond(&mut node, 2, now);
    node.sent();
    node.machine.request_record(contact(2), now).unwrap();
    assert_eq!(node.kinds(), [kind::ENR_REQUEST]);
    let now = later(now, Duration::from_millis(250));
    node.machine.advance(now);
    assert_eq!(node.kinds(), [kind::ENR_REQUEST]);
    node.machine.advance(later(now, Duration::from_millis(250)));
    assert!(node.kinds().is_empty() && node.machine.queries.is_empty());
}
