//! `peermux crawl` over networks of real nodes, and over servers that are no nodes.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use peermux::p2p::{BASE_LENGTH, RawMessage};
use peermux::rlpx::Legacy;
use peermux::server::Discovery;
use peermux::setup::accept;
use peermux::transport::{SocketOptions, TcpTransport};
use peermux::{Capability, Enode, Hello, NodeRecord, SecretKey, Server};
use peermux_protocols::eth::{Chain, Eth, ForkFilter, Hash, Head};
use rustix::process::Signal;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::discovery;
use crate::dns;
use crate::folder::Folder;
use crate::foreign::{closed_port, closing_server, enode_at, silent_server, web_server};
use crate::process::{Peermux, keys, parse, run};
use crate::tmux::Tmux;

/// Returns the IP address for a test's nodes. On Linux each test process has its own.
///
/// With a shared address, nodes that remember an earlier process may still send requests to ports that this
/// process uses now.
fn own_address() -> String {
    if cfg!(target_os = "linux") {
        let [_, a, b, c] = std::process::id().to_be_bytes();
        format!("127.{}.{b}.{}:0", 64 + a, c.max(1))
    } else {
        "127.0.0.1:0".to_owned()
    }
}

/// Starts a node at that address, and returns its enode URL and its record.
fn member(arguments: &[&str]) -> (Peermux, String, String) {
    let fixed = ["listen", "--addr", &own_address(), "--json"];
    let mut node = Peermux::start(&[&fixed, arguments].concat());
    let enode = text(&node.event("listening")["enode"]);
    let record = text(&node.event("record")["record"]);
    (node, enode, record)
}

/// A node in this process that speaks `eth`. The command line cannot start such a node.
struct EthNode {
    runtime: Runtime,
    server: Server,
    chain: Chain,
}

impl EthNode {
    fn start(bootnode: &str) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let genesis = Hash::of(b"the first block of a test");
        let chain = Chain {
            network: 7,
            forks: ForkFilter::new(genesis).with_blocks([5]),
            head: Head::genesis(genesis, 0),
        };
        let (eth, _) = Eth::builder(chain.clone()).build();
        let bootnode: NodeRecord = bootnode.parse().expect("a record");
        let server = eth
            .register(Server::builder(SecretKey::generate()))
            .listen(own_address().parse().expect("an address"))
            .discovery(Discovery::new().with_bootnodes([bootnode]))
            .start();
        let server = runtime.block_on(server).expect("it starts");
        Self {
            runtime,
            server,
            chain,
        }
    }

    /// Waits until the bootnode has answered. By then the bootnode has also sent its own Ping.
    fn is_known(&self) {
        let v4 = self.server.discv4().expect("it speaks it");
        self.runtime.block_on(async {
            while v4.random_lookup().await.expect("it runs").nodes.is_empty() {
                tokio::task::yield_now().await;
            }
        });
    }
}

/// Runs a crawl for programs; returns the outcomes by node id, and the summary.
fn results(arguments: &[&str]) -> (BTreeMap<String, Value>, Value) {
    let mut events = run(&[&["crawl", "--json"], arguments].concat()).events();
    let summary = events.pop().expect("a summary");
    assert_eq!(summary["event"], "summary");
    let nodes = events.into_iter().map(|event| {
        assert_eq!(event["event"], "node");
        (text(&event["node_id"]), event)
    });
    (nodes.collect(), summary)
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// Returns the capabilities of a node, as `name/version`.
fn capabilities(node: &Value) -> Vec<String> {
    let all = node["capabilities"].as_array().expect("a list");
    let all = all.iter();
    all.map(|one| format!("{}/{}", text(&one["name"]), one["version"]))
        .collect()
}

fn id(enode: &str) -> String {
    let node: peermux::Node = enode.parse().expect("a node");
    node.node_id().to_string()
}

/// Returns the JSON lines of a file by node id.
fn lines(path: &str) -> BTreeMap<String, Value> {
    let written = fs::read_to_string(path).expect("it was written");
    let lines = written.lines().map(parse);
    lines.map(|line| (text(&line["node_id"]), line)).collect()
}

#[test]
fn a_network_is_found_from_one_bootnode_on_and_told_truly() {
    let folder = Folder::new();
    let (_boot, boot, record) = member(&["--discovery"]);
    let eth = EthNode::start(&record);
    let (mut ann, ann_enode, _) = member(&["--bootnode", &record, "--protocol", "echo"]);
    let (mut ben, ben_enode, _) = member(&["--bootnode", &record, "--protocol", "chat,echo"]);
    let (_full, full, _) = member(&["--discovery", "--max-peers", "0"]);
    let (_taken, closed) = closed_port();
    let dead = enode_at(closed);
    // The bootnode knows a node once it has answered the node.
    for node in [&mut ann, &mut ben] {
        // Skip other events: the connections with the node that speaks `eth` fail, because it is useless to
        // the others.
        while node.json()["event"] != "peer_add" {}
    }
    eth.is_known();

    let list = folder.file("given.txt", &format!("{full} # full\n{dead}\n"));
    let (out, picture) = (folder.text("nodes.jsonl"), folder.text("nodes.svg"));
    let arguments = ["--bootnode", &boot, "--nodes", &list, "--out", &out];
    let (nodes, summary) = results(&[&arguments[..], &["--picture", &picture]].concat());
    let eth_enode = eth.server.enode().to_string();
    let all = [&boot, &ann_enode, &ben_enode, &full, &dead, &eth_enode];
    for enode in all {
        assert!(nodes.contains_key(&id(enode)), "{nodes:#?}");
    }

    let of = |enode: &str| &nodes[&id(enode)];
    let client = format!("peermux/v{}", env!("CARGO_PKG_VERSION"));
    for (enode, source, speaks) in [
        (&boot, "bootnode", vec!["bench/1", "echo/1"]),
        (&ann_enode, "v4", vec!["echo/1"]),
        (&ben_enode, "v4", vec!["chat/2", "echo/1"]),
    ] {
        let node = of(enode);
        assert_eq!(node["outcome"], "met", "{node}");
        assert_eq!(node["client"], *client, "{node}");
        assert_eq!(capabilities(node), speaks, "{node}");
        assert_eq!(node["p2p_version"], 5, "{node}");
        assert!(node["rtt_us"].as_u64().expect("a Pong came") > 0, "{node}");
        // The other version of discovery may have named the node first.
        assert!(node["source"] == source || node["source"] == "v5", "{node}");
        assert!(text(&node["record"]).starts_with("enr:"), "{node}");
        assert_eq!(text(&node["enode"]), *enode);
        assert!(node["first_seen"].is_string() && node["last_check"].is_string());
    }
    let status = &of(&eth_enode)["eth"];
    let told = eth.chain.status(70);
    assert_eq!(status["version"], 70, "{status}");
    assert_eq!(status["network"], 7, "{status}");
    assert_eq!(status["genesis"], *told.genesis.to_string());
    assert_eq!(status["fork_id"], *told.fork_id.to_string());
    let refused = of(&full);
    assert_eq!(refused["outcome"], "refused", "{refused}");
    assert_eq!(refused["error"]["reason"]["code"], 4, "{refused}");
    assert!(refused["client"].is_null() && refused["last_seen"].is_string());
    assert_eq!(of(&dead)["outcome"], "connection_refused");
    assert!(of(&dead)["first_seen"].is_null());

    let count = |is: &dyn Fn(&Value) -> bool| nodes.values().filter(|node| is(node)).count();
    let of_outcome = |outcome: &str| count(&|node| node["outcome"] == outcome);
    let counts = ["known", "met", "refused"].map(|name| summary[name].as_u64().expect("a count"));
    let counted = [nodes.len(), of_outcome("met"), of_outcome("refused")];
    assert_eq!(counts.map(|count| count as usize), counted, "{summary}");
    let peermux = count(&|node| node["client"] == *client);
    assert_eq!(summary["clients"]["peermux"], peermux, "{summary}");
    let echo =
        count(&|node| !node["client"].is_null() && capabilities(node).contains(&"echo/1".into()));
    assert_eq!(summary["capabilities"]["echo/1"], echo, "{summary}");
    let network = format!("7, fork {}", told.fork_id);
    assert_eq!(summary["networks"][network], 1, "{summary}");
    assert_eq!(summary["families"]["IPv4"], nodes.len(), "{summary}");
    let svg = fs::read_to_string(picture).expect("it was drawn");
    let [known, met, refused] = counts;
    let headline = format!(">nodes: {known} known, {met} met, {refused} refused,");
    assert!(svg.contains(&headline), "{svg}");

    // The file contains the same results, and the next run continues from it.
    let mut written = lines(&out);
    for node in written.values_mut() {
        node["event"] = "node".into();
    }
    for (id, node) in &nodes {
        // The time of the node's last answer may have changed since the line was printed.
        let (mut line, mut node) = (written[id].clone(), node.clone());
        line["last_seen"] = Value::Null;
        node["last_seen"] = Value::Null;
        assert_eq!(line, node);
    }
    let ours = all.map(|enode| serde_json::to_string(&written[&id(enode)]).expect("JSON"));
    visited_again(&folder, &folder.file("ours.jsonl", &ours.join("\n")));
}

/// Makes three more runs over the first run's file, with other forms of files.
fn visited_again(folder: &Folder, first: &str) {
    let again = |from: &str, out: &str, arguments: &[&str]| {
        let again = ["crawl", "--private-networks", "--discovery", "none"];
        let files = ["--nodes", from, "--out", out];
        run(&[&again[..], &files, arguments].concat()).succeeded()
    };
    // Without a request, the continued crawl does not visit the node that refused.
    let next = folder.text("next.jsonl");
    again(first, &next, &[]);
    let next = lines(&next);
    for (id, before) in &lines(first) {
        let visits = |node: &Value| node["liveness"].as_u64().expect("a number");
        let answered = u64::from(before["outcome"] == "met");
        assert_eq!(visits(&next[id]), visits(before) + answered, "{before}");
        assert_eq!(next[id]["outcome"], before["outcome"]);
    }
    let (set, table) = (folder.text("nodes.json"), folder.text("nodes.csv"));
    let text = again(first, &set, &["--ask-refused"]).join("\n");
    assert!(
        text.starts_with("nodes: 6 known, 4 met, 1 refused,"),
        "{text}"
    );
    assert!(text.contains("\n      4  peermux\n"), "{text}");
    assert!(text.contains("refused: too many peers (0x04)"), "{text}");
    let written = parse(&fs::read_to_string(&set).expect("it was written"));
    let entries = written.as_object().expect("a set");
    assert_eq!(entries.len(), 6);
    for (id, entry) in entries {
        let node: peermux::Node = entry["record"].as_str().expect("a node").parse().unwrap();
        assert_eq!(node.node_id().to_string(), *id);
        assert_eq!(entry["seq"], node.seq());
        let score = &lines(first)[id]["liveness"];
        assert_eq!(
            entry["score"].as_u64(),
            score.as_u64().map(|score| 2 * score)
        );
        let known = [
            "firstResponse",
            "lastCheck",
            "lastResponse",
            "record",
            "score",
            "seq",
        ];
        assert_eq!(keys(entry), known);
    }
    again(&set, &table, &[]);
    let table = fs::read_to_string(table).expect("it was written");
    assert!(table.starts_with("node_id,host,tcp,udp,client,"), "{table}");
    let rows: Vec<_> = table.lines().skip(1).collect();
    assert_eq!(rows.len(), 6);
    for row in rows {
        let id = row.split(',').next().expect("an id");
        assert!(entries.contains_key(id), "{row}");
        assert!(row.contains(",127."), "{row}");
    }
}

/// Returns the outcome of a visit to a node at each of `addrs`.
fn outcomes(folder: &Folder, addrs: &[SocketAddr], arguments: &[&str]) -> Vec<String> {
    let enode = |addr: &SocketAddr| {
        let key = SecretKey::generate().public_key();
        format!("enode://{key}@{addr}")
    };
    let enodes: Vec<_> = addrs.iter().map(enode).collect();
    let list = folder.file("list.txt", &enodes.join("\n"));
    let fixed = ["--nodes", &list, "--discovery", "none"];
    let (nodes, _) = results(&[&fixed, arguments].concat());
    let outcomes = enodes
        .iter()
        .map(|enode| text(&nodes[&id(enode)]["outcome"]));
    outcomes.collect()
}

#[test]
fn what_is_no_node_is_told_by_the_class_of_its_failure() {
    let folder = Folder::new();
    let ((_taken, closed), (_silent, silent)) = (closed_port(), silent_server());
    let (_node, other) = Peermux::listen(&[]);
    let other: SocketAddr = crate::process::address(&other).parse().expect("an address");
    let addrs = [closed, silent, closing_server(), web_server(), other];
    let outcomes = outcomes(&folder, &addrs, &["--private-networks", "--timeout", "1"]);
    let wanted = [
        "connection_refused",
        "silent",
        "hung_up",
        "not_rlpx",
        "hung_up",
    ];
    assert_eq!(outcomes, wanted);
}

#[test]
fn private_networks_are_left_alone_unless_the_user_names_them() {
    let folder = Folder::new();
    let (_silent, addr) = silent_server();
    assert_eq!(outcomes(&folder, &[addr], &[]), ["not_dialled"]);
}

#[test]
fn one_port_is_not_dialled_for_any_number_of_ids() {
    let folder = Folder::new();
    let (_taken, closed) = closed_port();
    let outcomes = outcomes(&folder, &[closed; 8], &["--private-networks"]);
    let count = |wanted: &str| outcomes.iter().filter(|outcome| *outcome == wanted).count();
    assert_eq!((count("connection_refused"), count("not_dialled")), (4, 4));
}

#[test]
fn an_interrupted_crawl_writes_what_it_has_found() {
    let folder = Folder::new();
    let (_node, enode) = Peermux::listen(&[]);
    let (_silent, addr) = silent_server();
    let list = folder.file("list.txt", &format!("{enode}\n{}\n", enode_at(addr)));
    let out = folder.text("nodes.jsonl");
    let fixed = [
        "crawl",
        "--json",
        "--private-networks",
        "--discovery",
        "none",
    ];
    let files = ["--nodes", &list, "--out", &out, "--timeout", "200"];
    let mut crawl = Peermux::start(&[&fixed[..], &files].concat());
    assert_eq!(crawl.event("node")["outcome"], "met");
    crawl.signal(Signal::INT);
    let summary = crawl.event("summary");
    assert_eq!(
        (&summary["met"], &summary["not_visited"]),
        (&1.into(), &1.into())
    );
    assert!(crawl.ended().succeeded().is_empty());
    let written = lines(&out);
    assert_eq!(written[&id(&enode)]["outcome"], "met");
    assert!(written[&id(&enode_at(addr))]["last_check"].is_null());
}

#[test]
fn no_more_nodes_are_kept_than_may_be() {
    let folder = Folder::new();
    let (_node, enode) = Peermux::listen(&[]);
    let (_taken, closed) = closed_port();
    let list = folder.file("list.txt", &format!("{enode}\n{}\n", enode_at(closed)));
    let fixed = [
        "--private-networks",
        "--discovery",
        "none",
        "--nodes",
        &list,
    ];
    let (nodes, summary) = results(&[&fixed[..], &["--max-nodes", "1"]].concat());
    assert_eq!(nodes.len(), 1);
    assert_eq!(summary["turned_away"], 1, "{summary}");
}

#[test]
fn the_nodes_of_a_list_in_the_dns_are_visited() {
    let folder = Folder::new();
    let (_node, enode, record) = discovery::start(&[]);
    let (link, records) = dns::list_of(&folder, &record);
    let server = dns::Server::start(records);
    let fixed = ["--private-networks", "--discovery", "none", "--dns", &link];
    let (nodes, _) = results(&[&fixed[..], &["--dns-server", &server.address]].concat());
    let node = &nodes[&id(&enode)];
    assert_eq!(
        (&node["source"], &node["outcome"]),
        (&"dns".into(), &"met".into())
    );
}

#[test]
fn people_read_a_line_a_node_and_a_summary() {
    let (_node, enode) = Peermux::listen(&[]);
    let lines = run(&["crawl", "--bootnode", &enode, "--discovery", "none"]).succeeded();
    let address = crate::process::address(&enode);
    let version = env!("CARGO_PKG_VERSION");
    let wanted = format!(" {address} peermux/v{version} bench/1 echo/1, ");
    assert!(
        lines[0].contains(&wanted) && lines[0].ends_with(" ms"),
        "{lines:?}"
    );
    assert!(
        lines[1].starts_with("nodes: 1 known, 1 met, 0 refused,"),
        "{lines:?}"
    );
}

#[test]
fn wrong_usage_and_broken_files_are_told() {
    let (_, closed) = closed_port();
    let enode = enode_at(closed);
    let cases: [(&[&str], &str); 4] = [
        (
            &["crawl"],
            "--bootnode <NODE>|--dns <LINK>|--network <NAME>|--nodes <FILE>",
        ),
        (
            &["crawl", "--bootnode", &enode, "--format", "csv"],
            "--out <FILE>",
        ),
        (
            &["crawl", "--bootnode", &enode, "--discovery", "none,v4"],
            "none cannot be combined",
        ),
        (
            &["crawl", "--bootnode", &enode, "--at-once", "65"],
            "65 is not in 1..=64",
        ),
    ];
    for (arguments, part) in cases {
        let text = run(arguments).refused();
        assert!(text.contains(part), "{arguments:?}: {text}");
    }
    let folder = Folder::new();
    let broken = folder.file("broken.jsonl", &format!("{enode}\n{{\"node_id\":1}}\n"));
    let (line, _) = run(&["crawl", "--nodes", &broken]).failed();
    assert!(
        line.contains("broken.jsonl: line 2: not an entry of a file of nodes: "),
        "{line}"
    );
    let (line, _) = run(&["crawl", "--nodes", &folder.text("missing")]).failed();
    assert!(line.contains("missing: No such file"), "{line}");
    let nowhere = folder.text("none/out.jsonl");
    let (line, _) = run(&["crawl", "--bootnode", &enode, "--out", &nowhere]).failed();
    assert!(line.contains("none/out.jsonl: No such file"), "{line}");
}

/// Runs a node that sends a Status of `eth`, and no Pong.
///
/// reth behaves like this: it sends no Pong before it has our Status. The Status that this node sends is
/// all zeros.
async fn sends_no_pong(listener: TcpListener, key: SecretKey) {
    let (stream, _) = listener.accept().await.expect("a connection");
    let stream = TcpTransport::new(stream, SocketOptions::default()).expect("a transport");
    let authenticated = accept(stream, &key, Legacy::Refuse).await;
    let capabilities = vec![Capability::new("eth", 69)];
    let hello = Hello::new("silent", capabilities, key.public_key());
    let established = authenticated.expect("an auth").exchange_hello(&hello).await;
    let mut framed = established.expect("a Hello").into_framed();
    let payload = Bytes::from_static(&[0]);
    let status = RawMessage {
        id: BASE_LENGTH,
        payload,
    };
    framed.send(status).await.expect("it is read");
    while let Some(Ok(_)) = framed.next().await {}
}

#[test]
fn a_node_without_a_pong_holds_nobody_up() {
    let folder = Folder::new();
    let runtime = Runtime::new().expect("a runtime");
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"));
    let listener = listener.expect("a free port");
    let addr = listener.local_addr().expect("an address");
    let key = SecretKey::generate();
    let enode = Enode::new(key.public_key(), addr);
    runtime.spawn(sends_no_pong(listener, key));
    let list = folder.file("list.txt", &enode.to_string());
    // The visit ends long before its time limit of 255 s.
    let (nodes, _) = results(&[
        "--nodes",
        &list,
        "--discovery",
        "none",
        "--private-networks",
        "--timeout",
        "255",
    ]);
    let node = &nodes[&id(&enode.to_string())];
    assert_eq!(node["outcome"], "met", "{node}");
    assert_eq!(node["rtt_us"], Value::Null);
}

#[test]
fn a_terminal_shows_how_far_it_is_until_ctrl_c() {
    let Some(terminal) = Tmux::start(120, 24) else {
        return;
    };
    let (_listener, silent) = silent_server();
    let folder = Folder::new();
    let list = folder.file("list.txt", &enode_at(silent));
    let binary = env!("CARGO_BIN_EXE_peermux");
    let crawl = format!("{binary} crawl --nodes {list} --discovery none --private-networks");
    terminal.line(&format!("clear; {crawl} --timeout 5m; echo ended-$?"));
    terminal.shows(&[" s, nodes: 1 known, 0 met, 0 not met, 1 under way"]);
    terminal.press(&["C-c"]);
    let screen = terminal.shows(&["ended-0"]);
    // The line was cleared.
    assert!(!screen.contains("under way"), "{screen}");
}
