use peermux::{NodeRecord, SecretKey};
use rustix::process::Signal;
use serde_json::Value;

use crate::folder::Folder;
use crate::process::{Peermux, address, keys, run};

/// Settings without long waits between dials.
const IMPATIENT: &str = "redial_gap = \"0s\"\nbackoff.base = \"20ms\"\nbackoff.cap = \"200ms\"\n";

const KEY: &str = "00000000000000000000000000000000000000000000000000000000000000ee";

/// Returns the next event that is not a failed dial. The event must be of this kind.
fn next(node: &mut Peermux, kind: &str) -> Value {
    let mut events = std::iter::from_fn(|| Some(node.json()));
    let event = events.find(|event| event["event"] != "dial_failed");
    let event = event.expect("a further event");
    assert_eq!(event["event"], kind, "{event}");
    event
}

#[test]
fn a_node_that_is_not_there_is_told_of_with_the_time_until_the_next_try() {
    let (other, enode) = Peermux::listen(&["--key", KEY]);
    other.terminated();
    let addr = address(&enode);
    let (mut node, _) = Peermux::listen(&["--static", &enode]);
    let failed = node.event("dial_failed");
    let expected = [
        "addr",
        "error",
        "event",
        "failures",
        "node_id",
        "retry_in_ms",
        "time",
    ];
    assert_eq!(keys(&failed), expected);
    let id = failed["node_id"].as_str().expect("an id");
    let error = failed["error"]["text"].as_str().expect("a text");
    assert_eq!(failed["addr"], addr);
    assert!(error.contains(id) && error.contains(addr), "{error}");
    assert!(failed["retry_in_ms"].as_u64().expect("a time") <= 35_000);

    let mut node = Peermux::start(&["listen", "--addr", "127.0.0.1:0", "--static", &enode]);
    let [_enode, _record, line] = std::array::from_fn(|_| node.line());
    let (_, told) = line.split_once(" dial_failed ").expect(&line);
    assert_eq!(told, format!("{error}, next try in 35 s"));
}

#[test]
fn a_static_node_is_connected_again_after_it_was_killed() {
    let folder = Folder::new();
    let config = folder.file("node.toml", IMPATIENT);
    let (mut other, enode) = Peermux::listen(&["--key", KEY]);
    let addr = address(&enode);
    let (mut node, _) = Peermux::listen(&["--config", &config, "--static", &enode]);
    let first = node.event("peer_add");
    assert_eq!(first["direction"], "outbound");
    for signal in [Signal::KILL, Signal::TERM] {
        other.signal(signal);
        other.ended();
        let dropped = node.event("peer_drop");
        assert_eq!(dropped["node_id"], first["node_id"]);
        other = Peermux::start(&["listen", "--addr", addr, "--json", "--key", KEY]);
        other.event("listening");
        other.event("record");
        let again = next(&mut node, "peer_add");
        assert_eq!(again["node_id"], first["node_id"]);
    }
}

#[test]
fn a_node_can_be_given_by_its_record() {
    let (mut other, enode) = Peermux::listen(&["--key", KEY]);
    let port = address(&enode)
        .rsplit(':')
        .next()
        .and_then(|port| port.parse().ok());
    let key: SecretKey = KEY.parse().expect("a key");
    let record = NodeRecord::builder(1)
        .ip([127, 0, 0, 1].into())
        .tcp(port.expect("a port"))
        .sign(&key)
        .expect("a record")
        .to_string();
    let folder = Folder::new();
    let config = folder.file("node.toml", &format!("static_nodes = [{record:?}]\n"));
    for arguments in [["--static", &record], ["--config", &config]] {
        let (mut node, _) = Peermux::listen(&arguments);
        let peer = node.event("peer_add");
        assert_eq!(peer["node_id"], key.public_key().node_id().to_string());
        assert_eq!(other.event("peer_add")["direction"], "inbound");
        node.terminated();
        other.event("peer_drop");
    }
}

#[test]
fn a_trusted_node_is_let_in_when_there_is_no_room() {
    let shown = run(&["key", "show", "--key", KEY, "--json"]).events();
    let trusted = shown[0]["enode"].as_str().expect("an enode URL");
    let (_node, enode) = Peermux::listen(&["--max-peers", "0", "--trusted", trusted]);
    run(&["ping", &enode, "--key", KEY]).succeeded();
    let (line, _) = run(&["ping", &enode]).failed();
    assert!(line.contains("too many peers (0x04)"), "{line}");
}

#[test]
fn a_node_that_cannot_be_dialled_is_wrong_usage() {
    let shown = run(&["key", "show", "--key", KEY, "--json"]).events();
    let nowhere = shown[0]["enode"].as_str().expect("an enode URL");
    let told = run(&["listen", "--static", nowhere]).refused();
    assert!(told.contains("no host and TCP port to dial"), "{told}");
}
