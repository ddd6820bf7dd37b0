use rustix::process::Signal;

use crate::folder::Folder;
use crate::process::{Peermux, run};

/// Dials again at once, which makes the test short.
const IMPATIENT: &str = "redial_gap = \"0s\"\nretry_min = \"20ms\"\nretry_max = \"200ms\"\n";

const KEY: &str = "00000000000000000000000000000000000000000000000000000000000000ee";

#[test]
fn a_static_node_is_connected_again_after_it_was_killed() {
    let folder = Folder::new();
    let config = folder.file("node.toml", IMPATIENT);
    let (mut other, enode) = Peermux::listen(&["--key", KEY]);
    let (_, addr) = enode.split_once('@').expect("an address");
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
        let again = node.event("peer_add");
        assert_eq!(again["node_id"], first["node_id"]);
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
