//! A whole network with one bootnode: our nodes, go-ethereum's, and EthereumJS's full node.
//!
//! The nodes find each other by Node Discovery v4 and v5 in a network namespace with only a
//! loopback device. Then the bootnode is killed and a third of the nodes restarts. The durations
//! are printed but not checked.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use libtest_mimic::{Completion, Failed, Trial};
use peermux::Enode;
use peermux::server::Discovery;
use peermux_protocols::eth::Event;
use serde_json::Value;
use tokio::time::Instant;

use crate::eth_node::EthNode;
use crate::ethereumjs_client::{self, Client, sepolia};
use crate::foreign::{Foreign, Implementation, output};
use crate::namespace::{are_there, run_inside};
use crate::peermux_cli;
use crate::program::Program;
use crate::report;

/// The environment variable with the number of nodes, set inside the namespace.
const INSIDE: &str = "PEERMUX_INTEROP_NETWORK";

/// The environment variable that overrides the default number of nodes.
const NODES: &str = "PEERMUX_NETWORK";
const USUAL: usize = 16;

/// How long finding the full node may take. Among sixty nodes on two processors it takes more than
/// a minute.
const FULL_NODE: Duration = Duration::from_secs(300);

/// The number of peers that each of our nodes should have, and the maximum number. A third of the
/// seats is for dialled nodes.
const TARGET: i64 = 8;
const MOST: &str = "24";

/// Runs the test itself if this process is inside the namespace.
pub(crate) fn inside() -> Option<ExitCode> {
    let nodes = env::var(INSIDE).ok()?;
    run(nodes.parse().expect("a number"));
    Some(ExitCode::SUCCESS)
}

pub(crate) fn trial() -> Trial {
    report::trial("network::finds_itself", ready, |()| start())
}

/// Builds everything before the test enters the namespace, where downloads are impossible.
fn ready() -> Result<(), String> {
    are_there()?;
    Implementation::Geth.ready()?;
    ethereumjs_client::ready()?;
    Ok(())
}

fn start() -> Result<Completion, Failed> {
    let nodes = env::var(NODES).unwrap_or_else(|_| USUAL.to_string());
    run_inside(INSIDE, nodes)
}

/// Starts a program at an address; returns it with its enode URL.
type Start = Box<dyn Fn(&str) -> (Program, String)>;

/// A node of the network in another process.
struct Member {
    program: Program,
    enode: Enode,
    /// Starts the program again with the same address, key and folder.
    again: Start,
    peers: i64,
}

impl Member {
    fn start(again: impl Fn(&str) -> (Program, String) + 'static) -> Self {
        let (program, enode) = again("127.0.0.1:0");
        Self {
            program,
            enode: enode.parse().expect("an enode URL"),
            again: Box::new(again),
            peers: 0,
        }
    }

    /// Shuts the program down and starts it again.
    fn restart(&mut self) {
        let endpoint = self.enode.endpoint().expect("it listens");
        let addr = endpoint.socket_addr().expect("an IP address").to_string();
        self.program.terminate();
        while self.program.next().is_some() {}
        let (program, enode) = (self.again)(&addr);
        assert_eq!(
            enode.parse::<Enode>().expect("an enode URL").node_id(),
            self.enode.node_id()
        );
        self.program = program;
        self.peers = 0;
    }

    /// Counts the events about peers that the program has already printed.
    fn count(&mut self) {
        while let Some(event) = self.program.try_next() {
            self.peers += change(&event);
        }
    }

    /// Waits for the program's next event and counts it.
    fn wait(&mut self) {
        let event = self.program.next().expect("it runs");
        self.peers += change(&event);
    }
}

fn change(event: &Value) -> i64 {
    match event["event"].as_str() {
        Some("peer_add") => 1,
        Some("peer_drop") => -1,
        Some("lost") => panic!("events were lost: {event}"),
        _ => 0,
    }
}

/// Waits until all nodes have enough peers at the same time.
fn reach_target(nodes: &mut [Member]) {
    loop {
        nodes.iter_mut().for_each(Member::count);
        match nodes.iter_mut().find(|node| node.peers < TARGET) {
            Some(node) => node.wait(),
            None => return,
        }
    }
}

/// Starts our binary with a data directory.
fn ours(folder: PathBuf, bootnode: String) -> Member {
    Member::start(move |addr| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_peermux"));
        command.args(["listen", "--json", "--private-networks", "--addr", addr]);
        command.args(["--max-peers", MOST, "--bootnode", &bootnode]);
        command.arg("--data-dir").arg(&folder);
        let mut program = Program::spawn("peermux", command);
        let listening = program.event("listening");
        let enode = listening["enode"].as_str().expect("an enode URL");
        (program, enode.to_owned())
    })
}

fn geth(foreign: &'static Foreign, folder: PathBuf, bootnode: String) -> Member {
    let key: String = (0..32)
        .map(|_| format!("{:02x}", rand::random::<u8>()))
        .collect();
    Member::start(move |addr| {
        let folder = folder.to_str().expect("text");
        foreign.serve(&[
            "--addr",
            addr,
            "--key",
            &key,
            "--bootnode",
            &bootnode,
            "--node-database",
            folder,
            "--log",
            "warn",
        ])
    })
}

/// Starts the bootnode; returns it with its enode URL and record.
fn bootnode() -> (Program, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_peermux"));
    command.args(["listen", "--json", "--discovery", "--addr", "127.0.0.1:0"]);
    let mut program = Program::spawn("peermux", command);
    let listening = program.event("listening");
    let record = program.event("record");
    let text = |event: &Value, key: &str| event[key].as_str().expect(key).to_owned();
    program.ignore_output();
    (program, text(&listening, "enode"), text(&record, "record"))
}

fn run(count: usize) {
    let folder = output().join("network");
    // Remove the files of an earlier run.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    let foreign = Implementation::Geth.ready().expect("built outside");
    let begun = Instant::now();
    let (boot, boot_enode, boot_record) = bootnode();

    // Three nodes do not count as `others`: the bootnode, the full node, and our node that shares
    // `eth` with it. A third of `others` are go-ethereum's.
    let others = count - 3;
    let theirs = others / 3;
    let place = |name: &str, number: usize| folder.join(format!("{name}{number}"));
    let mut geths: Vec<_> = (0..theirs)
        .map(|number| geth(foreign, place("geth", number), boot_record.clone()))
        .collect();
    let mut nodes: Vec<_> = (theirs..others)
        .map(|number| ours(place("ours", number), boot_record.clone()))
        .collect();
    let full_node = Joining::start(&folder, &boot_enode, &boot_record);
    reach_target(&mut nodes);
    println!(
        "{count} nodes: all of our nodes have {TARGET} peers after {:.1?}",
        begun.elapsed()
    );
    let full_node = full_node.joined();
    println!("the full node is found after {:.1?}", begun.elapsed());

    let begun = Instant::now();
    let known = crawl(&boot_enode, &nodes, &geths);
    println!("a crawl finds {known} nodes after {:.1?}", begun.elapsed());
    drop(full_node);

    let begun = Instant::now();
    drop(boot);
    for node in nodes.iter_mut().chain(&mut geths).step_by(3) {
        node.restart();
    }
    reach_target(&mut nodes);
    println!(
        "after the restart of a third, without the bootnode: {:.1?}",
        begun.elapsed()
    );
}

/// Crawls from the bootnode until all nodes are known, and checks each result. Returns the number
/// of nodes.
fn crawl(boot: &str, ours: &[Member], geths: &[Member]) -> usize {
    let file = output().join("network/crawled.jsonl");
    let out = file.to_str().expect("a path in UTF-8");
    let id = |member: &Member| member.enode.node_id().to_string();
    let mut arguments = vec!["--bootnode", boot, "--out", out];
    // A crawl that lost packets is repeated; the repetition continues with the known nodes.
    for _ in 0..5 {
        let told = peermux_cli::crawl(&arguments);
        let of = |member: &Member| told.iter().find(|node| node["node_id"] == id(member));
        let named = |members: &[Member]| members.iter().map(of).collect::<Option<Vec<_>>>();
        if let (Some(ours), Some(geths)) = (named(ours), named(geths)) {
            ours.into_iter()
                .for_each(|node| is_true(node, "peermux/", &["bench/1", "echo/1"]));
            geths
                .into_iter()
                .for_each(|node| is_true(node, "go-ethereum", &["bench/1", "echo/1"]));
            let full = |node: &&Value| client(node).starts_with("EthereumJS/");
            if let Some(full) = told.iter().find(full) {
                assert_eq!(full["eth"]["network"], sepolia().network, "{full}");
            }
            return told.len() - 1;
        }
        arguments = vec!["--bootnode", boot, "--nodes", out, "--out", out];
    }
    panic!("not all nodes are found");
}

fn client(node: &Value) -> &str {
    node["client"].as_str().unwrap_or_default()
}

/// Checks that a node was met, or refused us for lack of a free seat.
fn is_true(node: &Value, name: &str, speaks: &[&str]) {
    if node["outcome"] == "refused" {
        assert_eq!(node["error"]["reason"]["code"], 4, "{node}");
        return;
    }
    assert_eq!(node["outcome"], "met", "{node}");
    assert!(client(node).contains(name), "{node}");
    let all = node["capabilities"].as_array().expect("a list").iter();
    let all = all.map(|one| {
        format!(
            "{}/{}",
            one["name"].as_str().expect("a name"),
            one["version"]
        )
    });
    assert_eq!(all.collect::<Vec<_>>(), speaks, "{node}");
}

/// EthereumJS's full node, and our node that shares `eth` with it.
struct Joining {
    _client: Client,
    ours: EthNode,
}

impl Joining {
    fn start(folder: &Path, boot_enode: &str, boot_record: &str) -> Self {
        let installed = ethereumjs_client::ready().expect("installed outside");
        let client = Client::find(installed, &folder.join("full-node"), boot_enode);
        let boot = boot_record
            .parse::<peermux::NodeRecord>()
            .expect("a record");
        let ours = EthNode::start_with(sepolia(), 68..=70, |builder| {
            builder.discovery(Discovery::new().with_bootnodes([boot]))
        });
        Self {
            _client: client,
            ours,
        }
    }

    /// Waits until the two nodes are connected, and keeps them running.
    fn joined(mut self) -> Self {
        loop {
            if let Event::Joined { peer, .. } = self.ours.event_within(FULL_NODE)
                && peer.hello().client_text().starts_with("EthereumJS")
            {
                return self;
            }
        }
    }
}
