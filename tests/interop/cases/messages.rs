//! Connecting, matching and the messages of both protocols, in both dial directions.

use peermux::Enode;

use super::{Case, assert_they_dropped, assert_they_matched, assert_we_dropped};
use crate::foreign::Foreign;
use crate::node::Node;
use crate::peermux_cli;
use crate::program::Program;

const QUITTING: u8 = 0x08;

const MODES: [&str; 3] = ["sink", "source", "echo"];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = vec![
        Case::new("they_dial::second_protocol", |foreign| {
            they_dial(foreign, "echo", "echo");
        }),
        Case::new("they_dial::our_requests", our_requests_to_a_dialler),
        Case::new("we_dial::second_protocol", we_dial_for_echo),
    ];
    for mode in MODES {
        let theirs = move |foreign: &Foreign| they_dial(foreign, "bench", mode);
        cases.push(Case::new(format!("they_dial::{mode}"), theirs));
        let ours = move |foreign: &Foreign| we_dial(foreign, mode);
        cases.push(Case::new(format!("we_dial::{mode}"), ours));
    }
    cases
}

/// Returns how many messages of a size to send. There are more small messages than a queue can
/// hold.
fn count(size: usize) -> u64 {
    match size {
        0..=4096 => 300,
        4097..=1_048_576 => 50,
        _ => 3,
    }
}

/// The foreign program dials our binary and runs a protocol with each size.
fn they_dial(foreign: &Foreign, protocol: &str, mode: &str) {
    let (mut ours, enode) = peermux_cli::listen(&[]);
    for &size in foreign.sizes {
        let (size, count) = (size.to_string(), count(size).to_string());
        let arguments = ["--protocol", protocol, "--size", &size, "--count", &count];
        let mut theirs = foreign.drive(&enode, mode, &arguments);
        assert_they_matched(&theirs.event("peer_add"), &enode);
        let added = ours.event("peer_add");
        assert_eq!(added["direction"], "inbound");
        assert_eq!(added["capabilities"], peermux_cli::matched_capabilities());
        let client = added["client"].as_str().expect("a client name");
        assert!(client.contains(foreign.client), "{added}");

        let result = theirs.event("result");
        assert_eq!(result["ok"], true, "{result}");
        assert_they_dropped(&theirs.event("peer_drop"), QUITTING, "local");
        assert_we_dropped(&ours.event("peer_drop"), QUITTING, "remote");
        theirs.succeeded();
    }
}

/// Our binary dials the foreign program and runs `bench/1` with each size.
fn we_dial(foreign: &Foreign, mode: &str) {
    let (mut theirs, enode) = foreign.serve(&[]);
    let mut received = (0, 0);
    for &size in foreign.sizes {
        let count = count(size);
        let result = peermux_cli::bench(&enode, mode, size, count);
        assert_eq!(result["ok"], true, "{result}");
        assert_eq!(
            (&result["size"], &result["count"]),
            (&size.into(), &count.into())
        );
        assert_connection_seen(&mut theirs);
        received.0 += count;
        received.1 += count * size as u64;
    }
    if mode == "sink" {
        theirs.say("stats");
        let stats = theirs.event("stats");
        let told = (&stats["messages"], &stats["bytes"]);
        assert_eq!(told, (&received.0.into(), &received.1.into()));
    }
}

/// The foreign program dials our node, which runs both protocols over that connection.
fn our_requests_to_a_dialler(foreign: &Foreign) {
    let mut node = Node::start();
    let _theirs = foreign.drive(&node.enode(), "hold", &[]);
    let peer = node.next_peer();
    for &size in foreign.sizes {
        node.bench(&peer, size, count(size));
    }
    node.round_trips(&peer, foreign.sizes);
}

/// Our node dials the foreign program and runs `echo/1`, whose codes follow bench's.
fn we_dial_for_echo(foreign: &Foreign) {
    let (mut theirs, enode) = foreign.serve(&[]);
    let node = Node::start();
    let peer = node.dial(&enode).expect("connects");
    assert_they_matched(&theirs.event("peer_add"), &node.enode());

    let remote: Enode = enode.parse().expect("an enode URL");
    assert_eq!(peer.id(), remote.node_id());
    assert!(
        peer.full_name().contains(foreign.client),
        "{}",
        peer.full_name()
    );
    let shared = peer.shared_capabilities().iter();
    let codes: Vec<_> = shared
        .map(|shared| (shared.capability.to_string(), shared.codes()))
        .collect();
    let (bench, echo) = ("bench/1".to_owned(), "echo/1".to_owned());
    assert_eq!(codes, [(bench, 16..24), (echo, 24..26)]);

    node.round_trips(&peer, foreign.sizes);
}

/// Waits until the foreign program has reported the start and end of our binary's connection.
fn assert_connection_seen(theirs: &mut Program) {
    let added = theirs.event("peer_add");
    assert_eq!(added["capabilities"][0], "bench/1", "{added}");
    assert_they_dropped(&theirs.event("peer_drop"), QUITTING, "remote");
}
