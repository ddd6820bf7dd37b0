use std::net::{SocketAddr, TcpListener, UdpSocket};

use crate::process::{Peermux, run};

/// Starts a node with these options, and returns its enode URL and its record.
pub(crate) fn start(arguments: &[&str]) -> (Peermux, String, String) {
    let fixed = ["listen", "--addr", "127.0.0.1:0", "--json"];
    let mut node = Peermux::start(&[&fixed, arguments].concat());
    let text = |event: serde_json::Value, key: &str| event[key].as_str().expect(key).to_owned();
    let enode = text(node.event("listening"), "enode");
    let record = text(node.event("record"), "record");
    (node, enode, record)
}

/// Returns the next peer.
///
/// Events of failed dials are skipped: two nodes that find each other may dial at the same time, and then
/// one of the dials fails on both sides.
pub(crate) fn added(node: &mut Peermux) -> serde_json::Value {
    loop {
        let event = node.json();
        let error = event["error"]["text"].as_str().unwrap_or_default();
        let in_vain = event["event"] == "dial_failed" && error.contains("already connected");
        if !in_vain && event["event"] != "inbound_failed" {
            assert_eq!(event["event"], "peer_add", "{event}");
            return event;
        }
    }
}

fn id_of(peer: &serde_json::Value) -> String {
    peer["node_id"].as_str().expect("an id").to_owned()
}

#[test]
fn nodes_find_each_other_from_one_bootnode_on() {
    for version in ["v4", "v5"] {
        let (_boot, enode, record) = start(&["--discovery", version]);
        assert!(!enode.ends_with("discport=0"), "{enode}");
        let boot = ["--discovery", version, "--bootnode", &record];
        let (mut ann, ..) = start(&boot);
        let (mut ben, ..) = start(&boot);
        // The peers are the bootnode and the other node, in any order.
        for node in [&mut ann, &mut ben] {
            let two = [added(node), added(node)];
            assert_ne!(id_of(&two[0]), id_of(&two[1]));
        }
    }
}

#[test]
fn the_name_of_a_bootnode_is_resolved() {
    let (mut boot, enode, _) = start(&["--discovery", "v4"]);
    let named = enode.replace("127.0.0.1", "localhost");
    let (_node, ..) = start(&["--discovery", "v4", "--bootnode", &named]);
    added(&mut boot);
    let found = run(&["resolve", &named, "--json"]).report();
    assert_eq!(found["by"][0], "v4");
    let unknown = enode.replace("127.0.0.1", "nobody.invalid");
    let (mut node, ..) = start(&["--discovery", "v4", "--bootnode", &unknown]);
    node.log("a bootnode is not used");
}

#[test]
fn a_bootnode_stands_for_both_versions() {
    let (mut boot, _, record) = start(&["--discovery"]);
    let (_node, ..) = start(&["--bootnode", &record]);
    added(&mut boot);
}

#[test]
fn a_udp_port_in_use_is_reported() {
    let (taken, addr) = free_tcp_port_with_taken_udp();
    let addr = addr.to_string();
    let mut node = Peermux::start(&["listen", "--addr", &addr, "--discovery", "--json"]);
    let enode = node.event("listening")["enode"].to_string();
    assert!(enode.contains(&addr), "{enode}");
    assert!(enode.contains("discport="), "{enode}");
    node.log("the UDP port is in use");
    drop(taken);
}

/// Returns an address whose UDP port is bound, and whose TCP port is free.
///
/// The port is below the range of those that the system chooses for sockets of other tests.
fn free_tcp_port_with_taken_udp() -> (UdpSocket, SocketAddr) {
    let first = 10_000 + std::process::id() as u16 % 10_000;
    let both_free = |port| {
        let addr = SocketAddr::from(([127, 0, 0, 1], port));
        let taken = UdpSocket::bind(addr).ok()?;
        TcpListener::bind(addr).ok()?;
        Some((taken, addr))
    };
    let found = (first..first + 10_000).find_map(both_free);
    found.expect("a port that is free for both")
}
