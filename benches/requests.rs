//! The cost of requests, compared with bare sends and receives.
//!
//! The benchmark measures the CPU time of both, in turns within one run. `--quick` takes three
//! turns.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "machine/mod.rs"]
mod machine;

use std::time::Duration;

use machine::{Spread, cpu_seconds};
use peermux::requests::{RequestConfig, Requests};
use peermux::{Bytes, Protocol, ProtocolConn, SecretKey, Server, messages};
use tokio::sync::mpsc;
use tokio::time::Instant;

messages! {
    #[derive(Debug, Clone, PartialEq)]
    enum Load, length = 2 {
        0x00 => Ask { size: u64 } -> Answer,
        0x01 => Answer(Bytes),
    }
}

const SIZE: usize = 1 << 10;

/// The number of concurrent requests or bare round trips.
const OPEN: [usize; 2] = [1, 64];

async fn node(protocol: Protocol) -> Server {
    let key = SecretKey::random(&mut rand::rng());
    let builder = Server::builder(key).listen("127.0.0.1:0".parse().unwrap());
    builder.protocol(protocol).start().await.unwrap()
}

fn answer(size: u64) -> Answer {
    Answer(Bytes::from(vec![7; size as usize]))
}

/// A requesting and an answering node, with the request layer.
struct Layer {
    requests: Requests<Load>,
    _nodes: [Server; 2],
    peer: peermux::NodeId,
}

impl Layer {
    async fn new() -> Self {
        let config = RequestConfig::default()
            .with_max_open(4096)
            .with_answering(4096);
        let requests = Requests::builder().config(config).build();
        let answers = Requests::builder()
            .config(config)
            .answer(|_, ask: Ask| async move { Ok(answer(ask.size)) })
            .build();
        let near = node(requests.protocol(Protocol::typed("load", 1))).await;
        let far = node(answers.protocol(Protocol::typed("load", 1))).await;
        let peer = near.dial(&far.enode()).await.unwrap().id();
        Self {
            requests,
            _nodes: [near, far],
            peer,
        }
    }

    async fn ask(&self, open: usize, count: usize) {
        let asking = (0..open).map(|_| async {
            for _ in 0..count / open {
                let ask = Ask { size: SIZE as u64 };
                let answer = self.requests.request(&self.peer, ask).await.unwrap();
                assert_eq!(answer.0.len(), SIZE);
            }
        });
        futures::future::join_all(asking).await;
    }
}

/// The same messages as with the request layer, exchanged by the protocols' own functions.
struct Bare {
    conn: ProtocolConn<Load>,
    _nodes: [Server; 2],
}

impl Bare {
    async fn new() -> Self {
        let (lend, mut lent) = mpsc::channel(1);
        let near = Protocol::typed::<Load>("load", 1).run(move |peer, conn| {
            let lend = lend.clone();
            async move {
                lend.try_send(conn).expect("one");
                peer.ending().await;
                Ok(())
            }
        });
        let far = Protocol::typed::<Load>("load", 1).run(|_, mut conn| async move {
            while let Some(message) = conn.recv().await? {
                if let Load::Ask(id, ask) = message.into_inner() {
                    conn.send(&Load::Answer(id, answer(ask.size))).await?;
                }
            }
            Ok(())
        });
        let (near, far) = (node(near).await, node(far).await);
        near.dial(&far.enode()).await.unwrap();
        Self {
            conn: lent.recv().await.unwrap(),
            _nodes: [near, far],
        }
    }

    async fn ask(&mut self, open: usize, count: usize) {
        let mut id = 0;
        for _ in 0..count / open {
            for _ in 0..open {
                id += 1;
                let ask = Ask { size: SIZE as u64 };
                self.conn.send(&Load::Ask(id, ask)).await.unwrap();
            }
            for _ in 0..open {
                let message = self.conn.recv().await.unwrap().unwrap().into_inner();
                assert!(matches!(message, Load::Answer(_, answer) if answer.0.len() == SIZE));
            }
        }
    }
}

/// Returns this process's CPU time for some work, and the work's duration, in seconds.
async fn cost(work: impl Future<Output = ()>) -> (f64, Duration) {
    let (cpu, started) = (cpu_seconds(std::process::id()), Instant::now());
    work.await;
    (cpu_seconds(std::process::id()) - cpu, started.elapsed())
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let quick = std::env::args().any(|arg| arg == "--quick");
    let (turns, count) = if quick { (3, 6_400) } else { (9, 64_000) };
    println!(
        "round trips of {SIZE} B, requests compared with bare ones: minimum, median, maximum of {turns}"
    );
    let (layer, mut bare) = (Layer::new().await, Bare::new().await);
    for open in OPEN {
        let (mut cpu, mut wall) = (Vec::new(), Vec::new());
        layer.ask(open, count / 4).await;
        bare.ask(open, count / 4).await;
        for _ in 0..turns {
            let (ours, ours_took) = cost(layer.ask(open, count)).await;
            let (theirs, theirs_took) = cost(bare.ask(open, count)).await;
            cpu.push(ours / theirs);
            wall.push(ours_took.as_secs_f64() / theirs_took.as_secs_f64());
        }
        println!("{open:>5} open: processor {}", Spread::of(cpu));
        println!("{open:>5} open: time      {}", Spread::of(wall));
    }
}
