//! The heap memory that a connection holds, and the allocations that it makes.
//!
//! This test is its own binary, since the allocator counts the whole process.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, missing_docs)]

use std::alloc::System;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use peermux::addrbook::{AddressBook, AddressBookConfig, Source, SystemClock};
use peermux::discv4::machine::Now;
use peermux::discv4::packet::{Datagram, EnrResponse, Packet, Ping, Pong, WireEndpoint};
use peermux::discv4::{Contact, Discv4Config, Machine};
use peermux::driver::PeerOptions;
use peermux::{NodeRecord, Peer, Protocol, ProtocolConn, SecretKey, Server, messages, testing};
use rand::SeedableRng;
use rand::rngs::StdRng;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Returns the number of bytes that are allocated now.
fn live() -> usize {
    let stats = COUNTED.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

/// Returns the number of allocations so far, including reallocations.
fn allocations() -> usize {
    let stats = COUNTED.stats();
    stats.allocations + stats.reallocations
}

messages! {
    enum Load, length = 1 {
        0x00 => Data(Bytes),
    }
}

/// Two nodes, and the channels of their protocols, which the test drives.
struct Pair {
    _nodes: [Server; 2],
    _peers: [Peer; 2],
    near: ProtocolConn<Load>,
    far: ProtocolConn<Load>,
}

impl Pair {
    /// Connects two nodes through a pipe with a tiny buffer.
    async fn connected() -> Self {
        let ((left, mut lefts), (right, mut rights)) = (lent(), lent());
        let (dials, accepts) = tokio::io::duplex(1 << 10);
        let node = |protocol| Server::builder(SecretKey::generate()).protocol(protocol);
        let (left, right) = (
            node(left).start().await.unwrap(),
            node(right).start().await.unwrap(),
        );
        let remote = *right.enode().public_key();
        let connected = tokio::join!(left.dial_over(dials, &remote), right.accept_over(accepts));
        Self {
            _nodes: [left, right],
            _peers: [connected.0.unwrap(), connected.1.unwrap()],
            near: lefts.recv().await.unwrap(),
            far: rights.recv().await.unwrap(),
        }
    }

    /// Sends messages to the far end, then receives them there.
    async fn burst(&mut self, size: usize, count: usize) {
        let message = Load::Data(Bytes::from(vec![0x5a; size]));
        for _ in 0..count {
            self.near.send(&message).await.unwrap();
        }
        for _ in 0..count {
            self.far.recv().await.unwrap().unwrap();
        }
    }
}

fn lent() -> (Protocol, mpsc::Receiver<ProtocolConn<Load>>) {
    let (lend, lent) = mpsc::channel(1);
    let protocol = Protocol::typed::<Load>("a", 0).run(move |peer, conn| {
        let lend = lend.clone();
        async move {
            lend.try_send(conn).map_err(peermux::ProtocolError::other)?;
            peer.ending().await;
            Ok(())
        }
    });
    (protocol, lent)
}

/// All checks are in one test, since concurrent tests would count each other's memory.
#[tokio::test(start_paused = true)]
async fn peers_use_little_memory_a_burst_leaves_nothing_and_messages_share_allocations() {
    discovery_keeps_little().await;
    idle_peers_keep_little().await;
    let mut pair = Pair::connected().await;
    nothing_is_left(&mut pair).await;
    allocations_are_shared(&mut pair).await;
}

/// Discovery v4 and an address book together take less than 2 MiB. Discovery has met 5,000 nodes,
/// and the book has 1,000 on disk. Each node is in its own network. Everything in discovery that
/// has a bound is full, except the buckets of the nearest nodes.
async fn discovery_keeps_little() {
    const NODES: u32 = 5000;
    const KEPT: usize = 1000;
    const UNIX: u64 = 1_700_000_000;
    let now = Now {
        at: Instant::now(),
        unix: UNIX,
    };
    let directory = tempfile::tempdir().unwrap();
    let before = live();
    let own = SecretKey::from_bytes(&[1; 32]).unwrap();
    let record = NodeRecord::builder(1).sign(&own).unwrap();
    let rng = StdRng::seed_from_u64(1);
    let mut machine = Machine::new(own, record, Discv4Config::default(), &[], now, rng);
    let met: Vec<_> = (0..NODES)
        .map(|number| meet(&mut machine, number, now))
        .collect();
    let discovery = live() - before - std::mem::size_of_val(&met[..]);
    let config = AddressBookConfig::default();
    let opened = AddressBook::open(directory.path().join("book"), config, SystemClock::new());
    let (book, writer) = opened.await.unwrap();
    let stop = CancellationToken::new();
    let writer = tokio::spawn(writer.run(stop.clone().cancelled_owned()));
    for contact in &met[..KEPT] {
        let source = Source::Ip(contact.udp_addr().ip());
        book.add(&contact.to_enode(), source).unwrap();
    }
    book.flush().await.unwrap();
    drop(met);
    let held = live() - before;
    let records = machine.table().filter(|entry| entry.record.is_some());
    let (nodes, records) = (machine.table().count(), records.count());
    println!(
        "{held} bytes: {discovery} for {nodes} nodes in the table, {records} with their records, and all else that \
         discovery keeps, the rest for {KEPT} nodes in the book"
    );
    assert!(
        nodes >= 100 && records >= 100,
        "{nodes} nodes, {records} records"
    );
    assert!(held <= 2 << 20, "{held} bytes");
    stop.cancel();
    writer.await.unwrap().unwrap();
}

/// Makes a node ping a machine and answer all its requests.
fn meet(machine: &mut Machine, number: u32, now: Now) -> Contact {
    let mut bytes = [0x5a; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    let key = SecretKey::from_bytes(&bytes).unwrap();
    let [_, a, b, c] = number.to_be_bytes();
    let addr = SocketAddr::from(([20 + a, b, c, 1], 30_303));
    let (endpoint, expiration) = (WireEndpoint::new(addr, 30_303), now.unix + 20);
    let ping = Packet::Ping(Ping {
        version: 4,
        from: endpoint,
        to: endpoint,
        expiration,
        enr_seq: Some(1),
    });
    let ping = ping.seal(&key).unwrap();
    machine.received(addr, &ping.bytes, now).unwrap();
    while let Some(transmit) = machine.poll_transmit() {
        let datagram = Datagram::check(&transmit.datagram).unwrap();
        let hash = Some(datagram.hash());
        let answer = match datagram.packet().unwrap() {
            Packet::Ping(_) => Packet::Pong(Pong {
                to: endpoint,
                ping_hash: hash,
                expiration,
                enr_seq: Some(1),
            }),
            // The record is almost as large as a record may be.
            Packet::EnrRequest(_) => Packet::EnrResponse(EnrResponse {
                request_hash: hash,
                record: NodeRecord::builder(1)
                    .value("x", &[7u8; 160].to_vec())
                    .sign(&key)
                    .unwrap(),
            }),
            _ => continue,
        };
        machine
            .received(transmit.to, &answer.seal(&key).unwrap().bytes, now)
            .unwrap();
    }
    while machine.poll_event().is_some() {}
    Contact::new(key.public_key(), addr, 30_303)
}

/// Idle peers use little memory, even right after they connect. If many peers released memory only
/// later, the process would keep most of it, in gaps between live allocations.
async fn idle_peers_keep_little() {
    const MOST: usize = 9 << 10;
    let quiet = Protocol::builder("quiet", 1, 1).run(|_, mut conn| async move {
        while conn.recv().await?.is_some() {}
        Ok(())
    });
    // The peers belong to two nodes, whose own memory does not count.
    let [left, right] = [PeerOptions::default(), PeerOptions::default()];
    let connect = || async {
        let side = |options: &PeerOptions| {
            testing::Settings::from(quiet.clone()).with_options(options.clone())
        };
        testing::connect(side(&left), side(&right)).await
    };
    // The first connection also allocates shared data.
    let first = connect().await.unwrap();
    let before = live();
    let mut connected = Vec::with_capacity(50);
    for _ in 0..50 {
        connected.push(connect().await.unwrap());
    }
    for after in [1, 11].map(Duration::from_secs) {
        tokio::time::sleep(after).await;
        let each = (live() - before) / (2 * connected.len());
        assert!(each <= MOST, "{each} bytes a peer");
    }
    drop((first, connected));
}

async fn nothing_is_left(pair: &mut Pair) {
    // The first Ping takes additional memory for a moment, so wait until after that.
    tokio::time::sleep(Duration::from_secs(21)).await;
    let before = live();
    // Half of the 8 KiB is for tasks and timers, half for this thread's encoding.
    let most = before + (8 << 10);
    for (size, count) in [(1 << 20, 3), (100, 200)] {
        for _ in 0..2 {
            pair.burst(size, count).await;
            std::mem::swap(&mut pair.near, &mut pair.far);
        }
        let during = live();
        let mut seconds = 0;
        while live() > most && seconds < 8 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            seconds += 1;
        }
        let after = live();
        assert!(
            after <= most,
            "{before} bytes before a burst of {size}, {during} right after it, {after} later"
        );
    }
}

/// Neither end allocates per message: small messages share chunks of 4 KiB.
async fn allocations_are_shared(pair: &mut Pair) {
    for (size, messages_an_allocation) in [(16, 40), (256, 3), (900, 1)] {
        pair.burst(size, 200).await;
        let before = allocations();
        let rounds = 20;
        for _ in 0..rounds {
            pair.burst(size, 200).await;
        }
        let each = (allocations() - before) / rounds;
        // The burst may begin in an existing chunk, and one chunk is two allocations.
        assert!(
            each.saturating_sub(2) * messages_an_allocation <= 200,
            "{each} allocations for 200 messages of {size} bytes"
        );
    }
}
