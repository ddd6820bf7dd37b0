use std::net::TcpListener;

use serde_json::{Value, json};

use crate::process::{Peermux, address, keys, run};

/// bench and echo as two nodes with both number their messages: by name, from 16 on.
fn bench_and_echo() -> Value {
    json!([
        { "name": "bench", "version": 1, "offset": 16, "length": 8 },
        { "name": "echo", "version": 1, "offset": 24, "length": 2 },
    ])
}

#[test]
fn the_first_line_is_an_enode_url_that_can_be_dialled() {
    let mut node = Peermux::start(&["listen", "--addr", "127.0.0.1:0"]);
    let enode = node.line();
    assert!(enode.starts_with("enode://"), "{enode}");
    run(&["ping", &enode]).succeeded();
    assert!(node.line().starts_with("peer_add "));
    let dropped = node.line();
    assert!(dropped.starts_with("peer_drop "), "{dropped}");
    assert!(
        dropped.ends_with(
            "[bench/1 0x10–0x17, echo/1 0x18–0x19]: it disconnected: client quitting (0x08)"
        ),
        "{dropped}"
    );
    assert!(node.terminated().succeeded().is_empty());
}

#[test]
fn events_have_the_keys_of_the_contract() {
    let mut node = Peermux::start(&["listen", "--addr", "127.0.0.1:0", "--json"]);
    let listening = node.event("listening");
    assert_eq!(keys(&listening), ["enode", "event"]);
    let enode = listening["enode"]
        .as_str()
        .expect("an enode URL")
        .to_owned();
    let key = "00000000000000000000000000000000000000000000000000000000000000bb";
    run(&["ping", &enode, "--key", key]).succeeded();
    let shown = run(&["key", "show", "--key", key, "--json"]).events();

    let added = node.event("peer_add");
    let about = [
        "addr",
        "capabilities",
        "client",
        "direction",
        "event",
        "node_id",
    ];
    assert_eq!(keys(&added), about);
    assert_eq!(added["node_id"], shown[0]["node_id"]);
    assert_eq!(added["direction"], "inbound");
    let addr = added["addr"].as_str().expect("an address");
    assert!(addr.starts_with("127.0.0.1:"), "{added}");
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(added["client"], format!("peermux/v{version}"));
    assert_eq!(added["capabilities"], bench_and_echo());

    let dropped = node.event("peer_drop");
    let mut both = [about.as_slice(), &["reason", "requested_by"]].concat();
    both.sort_unstable();
    assert_eq!(keys(&dropped), both);
    for key in ["addr", "capabilities", "client", "direction", "node_id"] {
        assert_eq!(dropped[key], added[key]);
    }
    assert_eq!(
        dropped["reason"],
        json!({ "code": 8, "text": "client quitting" })
    );
    assert_eq!(dropped["requested_by"], "remote");
    assert!(node.terminated().events().is_empty());
}

#[test]
fn speaks_the_protocols_that_are_named_each_once() {
    let arguments = ["--protocol", "echo", "--protocol", "chat,echo"];
    let (_node, enode) = Peermux::listen(&arguments);
    let told = run(&["ping", &enode, "--json"]).events();
    let names = told[0]["capabilities"].as_array().expect("a list").iter();
    let names: Vec<_> = names.map(|capability| &capability["name"]).collect();
    assert_eq!(names, ["chat", "echo"]);
}

#[test]
fn takes_as_many_peers_as_allowed() {
    let (_node, enode) = Peermux::listen(&["--max-peers", "1"]);
    let mut first = Peermux::start(&["ping", &enode, "--count", "2", "--interval", "600"]);
    while !first.line().starts_with("ping 1: ") {}
    let (line, _) = run(&["ping", &enode]).failed();
    assert!(line.contains("too many peers (0x04)"), "{line}");
}

#[test]
fn is_the_same_node_with_the_same_key() {
    let key = "00000000000000000000000000000000000000000000000000000000000000cc";
    let (_first, first) = Peermux::listen(&["--key", key]);
    let (_second, second) = Peermux::listen(&["--key", key]);
    assert_eq!(first.split('@').next(), second.split('@').next());
}

#[test]
fn an_address_in_use_is_a_failure() {
    let (_node, enode) = Peermux::listen(&[]);
    let addr = address(&enode);
    let (line, output) = run(&["listen", "--addr", addr, "--json"]).failed();
    assert!(
        line.starts_with(&format!("cannot listen on {addr}: ")),
        "{line}"
    );
    assert!(output.is_empty(), "{output:?}");
}

#[test]
fn a_url_that_others_cannot_dial_comes_with_a_remark() {
    let everywhere = ["listen", "--addr", "0.0.0.0:0"];
    let mut node = Peermux::start(&everywhere);
    let enode = node.line();
    assert!(address(&enode).starts_with("127.0.0.1:"), "{enode}");
    node.log("--advertise HOST[:PORT] names one for others");

    let advertised = ["--advertise", "node.example.org:30303"];
    let mut node = Peermux::start(&[&everywhere[..], &advertised].concat());
    assert_eq!(address(&node.line()), "node.example.org:30303");
    assert!(node.terminated().succeeded().is_empty());

    let chat = ["chat", "--listen", "0.0.0.0:0"];
    let mut chat = Peermux::start(&[&chat[..], &advertised].concat());
    assert_eq!(address(&chat.line()), "node.example.org:30303");
    assert!(chat.terminated().succeeded().is_empty());
}

#[test]
fn a_name_is_listened_on_at_an_address_that_works() {
    let Ok(taken) = TcpListener::bind("[::1]:0") else {
        return;
    };
    let port = taken.local_addr().expect("bound").port();
    let name = format!("localhost:{port}");
    let mut node = Peermux::start(&["listen", "--addr", &name]);
    assert_eq!(address(&node.line()), format!("127.0.0.1:{port}"));
}
