//! Memory and CPU time of a broadcast, compared with a send to each peer.
//!
//!     cargo bench -p peermux --bench broadcast [-- --quick]
//!
//! The peers are bare connections in another process, which read everything. The broadcast and the
//! sends are measured in turns, each in a new process. Memory is the peak resident memory above
//! that of the idle node.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark has no caller to hand errors to"
)]

mod greet;
#[path = "machine/mod.rs"]
mod machine;
#[path = "machine/worker.rs"]
mod worker;

use std::env::args;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::{SinkExt, StreamExt, TryStreamExt, stream};
use machine::{Spread, cpu_seconds, forget_peak_resident, peak_resident_kib, resident_kib};
use peermux::p2p::RawMessage;
use peermux::server::BroadcastPolicy;
use peermux::{Bytes, Capability, Enode, Protocol, ProtocolSender, SecretKey, Server, messages};
use rand::RngExt;
use tokio::net::TcpStream;
use tokio::time::sleep;
use worker::{ROLE, Worker, commands, tell};

/// Size of a message in bytes.
const SIZE: usize = 200 << 10;
const PING: u64 = 2;
const PONG: u64 = 3;

const DATA: [&str; 2] = ["random", "halved"];
const WAYS: [&str; 2] = ["send", "broadcast"];

messages! {
    enum Blocks, length = 1 {
        0x00 => Block(Bytes),
    }
}

fn main() {
    let args: Vec<String> = args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        [ROLE, "node", peers] => node(peers.parse().expect("a number")),
        [ROLE, "crowd", enode] => crowd(&enode.parse().expect("an enode URL")),
        words => compare(words.contains(&"--quick")),
    }
}

fn compare(quick: bool) {
    let (turns, peers, rounds) = if quick { (1, 200, 3) } else { (5, 1000, 5) };
    println!(
        "{SIZE} bytes to {peers} peers, a broadcast as a share of separate sends: minimum, median, maximum of {turns}"
    );
    for data in DATA {
        let (mut memory, mut cpu, mut kib) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..turns {
            let [send, broadcast] = WAYS.map(|way| once(way, data, peers, rounds));
            memory.push(broadcast[0] / send[0]);
            cpu.push(broadcast[1] / send[1]);
            kib.push(broadcast[0]);
        }
        println!("{data}: memory    {}", Spread::of(memory));
        println!("{data}: processor {}", Spread::of(cpu));
        println!(
            "{data}: MiB       {}",
            Spread::of(kib.iter().map(|kib| kib / 1024.0).collect())
        );
    }
}

/// Returns the peak memory above the idle node (KiB) and the CPU time (s).
fn once(way: &str, data: &str, peers: usize, rounds: usize) -> [f64; 2] {
    let mut node = Worker::start(&["node", &peers.to_string()]);
    let mut crowd = Worker::start(&["crowd", &node.greeting]);
    crowd.ask(&format!("connect {peers}"));
    let told = node.ask(&format!("{way} {data} {rounds}"));
    [told[0], told[1]]
}

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn node(peers: usize) {
    machine::more_files();
    let blocks = Protocol::typed::<Blocks>("blocks", 1).run(|peer, _conn| async move {
        peer.ending().await;
        Ok(())
    });
    let server = Server::builder(SecretKey::generate())
        .listen("127.0.0.1:0".parse().unwrap())
        .configure(|config| config.with_max_peers(peers).with_dial_ratio(0))
        .protocol(blocks)
        .start();
    let server = server.await.unwrap();
    tell(&server.enode().to_string());
    for command in commands() {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let [way, data, rounds] = words[..] else {
            panic!("not a command: {words:?}");
        };
        while server.peer_count() < peers {
            sleep(Duration::from_millis(10)).await;
        }
        sleep(Duration::from_secs(1)).await;
        let message = Blocks::Block(block(data));
        let this = std::process::id();
        forget_peak_resident();
        let (idle, cpu) = (resident_kib(this), cpu_seconds(this));
        for _ in 0..rounds.parse().expect("a number") {
            match way {
                "send" => send(&server, &message).await,
                _ => broadcast(&server, &message).await,
            }
        }
        let cpu = cpu_seconds(this) - cpu;
        tell(&format!("{} {cpu}", peak_resident_kib(this) - idle));
    }
}

/// Returns a random block. For data that Snappy should halve, earlier pieces are repeated between
/// new ones. In real blocks, hashes and addresses are repeated in this way.
fn block(data: &str) -> Bytes {
    let mut rng = rand::rng();
    let mut block: Vec<u8> = Vec::with_capacity(SIZE + 32);
    while block.len() < SIZE {
        block.extend(rng.random::<[u8; 6]>());
        if data == "halved" && block.len() > 64 {
            let back = rng.random_range(16..block.len().min(16 << 10));
            let from = block.len() - back;
            block.extend_from_within(from..from + 12);
        }
    }
    block.truncate(SIZE);
    block.into()
}

async fn send(server: &Server, message: &Blocks) {
    let peers = server.peers();
    let senders: Vec<ProtocolSender<Blocks>> =
        peers.iter().map(|peer| peer.sender().unwrap()).collect();
    let sending = senders.iter().map(|sender| sender.send(message));
    for sent in futures::future::join_all(sending).await {
        sent.unwrap();
    }
    written(server).await;
}

async fn broadcast(server: &Server, message: &Blocks) {
    let policy = BroadcastPolicy::default();
    let report = server.broadcast(message, policy, |_| true).await.unwrap();
    assert_eq!((report.sent, report.full()), (server.peer_count(), 0));
    written(server).await;
}

/// Waits until all messages are written.
async fn written(server: &Server) {
    let is_waiting =
        |stats: peermux::peer::PeerStats| stats.protocols.iter().any(|blocks| blocks.waiting > 0);
    while server.peers().iter().any(|peer| is_waiting(peer.stats())) {
        sleep(Duration::from_millis(5)).await;
    }
    sleep(Duration::from_millis(200)).await;
}

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn crowd(node: &Enode) {
    machine::more_files();
    tell("ready");
    let received = Arc::new(AtomicU64::new(0));
    for command in commands() {
        let peers: usize = command[1].parse().expect("a number");
        let links = stream::iter(0..peers).map(|_| async {
            let stream = TcpStream::connect(greet::address_of(node)).await?;
            let key = SecretKey::generate();
            let capabilities = vec![Capability::new("blocks", 1)];
            greet::greet(stream, node, &key, capabilities).await
        });
        let links: Result<Vec<_>, _> = links.buffer_unordered(16).try_collect().await;
        for link in links.unwrap() {
            let received = Arc::clone(&received);
            tokio::spawn(async move {
                let mut link = link.into_framed();
                while let Some(Ok(message)) = link.next().await {
                    received.fetch_add(1, Ordering::Relaxed);
                    if message.id == PING {
                        let id = PONG;
                        let payload = Bytes::from_static(&[0xc0]);
                        link.send(RawMessage { id, payload }).await.ok();
                    }
                }
            });
        }
        tell("0");
    }
}
