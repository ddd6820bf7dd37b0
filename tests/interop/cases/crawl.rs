//! `peermux crawl` visits other implementations, and go-ethereum reads its files.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use super::Case;
use crate::foreign::{Foreign, Implementation, output};
use crate::peermux_cli;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("crawl::they_are_met", they_are_met),
        Case::new("crawl::a_chain_is_told", a_chain_is_told).only(Implementation::Geth),
        Case::new("crawl::devp2p_reads_our_node_set", node_set).only(Implementation::Geth),
    ]
}

/// Crawls a single node and returns its result.
fn visited(enode: &str) -> Value {
    let mut told = peermux_cli::crawl(&["--bootnode", enode, "--discovery", "none"]);
    assert_eq!(told.len(), 2, "{told:?}");
    told.remove(0)
}

fn they_are_met(foreign: &Foreign) {
    let (_theirs, enode) = foreign.serve(&[]);
    let node = visited(&enode);
    assert_eq!(node["outcome"], "met", "{node}");
    let client = node["client"].as_str().expect("a client name");
    assert!(client.contains(foreign.client), "{node}");
    let speaks = json!([{ "name": "bench", "version": 1 }, { "name": "echo", "version": 1 }]);
    assert_eq!(node["capabilities"], speaks, "{node}");
    assert!(node["rtt_us"].is_number(), "{node}");
    assert!(node["error"].is_null(), "{node}");
}

fn a_chain_is_told(foreign: &Foreign) {
    let mut theirs = foreign.eth(69);
    let chain = theirs.event("chain");
    let listening = theirs.event("listening");
    let enode = listening["enode"].as_str().expect("an enode URL");
    let node = visited(enode);
    let speaks = json!([{ "name": "eth", "version": 69 }]);
    assert_eq!(node["capabilities"], speaks, "{node}");
    let eth = &node["eth"];
    assert_eq!(eth["version"], 69, "{node}");
    for (ours, theirs) in [
        ("network", "network"),
        ("genesis", "genesis"),
        ("head", "hash"),
        ("latest", "number"),
    ] {
        assert_eq!(eth[ours], chain[theirs], "{node}");
    }
    let next = chain["forks"][1]
        .as_u64()
        .expect("a block that is still to come");
    let fork = eth["fork_id"].as_str().expect("a fork identifier");
    assert!(fork.ends_with(&format!("/{next}")), "{node}");
}

/// go-ethereum's tool reads a set of two nodes, of which one has a record.
fn node_set(foreign: &Foreign) {
    let (_theirs, plain) = foreign.serve(&[]);
    let (_ours, _, recorded) = peermux_cli::listen_with_record(&[]);
    let file = output().join(format!("crawled-{}.json", std::process::id()));
    let out = file.to_str().expect("a path in UTF-8");
    let boots = ["--bootnode", &recorded, "--bootnode", &plain];
    let told = peermux_cli::crawl(&[&boots[..], &["--discovery", "none", "--out", out]].concat());
    let summary = told.last().expect("a summary");
    assert_eq!((&summary["known"], &summary["met"]), (&2.into(), &2.into()));

    let devp2p = foreign.devp2p.as_ref().expect("built with the node");
    let run = Command::new(devp2p).args(["nodeset", "info", out]).output();
    let output = run.expect("it starts");
    let printed = String::from_utf8_lossy(&output.stdout);
    let logged = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}{logged}");
    assert!(printed.contains("Set contains 2 nodes."), "{printed}");
    assert!(printed.contains(" secp256k1: "), "{printed}");
    fs::remove_file(file).expect("it was written here");
}
