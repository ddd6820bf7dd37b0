//! Many nodes of Node Discovery v4 in virtual time, without sockets.
//!
//! The nodes' lookups find the nodes that are actually nearest.
//!
//! The environment variable `PEERMUX_NODES` is the number of nodes, 1,000 by default.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, in helper functions too"
)]

mod attacker;
mod eclipse;
mod net;
mod outbound;

use std::time::Duration;

use net::Net;
use peermux::NodeId;
use peermux::discv4::Contact;
use sha3::{Digest, Keccak256};

const SAMPLES: usize = 200;

/// Returns a number from the environment.
fn number(name: &str, default: usize) -> usize {
    let set = std::env::var(name).ok();
    set.map_or(default, |set| set.parse().expect("a number"))
}

/// Returns the 16 nodes nearest to a target, without the node that asks.
fn nearest(contacts: &[Contact], asks: usize, target: &[u8; 64]) -> Vec<NodeId> {
    let target = Keccak256::digest(target);
    let distance = |contact: &Contact| {
        let id = *contact.node_id().as_bytes();
        std::array::from_fn::<_, 32, _>(|at| id[at] ^ target[at])
    };
    let mut all: Vec<_> = contacts.to_vec();
    all.remove(asks);
    all.sort_by_cached_key(distance);
    all.iter().take(16).map(Contact::node_id).collect()
}

#[test]
fn lookups_find_the_nearest_nodes_in_few_rounds() {
    let nodes = number("PEERMUX_NODES", 1000);
    let mut net = Net::new(nodes, 4, Duration::from_secs(60), 7);
    net.run(Duration::from_secs(80));
    let tables: Vec<_> = net.tables().collect();
    let joined = net.packets;

    let limit = (nodes as f64).log2() + 2.0;
    let mut started = Vec::new();
    for _ in 0..SAMPLES {
        let place = net.random::<u32>() as usize % nodes;
        let target = std::array::from_fn(|_| net.random());
        started.push((place, target, net.lookup(place, target)));
        net.run(Duration::from_millis(100));
    }
    net.run(Duration::from_secs(10));
    let (mut right, mut rounds, mut sum) = (0, 0, 0);
    for (place, target, id) in &started {
        let done = net.result(id);
        rounds = rounds.max(done.rounds);
        sum += done.rounds;
        let found: Vec<_> = done.nodes.iter().map(Contact::node_id).collect();
        let found = found == nearest(&net.contacts, *place, target);
        right += usize::from(found && done.rounds as f64 <= limit);
    }
    let (packets, bytes) = (net.packets, net.bytes);
    net.run(Duration::from_secs(60));
    println!(
        "{nodes} nodes: {right} of {SAMPLES} lookups found the nearest 16 within {limit:.1} rounds, {:.1} on average and {rounds} at most; \
         {} packets a node to join, {} and {} B a node a minute then; {} nodes in the smallest table, {} in the largest",
        sum as f64 / SAMPLES as f64,
        joined / nodes as u64,
        (net.packets - packets) / nodes as u64,
        (net.bytes - bytes) / nodes as u64,
        tables.iter().min().expect("nodes"),
        tables.iter().max().expect("nodes"),
    );
    assert!(right * 100 >= SAMPLES * 99, "{right} of {SAMPLES}");
}
