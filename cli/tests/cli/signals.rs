use rustix::process::Signal;
use serde_json::Value;

use crate::process::{Ended, Peermux, parse};

/// The node's peer is gone because it said that it quits.
fn assert_quit(dropped: &Value) {
    assert_eq!(dropped["event"], "peer_drop");
    assert_eq!(dropped["reason"]["code"], 8, "{dropped}");
    assert_eq!(dropped["requested_by"], "remote", "{dropped}");
}

#[test]
fn a_node_tells_its_peers_that_it_quits() {
    for signal in [Signal::INT, Signal::TERM] {
        let (mut node, enode) = Peermux::listen(&[]);
        let mut ping = Peermux::start(&["ping", &enode, "--count", "2", "--interval", "600"]);
        while !ping.line().starts_with("ping 1: ") {}
        node.event("peer_add");
        node.signal(signal);
        let (line, _) = ping.ended().failed();
        assert!(
            line.contains("disconnected: client quitting (0x08)"),
            "{line}"
        );
        let events = node.ended().events();
        assert_eq!(events.len(), 1, "{events:?}");
        assert_eq!(events[0]["event"], "peer_drop");
        assert_eq!(events[0]["reason"]["code"], 8);
        assert_eq!(events[0]["requested_by"], "local");
    }
}

/// The handlers are in place before a program can know that there is something to end.
#[test]
fn a_signal_right_after_the_first_line_is_clean() {
    for _ in 0..20 {
        let (node, _) = Peermux::listen(&[]);
        assert!(node.terminated().events().is_empty());
    }
}

#[test]
fn a_ping_takes_leave_and_tells_what_it_has() {
    for signal in [Signal::INT, Signal::TERM] {
        let (mut node, enode) = Peermux::listen(&[]);
        let mut ping = Peermux::start(&["ping", &enode, "--count", "9", "--interval", "600"]);
        while !ping.line().starts_with("ping 1: ") {}
        ping.signal(signal);
        let lines = ping.ended().succeeded();
        assert!(lines[0].starts_with("1 pings, "), "{lines:?}");
        node.event("peer_add");
        assert_quit(&node.json());
    }
}

#[test]
fn a_chat_takes_leave() {
    for signal in [Signal::INT, Signal::TERM] {
        let (mut node, enode) = Peermux::listen(&["--protocol", "chat"]);
        let mut chat = Peermux::start(&["chat", "--dial", &enode]);
        assert_eq!(chat.line(), "* listener is here");
        chat.signal(signal);
        assert_eq!(chat.ended().succeeded(), ["* listener is gone"]);
        node.event("peer_add");
        assert_quit(&node.json());
    }
}

#[test]
fn a_measurement_takes_leave_and_has_no_result() {
    for mode in ["sink", "source", "echo"] {
        let (mut node, enode) = Peermux::listen(&[]);
        let endless = ["--count", "4000000000", "--json", "-vv"];
        let bench = Peermux::start(&[&["bench", &enode, "--mode", mode], &endless[..]].concat());
        assert_no_result(&interrupted(bench));
        node.event("peer_add");
        assert_quit(&node.json());
    }
}

#[test]
fn handshakes_under_way_take_leave() {
    let (mut node, enode) = Peermux::listen(&[]);
    let endless = ["--count", "4000000000", "--concurrency", "4", "--json"];
    let bench = Peermux::start(&[&["bench", &enode, "--mode", "handshake"], &endless[..]].concat());
    node.event("peer_add");
    bench.signal(Signal::INT);
    assert_no_result(&bench.ended());
    for event in node.terminated().events() {
        if event["event"] == "peer_drop" {
            assert_quit(&event);
        }
    }
}

/// Interrupts a process that logs, once it has a peer.
fn interrupted(mut process: Peermux) -> Ended {
    process.log("peer connected");
    process.signal(Signal::INT);
    process.ended()
}

fn assert_no_result(ended: &Ended) {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.output.len(), 1, "{ended:?}");
    let told = parse(&ended.output[0]);
    assert_eq!(told["ok"], false, "{told}");
    assert_eq!(
        told["error"],
        "interrupted before the end of the measurement"
    );
}
