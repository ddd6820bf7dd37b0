//! The metrics of a node, as Prometheus reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use peermux::metrics::{Kind, all};
use rustix::process::Signal;

use crate::folder::Folder;
use crate::process::{Peermux, run};

/// Starts a node with metrics; returns its enode URL and the address of the metrics.
fn node(arguments: &[&str]) -> (Peermux, String, String) {
    let listen = ["listen", "--addr", "127.0.0.1:0", "--json"];
    let mut node = Peermux::start(&[&listen, arguments].concat());
    let enode = node.event("listening")["enode"].clone();
    node.event("record");
    let addr = node.event("metrics")["addr"].clone();
    let text = |value: serde_json::Value| value.as_str().expect("a text").to_owned();
    (node, text(enode), text(addr))
}

const ANYWHERE: [&str; 2] = ["--metrics", "127.0.0.1:0"];

/// Returns the status and the body of the answer to a request.
fn asked(addr: &str, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(addr).expect("it is served");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let length = format!("Content-Length: {}", body.len());
    assert!(head.contains(&length), "{head}");
    let status = head.strip_prefix("HTTP/1.1 ").expect("HTTP");
    let status = status.lines().next().unwrap_or_default();
    (status.to_owned(), body.to_owned())
}

fn get(addr: &str, path: &str) -> (String, String) {
    asked(
        addr,
        &format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\n\r\n"),
    )
}

#[test]
fn each_metric_has_the_help_and_the_type_of_its_documentation() {
    let folder = Folder::new();
    let home = folder.text("home");
    let (_node, enode, addr) = node(&[&ANYWHERE[..], &["--data-dir", &home]].concat());
    let shown = run(&["config", "show", "--data-dir", &home]).succeeded();
    assert!(
        shown.contains(&format!("metrics = \"{addr}\"")),
        "{shown:?}"
    );
    run(&["ping", &enode]).succeeded();
    let bench = ["bench", &enode, "--mode", "sink", "--count", "100"];
    run(&bench).succeeded();
    let (status, text) = get(&addr, "/metrics");
    assert_eq!(status, "200 OK");
    let table: BTreeMap<_, _> = all().iter().map(|metric| (metric.name(), metric)).collect();
    let mut seen = BTreeSet::new();
    for line in text.lines() {
        if let Some(line) = line.strip_prefix("# HELP ") {
            let (name, help) = line.split_once(' ').expect("a help");
            assert_eq!(help, table[name].help());
            seen.insert(name);
        } else if let Some(line) = line.strip_prefix("# TYPE ") {
            let (name, kind) = line.split_once(' ').expect("a type");
            assert_eq!(kind, table[name].kind().to_string(), "{name}");
            assert!(seen.contains(name), "{name} has no help");
        }
    }
    // Some metrics are absent, because this node has no comm, no failures and no pauses, and has
    // sent no Ping: the first Ping would follow after 15 s.
    let absent = |name: &str| {
        name.starts_with("peermux_comm_")
            || name.ends_with("_failures_total")
            || name.starts_with("peermux_discovery_found")
            || matches!(
                name,
                "peermux_read_pause_seconds" | "peermux_round_trip_seconds"
            )
    };
    let missing: Vec<_> = table
        .keys()
        .filter(|name| !absent(name) && !seen.contains(*name))
        .collect();
    assert!(missing.is_empty(), "{missing:?} of {text}");
    for line in [
        "peermux_messages_total{protocol=\"bench/1\",direction=\"ingress\"} ",
        "peermux_disconnects_total{cause=\"stalled\",reason=\"subprotocol_error\",side=\"local\",protocol=\"bench/1\"} 0",
        "peermux_inbound_total{outcome=\"connected\"} 2",
        "peermux_handshake_seconds_bucket{direction=\"inbound\",stage=\"hello\",le=\"+Inf\"} 2",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert!(
        table
            .values()
            .any(|metric| metric.kind() == Kind::Histogram)
    );
}

#[test]
fn health_and_readiness_stand_beside_them_and_nothing_else() {
    let (node, _, addr) = node(&ANYWHERE);
    // Silent clients do not delay other clients.
    let silent: Vec<_> = (0..8).map(|_| TcpStream::connect(&addr)).collect();
    for (path, status) in [
        ("/healthz", "200 OK"),
        ("/readyz", "200 OK"),
        ("/metrics?name=x", "200 OK"),
        ("/", "404 Not Found"),
        ("/metrics/", "404 Not Found"),
    ] {
        assert_eq!(get(&addr, path).0, status, "{path}");
    }
    let post = "POST /metrics HTTP/1.1\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(asked(&addr, post).0, "405 Method Not Allowed");
    drop(silent);
    node.terminated().succeeded();
    assert!(TcpStream::connect(&addr).is_err());
}

#[test]
fn an_address_in_use_is_a_failure_that_names_it() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = taken.local_addr().expect("an address").to_string();
    let arguments = ["listen", "--addr", "127.0.0.1:0", "--metrics", &addr];
    let (line, printed) = run(&arguments).failed();
    let expected = format!("cannot serve metrics on {addr}: Address already in use");
    assert!(line.starts_with(&expected), "{line}");
    assert!(printed.is_empty(), "{printed:?}");
}

#[test]
fn the_configuration_file_has_a_key_for_it() {
    let folder = Folder::new();
    let file = folder.file("node.toml", "max_peers = 7\nmetrics = \"127.0.0.1:0\"\n");
    let (_node, _, addr) = node(&["--config", &file]);
    let (_, text) = get(&addr, "/metrics");
    assert!(text.contains("\npeermux_peers_max 7\n"), "{text}");

    let file = folder.file("bad.toml", "max_peers = 7\nmetrics = 9090\n");
    let line = run(&["listen", "--addr", "127.0.0.1:0", "--config", &file]).refused();
    let expected = format!("peermux: config file {file}, line 2, column 11: ");
    assert!(line.starts_with(&expected), "{line}");

    // The option overrides the file.
    let file = folder.file("other.toml", "metrics = \"192.0.2.1:1\"\n");
    let (_node, _, addr) = node(&[&ANYWHERE[..], &["--config", &file]].concat());
    assert!(addr.starts_with("127.0.0.1:"), "{addr}");
}

#[test]
fn it_is_left_where_it_is_when_the_file_is_read_again() {
    let folder = Folder::new();
    let file = folder.file("again.toml", "metrics = \"127.0.0.1:0\"\n");
    let mut node = Peermux::service(&file);
    for event in ["listening", "record", "metrics"] {
        node.event(event);
    }
    folder.file("again.toml", "metrics = \"127.0.0.1:1\"\n");
    node.signal(Signal::HUP);
    let reloaded = node.event("reloaded");
    assert_eq!(reloaded["changed"], serde_json::json!([]));
    assert!(reloaded["left"]["metrics"].is_string(), "{reloaded}");
}
