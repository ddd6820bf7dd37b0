//! Tests of `peermux why`, and of nodes named by the first digits of their ids.

use crate::node::Node;
use crate::process::{Peermux, run};

#[test]
fn a_peer_that_left_is_explained() {
    let mut node = Node::start();
    let none = "no connection to a peer has ended";
    assert_eq!(node.run("why", &[]).succeeded(), [none]);
    let (error, _) = node.run("why", &["0123"]).failed();
    assert!(error.contains("begins with 0123"), "{error}");

    let bench = ["bench", &node.enode, "--mode", "echo", "--count", "50"];
    run(&bench).succeeded();
    node.process.event("peer_add");
    let dropped = node.process.event("peer_drop");
    assert!(
        dropped["recorded"]
            .as_u64()
            .is_some_and(|count| count > 100)
    );
    let id = dropped["node_id"].as_str().expect("an id");

    let listed = node.run("why", &[]).succeeded();
    let [header, row] = listed.as_slice() else {
        panic!("a header and a row: {listed:?}");
    };
    assert!(header.starts_with("ended"), "{header}");
    assert!(row.contains(id) && row.contains("client quitting"), "{row}");

    let whole = node.run("why", &[id, "--all"]).succeeded();
    let asks = whole.iter().filter(|line| line.contains("<- bench/1 "));
    assert!(asks.count() >= 50, "{whole:?}");
    let short = node.run("why", &[&id[..6]]).succeeded();
    assert!(short.len() < whole.len(), "{short:?}");
    let at = short.iter().position(|line| line == "in short:");
    let findings = &short[at.expect("findings") + 1..];
    assert_eq!(findings[0], "  the remote ended it: client quitting");
    assert!(findings[1].contains(" received ("), "{findings:?}");
    // Show only the last moment.
    let last = node.run("why", &[id, "--last", "0s", "--json"]).report();
    assert!(last["forgotten"].as_u64() > Some(0), "{last}");
}

#[test]
fn the_connection_that_ended_is_explained_after_the_next_has_begun() {
    let mut node = Node::start();
    let (_other, enode) = Peermux::listen(&[]);
    node.run("peers", &["add", &enode]).succeeded();
    let id = node.process.event("peer_add")["node_id"].to_string();
    let id = id.trim_matches('"');
    let (error, _) = node.run("why", &[id, "--ended"]).failed();
    assert!(error.contains("not among the peers that ended"), "{error}");
    node.run("peers", &["kick", id]).succeeded();
    node.process.event("peer_drop");
    node.process.event("peer_add");
    let again = "the peer is connected again; --ended shows the connection that ended";
    let shown = node.run("why", &[id]).succeeded();
    assert_eq!(shown[0], again);
    assert!(!shown.join(" ").contains("kicked"), "{shown:?}");
    let ended = node.run("why", &[id, "--ended"]).succeeded();
    assert!(ended.join(" ").contains("kicked"), "{ended:?}");
    let ended = node.run("why", &[id, "--ended", "--json"]).report();
    assert!(ended["end"].is_object(), "{ended}");
}

#[test]
fn a_peer_is_named_by_the_first_digits_of_its_id() {
    let mut node = Node::start();
    let (mut other, enode) = Peermux::listen(&[]);
    node.run("peers", &["add", &enode]).succeeded();
    let added = node.process.event("peer_add");
    let id = added["node_id"].as_str().expect("an id").to_owned();
    let error = node.run("peers", &["kick", "abc"]).refused();
    assert!(
        error.contains("needs at least its first 4 digits"),
        "{error}"
    );
    let trusted = node.run("peers", &["trust", &id[..4]]).succeeded();
    assert_eq!(trusted, [format!("trusted {id}")]);
    node.run("peers", &["remove", &id[..12]]).succeeded();
    other.event("peer_add");
    other.event("peer_drop");
    node.process.event("peer_drop");
    // The first digits are enough, because the node knows the id from the peer's recording.
    let banned = node.run("peers", &["ban", &id[..8]]).succeeded();
    assert_eq!(banned, [format!("banned {id}")]);
    let lifted = node.run("peers", &["unban", &id[..8]]).succeeded();
    assert_eq!(lifted, [format!("unbanned {id}")]);
}
