use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::foreign::{
    OTHER_KEY, closed_port, closing_server, enode_at, silent_server, web_server, with_other_key,
};
use crate::process::{Peermux, address, keys, parse, run};

#[test]
fn tells_people_who_a_node_is() {
    let (_node, enode) = Peermux::listen(&[]);
    let lines = run(&["ping", &enode, "--count", "2", "--interval", "0"]).succeeded();
    let port = address(&enode).rsplit(':').next().expect("a port");
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(lines[0], format!("client       peermux/v{version}"));
    assert_eq!(lines[1], "p2p version  5");
    assert_eq!(lines[2], format!("listen port  {port}"));
    assert_eq!(lines[3], "capabilities bench/1, echo/1");
    assert!(lines[4].starts_with("handshake    "), "{lines:?}");
    assert!(lines[5].starts_with("ping 1: "), "{lines:?}");
    assert!(lines[6].starts_with("ping 2: "), "{lines:?}");
    assert!(lines[7].starts_with("2 pings, min/avg/max "), "{lines:?}");
    assert_eq!(lines.len(), 8);
}

#[test]
fn tells_programs_who_a_node_is() {
    let (_node, enode) = Peermux::listen(&["--protocol", "echo"]);
    let events = run(&["ping", &enode, "--count", "3", "--interval", "0", "--json"]).events();
    let [told] = events.as_slice() else {
        panic!("not one line: {events:?}");
    };
    let expected = [
        "capabilities",
        "client",
        "event",
        "handshake_us",
        "listen_port",
        "p2p_version",
        "rtt_us",
    ];
    assert_eq!(keys(told), expected);
    assert_eq!(told["p2p_version"], 5);
    assert!(
        address(&enode).ends_with(&format!(":{}", told["listen_port"])),
        "{told}"
    );
    let echo = json!([{ "name": "echo", "version": 1, "offset": null, "length": null }]);
    assert_eq!(told["capabilities"], echo);
    assert!(told["handshake_us"].as_f64() > Some(0.0), "{told}");
    let round_trips = told["rtt_us"].as_array().expect("a list");
    assert_eq!(round_trips.len(), 3);
    assert!(
        round_trips.iter().all(|us| us.as_f64() > Some(0.0)),
        "{told}"
    );
}

#[test]
fn shakes_hands_alone_if_no_pings_are_wanted() {
    let (_node, enode) = Peermux::listen(&[]);
    let lines = run(&["ping", &enode, "--count", "0"]).succeeded();
    assert_eq!(lines.last().map(String::as_str), Some("no pings"));
}

/// Runs a ping that fails; returns the line on standard error, and the event.
fn failed_ping(enode: &str, more: &[&str]) -> (String, Value) {
    let ended = run(&[&["ping", enode, "--json"], more].concat());
    let (line, output) = ended.failed();
    let [event] = output.as_slice() else {
        panic!("not one event: {output:?}");
    };
    let event = parse(event);
    assert_eq!(keys(&event), ["error", "event", "reason"]);
    assert_eq!(event["event"], "failed");
    let told = |key: &str| event["error"][key].as_str().expect(key).to_owned();
    let (error, stage, fault) = (told("text"), told("stage"), told("fault"));
    assert_eq!(line, format!("{error} [stage: {stage}, fault: {fault}]"));
    (line, event)
}

#[test]
fn each_wrong_remote_gets_a_line_of_its_own() {
    let (_socket, closed) = closed_port();
    let (_listener, silent) = silent_server();
    let (closing, web) = (closing_server(), web_server());
    let (_node, enode) = Peermux::listen(&[]);
    let (_full, full) = Peermux::listen(&["--max-peers", "0"]);

    let (line, event) = failed_ping(&enode_at(closed), &[]);
    assert_eq!(
        line,
        format!(
            "cannot connect to {closed}: connection refused, no program listens there [stage: dial, fault: io]"
        )
    );
    assert_eq!(event["reason"], Value::Null);

    let (line, _) = failed_ping(&enode_at(web), &[]);
    let expected = format!("{web} does not speak RLPx: its answer is not a handshake packet");
    assert!(line.starts_with(&expected), "{line}");
    assert!(line.ends_with("[stage: ack, fault: remote]"), "{line}");

    let (line, _) = failed_ping(&enode_at(silent), &["--timeout", "0.1"]);
    let expected = format!(
        "{silent} does not seem to speak RLPx: it accepted the connection and did not answer within 100ms"
    );
    assert_eq!(line, format!("{expected} [stage: ack, fault: io]"));

    // A node that cannot read a packet does not know whom the packet is for, so the node only
    // closes the connection.
    let other_key = |addr: &str| {
        format!(
            "{addr} closed the connection during the handshake: its key is not the one in the enode URL, it does not speak RLPx, or this address has just connected to it (many nodes accept no second connection within 30 s) [stage: ack, fault: io]"
        )
    };
    let (line, _) = failed_ping(&with_other_key(&enode), &[]);
    assert_eq!(line, other_key(address(&enode)));
    let (line, _) = failed_ping(&enode_at(closing), &[]);
    assert_eq!(line, other_key(&closing.to_string()));

    let (line, event) = failed_ping(&full, &[]);
    let expected = format!(
        "{} refused the connection: too many peers (0x04) [stage: hello, fault: remote]",
        address(&full)
    );
    assert_eq!(line, expected);
    let reason = json!({ "code": 4, "text": "too many peers" });
    assert_eq!(event["reason"], reason);
}

#[test]
fn a_node_does_not_connect_to_itself() {
    let key = "00000000000000000000000000000000000000000000000000000000000000aa";
    let (_node, enode) = Peermux::listen(&["--key", key]);
    let (line, event) = failed_ping(&enode, &["--key", key]);
    assert!(line.contains("connected to self (0x0a)"), "{line}");
    assert_eq!(event["reason"]["code"], 10);
}

#[test]
fn a_malformed_enode_is_told_by_the_part_that_is_wrong() {
    let key = OTHER_KEY;
    let cases = [
        ("http://127.0.0.1:1".to_owned(), "instead of \"enode://\""),
        ("enode://127.0.0.1:1".to_owned(), "no public key"),
        (
            format!("enode://{}@127.0.0.1:1", &key[1..]),
            "127 hexadecimal digits instead of 128",
        ),
        (
            format!("enode://{}g@127.0.0.1:1", &key[1..]),
            "'g' at position 127",
        ),
        (
            format!("enode://{}@127.0.0.1:1", "0".repeat(128)),
            "not a point on the curve",
        ),
        (
            format!("enode://{key}@127.0.0.1"),
            "no port follows \"127.0.0.1\"",
        ),
        (
            format!("enode://{key}@127.0.0.1:65536"),
            "port \"65536\" is not",
        ),
        (format!("enode://{key}@[::1:1"), "host \"[::1\" is no"),
        (
            format!("enode://{key}@127.0.0.1:1?discport=x"),
            "discport \"x\" is not",
        ),
        (format!("enode://{key}"), "names no host and TCP port"),
        (
            format!("enode://{key}@127.0.0.1:0"),
            "names no host and TCP port",
        ),
    ];
    for (enode, part) in cases {
        let text = run(&["ping", &enode]).refused();
        assert!(text.contains(part), "{enode}: {text}");
    }
}

#[test]
fn a_disconnect_between_pings_ends_it_with_the_reason() {
    let (node, enode) = Peermux::listen(&[]);
    let mut ping = Peermux::start(&["ping", &enode, "--count", "2", "--interval", "600"]);
    while !ping.line().starts_with("ping 1: ") {}
    drop(node.terminated());
    let (line, _) = ping.ended().failed();
    let addr: SocketAddr = address(&enode).parse().expect("an address");
    assert_eq!(
        line,
        format!("{addr} disconnected: client quitting (0x08) [stage: message, fault: remote]")
    );
}

#[test]
fn times_that_no_clock_takes_are_refused() {
    let enode = enode_at(([127, 0, 0, 1], 1).into());
    for value in ["-1", "soon", "NaN", "inf", "1e300", "86401"] {
        let interval = format!("--interval={value}");
        let text = run(&["ping", &enode, &interval]).refused();
        let why = if value == "86401" {
            "not a time from 0s to 1day"
        } else {
            "no time such as 500ms, 30s, 5m or 1h"
        };
        assert!(text.contains(why), "{text}");
    }
    for value in ["0", "0s", "2d"] {
        let text = run(&["ping", &enode, "--timeout", value]).refused();
        let why = "for '--timeout <TIME>': not a time from 1ms to 1day";
        assert!(text.contains(why), "{text}");
    }
}
