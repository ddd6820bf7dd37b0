use std::net::UdpSocket;

use crate::discovery::{added, start};
use crate::foreign::OTHER_KEY;
use crate::process::run;
use crate::tmux::Tmux;

#[test]
fn a_node_is_asked_for_its_record() {
    let (_node, enode, record) = start(&["--discovery"]);
    for (node, by) in [(&enode, "v4"), (&record, "v5")] {
        let found = run(&["resolve", node, "--json"]).report();
        assert_eq!(found["record"], *record);
        let versions = found["by"].as_array().expect("a list");
        assert!(versions.iter().any(|version| version == by), "{found}");
    }
}

#[test]
fn a_node_is_found_through_others() {
    let (mut boot, _, bootnode) = start(&["--discovery"]);
    let (_node, enode, record) = start(&["--bootnode", &bootnode]);
    // Once the nodes are connected, both versions of discovery know both nodes.
    added(&mut boot);
    let (key, _) = enode.split_once('@').expect("a URL");
    let by_key = run(&["resolve", key, "--bootnode", &bootnode, "--json"]).report();
    assert_eq!(by_key["record"], *record);
    let id = run(&["record", "show", &record, "--json"]).report();
    let id = id["node_id"].as_str().expect("an id");
    let by_id = run(&["resolve", id, "--bootnode", &bootnode, "--json"]).report();
    assert_eq!(by_id["record"], *record);
    assert_eq!(by_id["by"], serde_json::json!(["v5"]));
}

#[test]
fn nobody_to_ask_is_wrong_usage_and_nobody_there_a_failure() {
    let id = "5e".repeat(32);
    assert_eq!(run(&["resolve", &id]).code, Some(2));
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let port = socket.local_addr().expect("bound").port();
    let key = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
    let y = "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8";
    let silent = format!("enode://{key}{y}@127.0.0.1:{port}");
    let (error, _) = run(&["resolve", &silent]).failed();
    assert!(error.contains("is not found"), "{error}");
}

#[test]
fn a_terminal_shows_how_long_it_searches_until_ctrl_c() {
    let Some(terminal) = Tmux::start(120, 24) else {
        return;
    };
    let silent = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let port = silent.local_addr().expect("bound").port();
    let node = format!("enode://{OTHER_KEY}@127.0.0.1:{port}");
    let binary = env!("CARGO_BIN_EXE_peermux");
    let resolve = format!("{binary} resolve {node} --bootnode {node} --seconds 1h");
    terminal.line(&format!("clear; {resolve}; echo ended-$?"));
    terminal.shows(&["searching for ", "s, at most 1h 0m"]);
    terminal.press(&["C-c"]);
    let screen = terminal.shows(&["ended-0"]);
    // The line was cleared.
    assert!(!screen.contains("at most"), "{screen}");
}
