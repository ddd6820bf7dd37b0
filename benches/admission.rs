//! The CPU time that strangers can make a node spend on inbound connections.
//!
//! The benchmark measures complete set-ups and invalid auth packets, and how many of each kind one
//! core handles per second.
//!
//! Run it with `cargo bench --bench admission`. The node counts its own CPU time; the callers are
//! in another process, started from this binary.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a benchmark has no caller to hand errors to"
)]

mod machine;

use std::process::{self, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use peermux::{DisconnectReason, Endpoint, Enode, Protocol, SecretKey, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use machine::{Spread, cpu_seconds};

const CALLS: usize = 2000;
const RUNS: usize = 5;
/// The number of concurrent callers.
const CALLERS: usize = 8;
const CALLER: &str = "PEERMUX_BENCH_CALLER";
const WHOLE: &str = "set-up, peer and end";
const FALSE: &str = "false auth packet";

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    match std::env::var(CALLER) {
        Ok(call) => {
            let (kind, node) = call.split_once('|').expect("a kind and a node");
            runtime.block_on(call_all(kind == WHOLE, node.parse().unwrap()));
        }
        Err(_) => runtime.block_on(answer()),
    }
}

async fn answer() {
    let server = Server::builder(SecretKey::generate())
        .protocol(idle())
        .listen("127.0.0.1:0".parse().unwrap())
        // The limit is generous, because peers that leave are removed only a moment later.
        .configure(|config| config.with_max_peers(CALLS))
        .start()
        .await
        .unwrap();
    println!("µs of CPU time for each of {CALLS} inbound connections, {RUNS} runs");
    println!("                        minimum    median   maximum   on one core");
    let mut results = [(WHOLE, Vec::new()), (FALSE, Vec::new())];
    for _ in 0..RUNS {
        for (kind, times) in &mut results {
            let before = cpu_seconds(process::id());
            let mut caller = Command::new(std::env::current_exe().unwrap());
            caller.env(CALLER, format!("{kind}|{}", server.enode()));
            let ended = tokio::task::spawn_blocking(move || caller.status());
            assert!(ended.await.unwrap().unwrap().success());
            let spent = cpu_seconds(process::id()) - before;
            times.push(spent * 1e6 / CALLS as f64);
        }
    }
    for (kind, times) in results {
        let spread = Spread::of(times);
        let a_second = 1e6 / spread.median;
        println!("{kind:<20} {spread}   {a_second:>6.0} a second");
    }
}

fn idle() -> Protocol {
    Protocol::builder("idle", 1, 1).run(|peer, _conn| async move {
        peer.ending().await;
        Ok(())
    })
}

async fn call_all(whole: bool, node: Enode) {
    let (begun, mut callers) = (Arc::new(AtomicUsize::new(0)), JoinSet::new());
    for _ in 0..CALLERS {
        let (begun, node) = (Arc::clone(&begun), node.clone());
        callers.spawn(async move {
            while begun.fetch_add(1, Ordering::Relaxed) < CALLS {
                if whole {
                    call(&node).await;
                } else {
                    call_falsely(&node).await;
                }
            }
        });
    }
    while let Some(ended) = callers.join_next().await {
        ended.unwrap();
    }
}

/// Becomes a peer with a new key, then leaves.
async fn call(node: &Enode) {
    let builder = Server::builder(SecretKey::generate()).protocol(idle());
    let server = builder.start().await.unwrap();
    let peer = server.dial(node).await.unwrap();
    peer.disconnect(DisconnectReason::REQUESTED);
    peer.ended().await;
}

/// Sends a well-formed packet that cannot be decrypted. Returns once the node closes the
/// connection.
async fn call_falsely(node: &Enode) {
    const LENGTH: u16 = 300;
    let addr = node.endpoint().and_then(Endpoint::socket_addr).unwrap();
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let mut packet = LENGTH.to_be_bytes().to_vec();
    // The packet has a valid public key, so that the node has to compute with it.
    packet.push(4);
    packet.extend(SecretKey::generate().public_key().to_bytes());
    packet.resize(usize::from(LENGTH) + 2, 7);
    stream.write_all(&packet).await.unwrap();
    // An error is ignored, since the connection may also be reset.
    stream.read_to_end(&mut Vec::new()).await.ok();
}
