//! Prometheus reads the metrics of our nodes.
//!
//! Prometheus's linter must report nothing, and each query of the dashboard and of the guide must
//! return data. The server and the nodes run in a network namespace with only a loopback device.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use libtest_mimic::{Completion, Trial};
use serde_json::Value;
use tokio::time::Instant;

use crate::daemon::Daemon;
use crate::foreign::output;
use crate::namespace::{are_there, run_inside};
use crate::peermux_cli;
use crate::program::{DEADLINE, Program};
use crate::promql;
use crate::report;

/// The environment variable that is set inside the namespace.
const INSIDE: &str = "PEERMUX_INTEROP_PROMETHEUS";

/// The address of Prometheus. Nothing else runs in the namespace, so it is free.
const ADDR: &str = "127.0.0.1:9090";

/// A key that belongs to no node.
const NOBODY: &str = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8";

/// The nodes' configuration. Frequent Pings let round trips be measured soon.
const CONFIG: &str = "peer.ping_interval = \"1s\"\n";

/// Runs the test itself if this process is inside the namespace.
pub(crate) fn inside() -> Option<ExitCode> {
    env::var_os(INSIDE)?;
    dashboard();
    Some(ExitCode::SUCCESS)
}

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    let lint = |()| {
        lint();
        Ok(Completion::Completed)
    };
    let lint = report::trial("prometheus::promtool", || ready(&["promtool"]), lint);
    let ready = || ready(&["prometheus"]).and_then(|()| are_there());
    let run = |()| run_inside(INSIDE, "dashboard");
    let dashboard = report::trial("prometheus::dashboard", ready, run);
    [lint, dashboard].into_iter()
}

fn ready(tools: &[&str]) -> Result<(), String> {
    for tool in tools {
        let run = Command::new(tool).arg("--version").output();
        run.map_err(|error| format!("no `{tool}` on this machine: {error}"))?;
    }
    Ok(())
}

/// Starts a node that serves metrics. Returns it with its enode URL and the metrics' address.
fn node(name: &str, arguments: &[&str]) -> (Program, String, String) {
    let home = folder().join(name);
    fs::create_dir_all(&home).expect("a folder");
    // Remove the files of an earlier run.
    fs::remove_dir_all(&home).expect("ours");
    let config = folder().join("node.toml");
    fs::write(&config, CONFIG).expect("a file");
    let (home, config) = (text(home), text(config));
    let common = ["--metrics", "127.0.0.1:0", "--data-dir", &home];
    let common = [&common, &["--private-networks", "--config", &config][..]].concat();
    let (mut node, enode) = peermux_cli::listen(&[&common, arguments].concat());
    let addr = node.event("metrics")["addr"].clone();
    let addr = addr.as_str().expect("an address").to_owned();
    node.ignore_output();
    (node, enode, addr)
}

fn folder() -> PathBuf {
    output().join("prometheus")
}

fn text(path: PathBuf) -> String {
    path.into_os_string().into_string().expect("Unicode")
}

/// Runs the linter on the metrics of a node with peers.
fn lint() {
    let (_node, enode, addr) = node("linted", &[]);
    peermux_cli::ping(&enode, 1).succeeded();
    peermux_cli::bench(&enode, "sink", 1024, 1000);
    let metrics = get(&addr, "/metrics");
    let mut linter = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool starts");
    let mut input = linter.stdin.take().expect("a pipe");
    input.write_all(metrics.as_bytes()).expect("read");
    drop(input);
    let run = linter.wait_with_output().expect("it ends");
    let complaints = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{complaints}");
    assert!(complaints.is_empty(), "{complaints}");
}

/// Waits until each query of the dashboard and the guide returns data.
///
/// The nodes that Prometheus scrapes produce everything that these queries show.
fn dashboard() {
    let (_first, enode, one) = node("first", &["--discovery", "v4,v5"]);
    let nobody = format!("enode://{NOBODY}@127.0.0.1:1");
    let others = [
        "--discovery",
        "v4,v5",
        "--bootnode",
        &enode,
        "--static",
        &nobody,
    ];
    let (_second, _, two) = node("second", &others);
    let prometheus = prometheus(&[&one, &two]);
    let mut waiting = promql::dashboard();
    let all = waiting.len();
    assert!(all >= 20, "only {all} queries of the dashboard");
    let guide = promql::guide();
    assert!(guide.len() >= 10, "only {guide:#?}");
    waiting.extend(guide);
    let end = Instant::now() + DEADLINE;
    while !waiting.is_empty() {
        assert!(Instant::now() < end, "no data for {waiting:#?}");
        traffic(&enode);
        waiting.retain(|query| !has_data(query));
    }
    let instances = get(ADDR, "/api/v1/label/instance/values?match[]=peermux_peers");
    for addr in [one, two] {
        assert!(instances.contains(&addr), "{instances}");
    }
    drop(prometheus);
}

/// Makes short connections: one without data, one for a Ping, and two with many messages.
fn traffic(enode: &str) {
    let addr = enode.split(['@', '?']).nth(1).expect("an address");
    // A connection that sends nothing.
    drop(TcpStream::connect(addr).expect("it listens"));
    peermux_cli::ping(enode, 1).succeeded();
    peermux_cli::bench(enode, "sink", 1024, 2_000);
    peermux_cli::bench(enode, "echo", 16 << 10, 20);
}

/// Starts a Prometheus that scrapes these nodes every second.
fn prometheus(nodes: &[&str]) -> Daemon {
    let folder = folder();
    let config = folder.join("prometheus.yml");
    let mut text = String::from("global: { scrape_interval: 1s }\nscrape_configs:\n");
    let targets = nodes.join("', '");
    writeln!(
        text,
        "- {{ job_name: peermux, static_configs: [{{ targets: ['{targets}'] }}] }}"
    )
    .expect("room");
    fs::write(&config, text).expect("a file");
    let data = folder.join("data");
    if data.exists() {
        fs::remove_dir_all(&data).expect("ours");
    }
    let mut child = Command::new("prometheus")
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", data.display()))
        .arg(format!("--web.listen-address={ADDR}"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("prometheus starts");
    let log = child.stderr.take().expect("a pipe");
    let server = Daemon::of(child, log);
    server.until(|line| {
        line.contains("Server is ready to receive web requests")
            .then_some(())
    });
    server
}

/// Returns whether the answer to a query contains a number.
fn has_data(query: &str) -> bool {
    let answer = get(ADDR, &format!("/api/v1/query?query={}", escaped(query)));
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    assert_eq!(answer["status"], "success", "{query}: {answer}");
    let results = answer["data"]["result"].as_array().expect("results");
    let number = |result: &Value| result["value"][1].as_str() != Some("NaN");
    results.iter().any(number)
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

/// Returns the body of a response.
fn get(addr: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(addr).expect("it is served");
    let timeout = Some(DEADLINE);
    stream.set_read_timeout(timeout).expect("a socket");
    // HTTP/1.0 has no chunked encoding.
    let request = format!("GET {path} HTTP/1.0\r\nHost: {addr}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.contains(" 200 "), "{path}: {answer}");
    body.to_owned()
}
