//! The memory of an idle peer, including the server.
//!
//! The benchmark counts only the node's end; the remotes are in another process.
//!
//! Run it with `cargo bench --bench idle`. Each measurement starts this program as a node, and the
//! node starts the program again as its remotes. The node first runs and stops a server with a few
//! peers, so that code and tables that are loaded once do not count. Then it measures its memory,
//! starts the server, connects the peers, and idles until silent connections have released their
//! buffers.
//!
//! It fails if the median with the most peers is above its goal. With fewer peers, the server
//! itself has a larger share.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a benchmark has no caller to hand errors to"
)]

mod machine;

use std::io::{BufRead, BufReader, Read};
use std::process::{self, Child, ChildStdin, Command, ExitCode, Stdio};
use std::time::Duration;

use peermux::{Enode, Protocol, SecretKey, Server};
use tokio::task::JoinSet;
use tokio::time::sleep;

use machine::{Spread, more_files, resident_kib};

const FEW: usize = 100;
const MANY: usize = 1000;
/// The goal for the median with [`MANY`] peers, in KiB per peer.
const GOAL: f64 = 12.0;
const RUNS: usize = 3;
/// The number of peers that are connected first to load code and tables.
const WARM_UP: usize = 20;
/// How long to idle before measuring. A silent connection releases its buffers after five seconds.
const SILENCE: Duration = Duration::from_secs(8);
/// The number of concurrent set-ups, lower than the default limit of a node.
const SET_UPS: usize = 32;
const DEADLINE: Duration = Duration::from_secs(10);

const NODE: &str = "PEERMUX_BENCH_NODE";
const REMOTES: &str = "PEERMUX_BENCH_REMOTES";

fn main() -> ExitCode {
    more_files();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if let Ok(remotes) = std::env::var(REMOTES) {
        let (count, node) = remotes.split_once(' ').expect("a count and a node");
        runtime.block_on(remote(count.parse().unwrap(), node.parse().unwrap()));
    } else if let Ok(count) = std::env::var(NODE) {
        runtime.block_on(node(count.parse().unwrap()));
    } else {
        return report();
    }
    ExitCode::SUCCESS
}

/// Prints the figures. Fails if the goal is missed.
fn report() -> ExitCode {
    println!("KiB of memory for each idle peer, one end, with the server around them");
    println!("  peers    minimum    median   maximum   ({RUNS} runs)");
    let row = |peers: usize| {
        let spread = Spread::of((0..RUNS).map(|_| measure(peers)).collect());
        println!("{peers:>7}  {spread}");
        spread.median
    };
    row(FEW);
    if row(MANY) <= GOAL {
        println!("the goal is met");
        ExitCode::SUCCESS
    } else {
        println!("missed: at most {GOAL} KiB with {MANY} peers");
        ExitCode::FAILURE
    }
}

fn again(role: &str, what: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(role, what).stdout(Stdio::piped());
    command
}

/// Returns the KiB per peer that a new process reports.
fn measure(peers: usize) -> f64 {
    let mut command = again(NODE, &peers.to_string());
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.trim().parse().expect("a number")
}

fn idle() -> Protocol {
    Protocol::builder("idle", 1, 1).run(|_, mut conn| async move {
        while conn.recv().await?.is_some() {}
        Ok(())
    })
}

/// A server with peers in another process.
struct Connected {
    server: Server,
    remotes: Child,
    until: Option<ChildStdin>,
}

impl Connected {
    async fn start(peers: usize) -> Self {
        let server = Server::builder(SecretKey::generate())
            .protocol(idle())
            .listen("127.0.0.1:0".parse().unwrap())
            .configure(|config| config.with_max_peers(peers))
            .start()
            .await
            .unwrap();
        let remotes = format!("{peers} {}", server.enode());
        let mut remotes = again(REMOTES, &remotes)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let until = remotes.stdin.take();
        let mut line = String::new();
        let out = remotes.stdout.take().unwrap();
        BufReader::new(out).read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "connected");
        // The node handles the last message of each set-up a moment later.
        while server.peer_count() < peers {
            sleep(Duration::from_millis(10)).await;
        }
        Self {
            server,
            remotes,
            until,
        }
    }

    async fn end(mut self) {
        self.server.shutdown(DEADLINE).await.unwrap();
        drop(self.until.take());
        self.remotes.wait().unwrap();
    }
}

async fn node(peers: usize) {
    Connected::start(WARM_UP).await.end().await;
    let before = resident_kib(process::id());
    let connected = Connected::start(peers).await;
    sleep(SILENCE).await;
    let after = resident_kib(process::id());
    println!("{}", (after - before) / peers as f64);
    connected.end().await;
}

async fn remote(count: usize, node: Enode) {
    let (mut dials, mut servers) = (JoinSet::new(), Vec::new());
    for _ in 0..count {
        if dials.len() >= SET_UPS {
            servers.extend(dials.join_next().await);
        }
        let node = node.clone();
        dials.spawn(async move {
            let builder = Server::builder(SecretKey::generate()).protocol(idle());
            let server = builder.start().await.unwrap();
            server.dial(&node).await.unwrap();
            server
        });
    }
    while let Some(server) = dials.join_next().await {
        servers.push(server);
    }
    println!("connected");
    // Wait until the node has finished.
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}
