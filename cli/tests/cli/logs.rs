//! Tests of the log on standard error.

use rustix::process::Signal;
use serde_json::Value;

use crate::process::{Peermux, command, parse, run};

/// Returns the JSON log of a node that had one peer.
fn lines(verbose: &str) -> Vec<Value> {
    let (mut node, enode) = Peermux::listen(&[verbose, "--log", "json"]);
    let bench = ["bench", &enode, "--mode", "echo", "--count", "3"];
    run(&bench).succeeded();
    node.event("peer_add");
    node.event("peer_drop");
    node.signal(Signal::TERM);
    let ended = node.ended();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.errors.iter().map(|line| parse(line)).collect()
}

fn with<'a>(lines: &'a [Value], message: &str) -> Vec<&'a Value> {
    let of_this = |line: &&Value| line["message"] == message;
    lines.iter().filter(of_this).collect()
}

#[test]
fn each_line_of_a_connection_names_it_and_its_node() {
    let lines = lines("-vvv");
    let [connected] = with(&lines, "peer connected")[..] else {
        panic!("one peer: {lines:#?}");
    };
    let connection = connected["spans"][0].clone();
    assert_eq!(connection["name"], "connection");
    assert_eq!(connection["direction"], "inbound");
    let node_id = connection["node_id"].as_str().expect("an id");
    assert_eq!(node_id.len(), 64);
    let messages = [with(&lines, "received"), with(&lines, "sent")].concat();
    assert_eq!(messages.len(), 6, "{lines:#?}");
    for message in &messages {
        assert_eq!(message["level"], "TRACE");
        assert_eq!(message["protocol"], "bench/1");
        assert_eq!(message["spans"][0], connection, "{message}");
    }
    let ends = with(&lines, "connection ends");
    assert_eq!(ends.len(), 1);
    assert_eq!(ends[0]["spans"][0], connection);
    assert_eq!(ends[0]["requested_by"], "remote");
    for outside in ["connection opened", "connection closed"] {
        let [line] = with(&lines, outside)[..] else {
            panic!("one connection: {lines:#?}");
        };
        assert_eq!(line["connection"], connection["id"]);
    }
}

#[test]
fn a_line_of_a_protocol_is_in_its_span() {
    let (mut node, enode) = Peermux::listen(&["-vv", "--log", "json"]);
    let bench = ["bench", &enode, "--mode", "source", "--count", "3"];
    run(&bench).succeeded();
    let added = node.event("peer_add");
    node.event("peer_drop");
    let ended = node.terminated();
    let lines: Vec<_> = ended.errors.iter().map(|line| parse(line)).collect();
    let [line] = with(&lines, "sending the messages that were asked for")[..] else {
        panic!("one request: {lines:#?}");
    };
    assert_eq!(line["count"], 3);
    let [connection, protocol] = &line["spans"].as_array().expect("a list")[..] else {
        panic!("two spans: {line:#}");
    };
    assert_eq!(connection["name"], "connection");
    assert_eq!(connection["node_id"], added["node_id"]);
    assert_eq!(protocol["name"], "protocol");
    assert_eq!(protocol["protocol"], "bench/1");
}

/// Ends a node that logs as JSON, and checks its lines about the dialled connection.
fn of_dialled(node: Peermux, id: &str, messages: &[&str]) {
    node.signal(Signal::TERM);
    let ended = node.ended();
    let lines: Vec<_> = ended.errors.iter().map(|line| parse(line)).collect();
    for message in messages {
        let found = with(&lines, message);
        assert!(!found.is_empty(), "{message}: {lines:#?}");
        for line in found {
            assert_eq!(line["node_id"], id, "{line}");
            assert!(line["connection"].is_u64(), "{line}");
        }
    }
}

#[test]
fn each_line_of_a_dial_names_its_node() {
    let (_other, enode) = Peermux::listen(&[]);
    let log = ["-vv", "--log", "json"];
    let (mut node, _) = Peermux::listen(&[&["--static", &enode], &log[..]].concat());
    let added = node.event("peer_add");
    let id = added["node_id"].as_str().expect("an id");
    of_dialled(
        node,
        id,
        &["dialling", "connection opened", "connection closed"],
    );

    let nobody = format!("{}@127.0.0.1:1", enode.split('@').next().expect("a key"));
    let (mut node, _) = Peermux::listen(&[&["--static", &nobody], &log[..]].concat());
    node.event("dial_failed");
    of_dialled(node, id, &["dialling", "not connected"]);
}

#[test]
fn once_verbose_is_peers_and_dials() {
    let lines = lines("-v");
    assert!(
        lines.iter().all(|line| line["level"] == "INFO"),
        "{lines:#?}"
    );
    assert_eq!(with(&lines, "peer connected").len(), 1);
    assert_eq!(with(&lines, "connection ends").len(), 1);
}

#[test]
fn a_command_that_fails_says_so_in_the_form_of_the_log() {
    let nobody = "enode://79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8@127.0.0.1:1";
    let ended = Peermux::spawn(command(&["ping", nobody, "--log", "json"])).ended();
    assert_eq!(ended.code, Some(1));
    let [line] = ended.errors.as_slice() else {
        panic!("one line: {ended:?}");
    };
    let line = parse(line);
    assert_eq!(line["level"], "ERROR");
    let text = line["message"].as_str().expect("a text");
    assert!(text.contains("cannot connect to 127.0.0.1:1"), "{text}");
}
