#[cfg(all(feature = "nat", target_os = "linux"))]
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
#[cfg(all(feature = "nat", target_os = "linux"))]
use std::os::unix::net::UnixStream;

use peermux::NodeRecord;
use serde_json::{Value, json};

use crate::folder::Folder;
#[cfg(all(feature = "nat", target_os = "linux"))]
use crate::foreign::router;
#[cfg(all(feature = "nat", target_os = "linux"))]
use crate::process::parse;
use crate::process::{Peermux, address, keys, run};

/// Returns the code ranges of bench and echo, sorted by name and starting at 16.
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
    let record = node.line();
    let record = record.strip_prefix("record ").expect("the second line");
    let record: NodeRecord = record.parse().expect("a node record");
    assert_eq!(record.to_enode().to_string(), enode);
    run(&["ping", &enode]).succeeded();
    let timeless = |line: String| {
        let (time, event) = line.split_once(' ').expect("a time");
        assert!(time.starts_with("20") && time.ends_with('Z'), "{line}");
        event.to_owned()
    };
    assert!(timeless(node.line()).starts_with("peer_add "));
    let dropped = timeless(node.line());
    assert!(dropped.starts_with("peer_drop "), "{dropped}");
    assert!(
        dropped.contains(" [bench/1 0x10–0x17, echo/1 0x18–0x19] after "),
        "{dropped}"
    );
    assert!(
        dropped.ends_with("s: it disconnected: client quitting (0x08)"),
        "{dropped}"
    );
    assert!(node.terminated().succeeded().is_empty());
}

#[test]
fn networks_are_listed_in_the_configuration_and_on_the_command_line() {
    let folder = Folder::new();
    let text = "whitelist = \"10.1.0.0/16\"\nexempt_local = false\n";
    let file = folder.file("node.toml", text);
    let (node, enode) =
        Peermux::listen(&["--config", &file, "--whitelist", "192.0.2.7,127.0.0.0/8"]);
    // The pings are not throttled, because their address is whitelisted. A stranger would have to
    // wait half a minute between two connections.
    for _ in 0..3 {
        run(&["ping", &enode]).succeeded();
    }
    node.terminated().succeeded();
}

#[test]
fn who_was_not_let_in_is_told_with_the_cause() {
    let mut node = Peermux::start(&[
        "listen",
        "--addr",
        "127.0.0.1:0",
        "--max-peers",
        "0",
        "--json",
    ]);
    let enode = node.event("listening")["enode"].clone();
    node.event("record");
    let enode = enode.as_str().expect("an enode URL");
    let key = "00000000000000000000000000000000000000000000000000000000000000cc";
    run(&["ping", enode, "--key", key]).failed();
    let refused = node.event("inbound_failed");
    let shown = run(&["key", "show", "--key", key, "--json"]).report();
    assert_eq!(refused["claimed_id"], shown["node_id"]);
    assert_eq!(refused["error"]["reason"]["code"], 4);
    assert_eq!(refused["left_out"], 0);
}

#[test]
fn who_shares_no_protocol_is_told_with_its_own_to_people_too() {
    let listen = ["listen", "--addr", "127.0.0.1:0", "--protocol", "echo"];
    let mut node = Peermux::start(&listen);
    let enode = node.line();
    node.line();
    let (_other, _) = Peermux::listen(&["--protocol", "chat", "--static", &enode]);
    let line = node.line();
    let (_, refused) = line.split_once(' ').expect("a time");
    assert!(refused.starts_with("inbound_failed 127.0.0.1:"), "{line}");
    let speaks = "this side speaks echo/1, the remote chat/2";
    assert!(refused.ends_with(speaks), "{line}");
}

#[test]
#[cfg(all(feature = "nat", target_os = "linux"))]
fn a_record_that_changes_is_an_event_with_its_address() {
    let folder = Folder::new();
    let socket = folder.text("admin.sock");
    let nat = format!("pmp:{}", router());
    let arguments = ["listen", "--addr", "0.0.0.0:0", "--nat", &nat];
    let mut node = Peermux::start(&[&arguments[..], &["--admin", &socket, "--json"]].concat());
    node.event("listening");
    assert_eq!(keys(&node.event("record")), ["event", "record"]);
    let mut changed = node.event("record_changed");
    assert_eq!(keys(&changed), ["endpoints", "event", "record", "time"]);
    let mapped = json!([{ "ip": "9.8.7.6", "tcp": 4097, "udp": 0 }]);
    assert_eq!(changed["endpoints"], mapped);

    let stream = UnixStream::connect(&socket).expect("the node runs");
    let mut admin = BufReader::new(stream);
    writeln!(admin.get_mut(), r#"{{"command":"events"}}"#).expect("the node reads");
    let mut answer = String::new();
    admin.read_line(&mut answer).expect("the node answers");
    changed["number"] = 1.into();
    assert_eq!(parse(&answer), json!({ "ok": [changed] }));

    let mut node = Peermux::start(&arguments);
    node.line();
    assert!(node.line().starts_with("record enr:"));
    let line = node.line();
    let (time, record) = line.split_once(' ').expect("a time");
    assert!(time.starts_with("20") && time.ends_with('Z'), "{line}");
    assert!(record.starts_with("record_changed enr:"), "{line}");
    assert!(record.ends_with(": ip 9.8.7.6, tcp 4097, udp 0"), "{line}");
}

#[test]
fn events_have_the_keys_of_the_contract() {
    let mut node = Peermux::start(&["listen", "--addr", "127.0.0.1:0", "--json"]);
    let listening = node.event("listening");
    assert_eq!(keys(&listening), ["enode", "event"]);
    assert_eq!(keys(&node.event("record")), ["event", "record"]);
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
        "local_addr",
        "node_id",
        "time",
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
    let mut both = [
        about.as_slice(),
        &[
            "cause",
            "connected_ms",
            "error",
            "reason",
            "recorded",
            "requested_by",
        ],
    ]
    .concat();
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
    node.log("--advertise HOST[:PORT] sets one for others");

    let advertised = ["--advertise", "node.example.org:30303"];
    let mut node = Peermux::start(&[&everywhere[..], &advertised].concat());
    assert_eq!(address(&node.line()), "node.example.org:30303");
    assert!(node.line().starts_with("record enr:"));
    assert!(node.terminated().succeeded().is_empty());

    let known = ["--nat", "extip:203.0.113.7"];
    let mut node = Peermux::start(&[&everywhere[..], &known].concat());
    let enode = node.line();
    assert!(address(&enode).starts_with("203.0.113.7:"), "{enode}");

    let chat = ["chat", "--listen", "0.0.0.0:0"];
    let mut chat = Peermux::start(&[&chat[..], &advertised].concat());
    assert_eq!(address(&chat.line()), "node.example.org:30303");
    assert!(chat.terminated().succeeded().is_empty());
}

#[test]
fn a_name_is_listened_on_at_an_address_that_works() {
    let taken = TcpListener::bind("[::1]:0").expect("the machine has IPv6 on loopback");
    let port = taken.local_addr().expect("bound").port();
    let name = format!("localhost:{port}");
    let mut node = Peermux::start(&["listen", "--addr", &name]);
    assert_eq!(address(&node.line()), format!("127.0.0.1:{port}"));
}
