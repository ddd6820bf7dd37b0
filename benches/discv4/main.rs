//! The costs of Node Discovery v4.
//!
//! - an answered Ping, compared with the minimum cryptography that it needs
//! - an invalid packet, in memory and as a flood over a socket
//! - losses while Discovery v5 is flooded at the same port
//! - a lookup among many nodes
//! - the memory of a full table
//!
//! Run it with `cargo bench --bench discv4 --features discv4`. The lookup runs among a thousand
//! nodes on loopback in this process, all of which join first. The floods use loopback sockets too.
//! The other measurements are in memory.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a benchmark has no caller to hand errors to"
)]

mod flood;

use std::alloc::System;
use std::collections::HashMap;
use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Duration;

use peermux::discv4::machine::Now;
use peermux::discv4::packet::{Datagram, EnrResponse, Packet, Ping, Pong, Sealed, WireEndpoint};
use peermux::discv4::{Contact, Discv4, Discv4Config, Machine};
use peermux::{NodeRecord, SecretKey};
use rand::SeedableRng;
use rand::rngs::StdRng;
use secp256k1::{Message, Secp256k1};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::time::Instant;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const UNIX: u64 = 1_700_000_000;
const RUNS: usize = 5;
const PINGS: u32 = 4000;
const NODES: usize = 1000;
const KNOWN: u32 = 20_000;

fn main() {
    answered_pings();
    refused_packets();
    packets_over_the_rate();
    flood::refused_from_a_socket();
    flood::beside_version_5();
    full_table();
    lookups();
}

fn key(number: u32) -> SecretKey {
    let mut bytes = [0x5a; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    SecretKey::from_bytes(&bytes).expect("in range")
}

fn record(key: &SecretKey, filler: usize) -> NodeRecord {
    let record = NodeRecord::builder(1)
        .udp(30_303)
        .value("x", &vec![7u8; filler]);
    record.sign(key).expect("a short record")
}

fn machine(config: Discv4Config, now: Now) -> Machine {
    let (key, rng) = (key(0), StdRng::seed_from_u64(1));
    Machine::new(key.clone(), record(&key, 1), config, &[], now, rng)
}

fn ping(key: &SecretKey, addr: SocketAddr, seq: u64, unix: u64) -> Sealed {
    let endpoint = WireEndpoint::new(addr, 30_303);
    let ping = Packet::Ping(Ping {
        version: 4,
        from: endpoint,
        to: endpoint,
        expiration: unix + 20,
        enr_seq: Some(seq),
    });
    ping.seal(key).expect("a short packet")
}

/// Answers a machine's requests to the nodes with these keys, until no request is left.
fn serve(machine: &mut Machine, keys: &HashMap<SocketAddr, (SecretKey, NodeRecord)>, now: Now) {
    while let Some(transmit) = machine.poll_transmit() {
        let Some((key, record)) = keys.get(&transmit.to) else {
            continue;
        };
        let datagram = Datagram::check(&transmit.datagram).expect("a packet");
        let hash = Some(datagram.hash());
        let answer = match datagram.packet().expect("a packet") {
            Packet::Ping(_) => Packet::Pong(Pong {
                to: WireEndpoint::new(transmit.to, 0),
                ping_hash: hash,
                expiration: UNIX + 20,
                enr_seq: Some(record.seq()),
            }),
            Packet::EnrRequest(_) => Packet::EnrResponse(EnrResponse {
                request_hash: hash,
                record: record.clone(),
            }),
            _ => continue,
        };
        let answer = answer.seal(key).expect("a short packet");
        let _ = machine.received(transmit.to, &answer.bytes, now);
    }
    while machine.poll_event().is_some() {}
}

/// Formats minimum, median and maximum.
fn spread(mut values: Vec<f64>) -> String {
    values.sort_by(f64::total_cmp);
    let [least, most] = [0, values.len() - 1].map(|at| values[at]);
    format!("{least:.2} / {:.2} / {most:.2}", values[values.len() / 2])
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Returns how many seconds `run` takes.
fn seconds(run: impl FnOnce()) -> f64 {
    let begun = Instant::now();
    run();
    begun.elapsed().as_secs_f64()
}

fn answered_pings() {
    let now = Now {
        at: Instant::now(),
        unix: UNIX,
    };
    let config = Discv4Config::default().with_private_networks(true);
    let mut machine = machine(config, now);
    let (other, addr) = (key(1), SocketAddr::from(([127, 0, 0, 2], 3000)));
    let keys = HashMap::from([(addr, (other.clone(), record(&other, 1)))]);
    let first = ping(&other, addr, 1, UNIX);
    machine.received(addr, &first.bytes, now).expect("answered");
    serve(&mut machine, &keys, now);
    let pings: Vec<_> = (0..PINGS).map(|_| ping(&other, addr, 1, UNIX)).collect();

    let context = Secp256k1::new();
    let secret = secp256k1::SecretKey::from_byte_array([9; 32]).expect("in range");
    let message = Message::from_digest([8; 32]);
    let signature = context.sign_ecdsa_recoverable(message, &secret);
    let (mut ratios, mut rates) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let least = seconds(|| {
            for _ in 0..PINGS {
                black_box(
                    context
                        .recover_ecdsa(message, black_box(&signature))
                        .is_ok(),
                );
                black_box(context.sign_ecdsa_recoverable(message, black_box(&secret)));
            }
        });
        let ours = seconds(|| {
            for ping in &pings {
                machine.received(addr, &ping.bytes, now).expect("answered");
                assert!(machine.poll_transmit().is_some() && machine.poll_transmit().is_none());
            }
        });
        ratios.push(least / ours);
        rates.push(f64::from(PINGS) / ours);
    }
    println!(
        "answered Pings: {:.0} a second, {:.2} of what one recovery and one signature allow",
        median(rates),
        median(ratios)
    );
}

fn refused_packets() {
    const PACKETS: u32 = 200_000;
    let packet = [0x5a; 200];
    let rates = (0..RUNS).map(|_| {
        let time = seconds(|| {
            for _ in 0..PACKETS {
                assert!(Datagram::check(black_box(&packet)).is_err());
            }
        });
        f64::from(PACKETS) / time
    });
    println!(
        "packets of 200 B with a wrong hash: {:.0} refused a second",
        median(rates.collect())
    );
}

/// Nearly all packets of one public address exceed its rate.
fn packets_over_the_rate() {
    const PACKETS: u32 = 200_000;
    let now = Now {
        at: Instant::now(),
        unix: UNIX,
    };
    let mut machine = machine(Discv4Config::default(), now);
    let addr = SocketAddr::from(([20, 0, 0, 1], 30_303));
    let rates = (0..RUNS).map(|_| {
        let time = seconds(|| {
            for _ in 0..PACKETS {
                let packet = black_box(&[0x5a; 200]);
                assert!(machine.received(addr, packet, now).is_err());
            }
        });
        f64::from(PACKETS) / time
    });
    println!(
        "packets of 200 B over the rate of their address: {:.0} refused a second",
        median(rates.collect())
    );
}

/// The memory of a machine that knows as many nodes as it can.
fn full_table() {
    let start = Instant::now();
    let now = Now {
        at: start,
        unix: UNIX,
    };
    let region = Region::new(ALLOCATOR);
    let mut machine = machine(Discv4Config::default(), now);
    for number in 1..=KNOWN {
        let key = key(number);
        let [_, a, b, c] = number.to_be_bytes();
        // Each known node has its own /24.
        let addr = SocketAddr::from(([20 + a, b, c, 1], 30_303));
        let keys = HashMap::from([(addr, (key.clone(), record(&key, 160)))]);
        let ping = ping(&key, addr, 1, UNIX);
        machine.received(addr, &ping.bytes, now).expect("answered");
        serve(&mut machine, &keys, now);
    }
    let (nodes, records) = machine.table().fold((0, 0), |(nodes, records), entry| {
        (nodes + 1, records + usize::from(entry.record.is_some()))
    });
    let change = region.change();
    let held = change.bytes_allocated - change.bytes_deallocated;
    println!(
        "after {KNOWN} nodes: {nodes} in the table, {records} with a record of nearly 300 B, and {:.2} MiB in total",
        held as f64 / f64::from(1 << 20)
    );
}

fn lookups() {
    rlimit::increase_nofile_limit(4096).expect("a limit on open files");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let config = Discv4Config::default()
            .with_private_networks(true)
            .with_random_lookups(0)
            // The time limit is generous, because all nodes share this machine's processors while
            // they join.
            .with_request_timeout(Duration::from_secs(1));
        let mut nodes: Vec<(Contact, Discv4)> = Vec::new();
        for number in 0..NODES {
            let key = key(number as u32);
            let node = Discv4::builder(key.clone(), record(&key, 1))
                .config(config)
                .seeds(nodes.iter().take(4).map(|(contact, _)| *contact))
                .bind(SocketAddr::from(([127, 0, 0, 1], 0)))
                .expect("a free port");
            let addr = node.local_addr().expect("a socket of its own");
            nodes.push((Contact::new(key.public_key(), addr, 0), node));
            // The lookups run one after the other, so that they do not slow each other down.
            let (own, node) = nodes.last().expect("a node");
            if number > 0 {
                let seed = nodes[0].0.to_enode();
                node.request_record(&seed).await.expect("the seed answers");
                node.lookup(own.public_key()).await.expect("a lookup");
            }
        }
        let mut times = Vec::new();
        for at in 0..50 {
            let (_, node) = &nodes[(at * 37 + 5) % NODES];
            let begun = Instant::now();
            let done = node.random_lookup().await.expect("a lookup");
            times.push(begun.elapsed().as_secs_f64() * 1000.0);
            assert_eq!(done.nodes.len(), 16);
        }
        let most = times.iter().copied().fold(0.0, f64::max);
        println!(
            "a lookup among {NODES} nodes on loopback: {:.1} ms, {most:.1} ms at most",
            median(times)
        );
    });
}
