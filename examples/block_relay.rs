//! Relays blocks around a ring: each node broadcasts new blocks to its other peers.
//!
//! `cargo run --example block_relay`

use std::collections::VecDeque;
use std::error::Error;
use std::time::Duration;

use peermux::server::{BroadcastPolicy, WeakServer};
use peermux::{Bytes, NodeId, Protocol, ProtocolError, SecretKey, Server, messages};
use tokio::sync::mpsc;

/// How many blocks a node remembers, so that it relays each block once.
const REMEMBERED: usize = 256;

messages! {
    /// `relay/1`
    #[derive(Debug, Clone)]
    pub enum Relay, length = 1, max_size = "1 MiB" {
        /// A block that the sender has just received or made.
        0x00 => NewBlock { number: u64, #[rlp(max = 1000)] transactions: Vec<Bytes> },
    }
}

/// A block and the node that sent it.
type From = (NodeId, Relay);

/// Starts a node that reports new blocks to `arrived`. Returns the queue for its own blocks.
async fn node(arrived: mpsc::Sender<u64>) -> Result<(Server, mpsc::Sender<From>), Box<dyn Error>> {
    // The queue is bounded: if the relay is slow, the handlers wait, and so do the peers that send
    // to them.
    let (received, blocks) = mpsc::channel(16);
    let own = received.clone();
    let protocol = Protocol::typed::<Relay>("relay", 1).run(move |peer, mut conn| {
        let received = received.clone();
        async move {
            while let Some(block) = conn.recv().await? {
                let sent = received.send((peer.id(), block.into_inner())).await;
                sent.map_err(ProtocolError::other)?;
            }
            Ok(())
        }
    });
    let server = Server::builder(SecretKey::generate()).protocol(protocol);
    let server = server.listen("127.0.0.1:0".parse()?).start().await?;
    // With a clone, the task would keep the node running.
    tokio::spawn(relay(server.downgrade(), blocks, arrived));
    Ok((server, own))
}

async fn relay(server: WeakServer, mut blocks: mpsc::Receiver<From>, arrived: mpsc::Sender<u64>) {
    let mut known = VecDeque::new();
    // A peer whose queue stays full for this long misses the block. The report of the broadcast
    // lists the peer.
    let policy = BroadcastPolicy::default().with_wait(Duration::from_millis(100));
    while let (Some((from, block)), Some(server)) = (blocks.recv().await, server.upgrade()) {
        let Relay::NewBlock { number, .. } = block;
        if known.contains(&number) {
            continue;
        }
        known.truncate(REMEMBERED - 1);
        known.push_front(number);
        let sent = server.broadcast(&block, policy, |peer| peer.id() != from);
        match sent.await {
            Ok(report) => println!("{}: block {number} to {} peers", server.id(), report.sent),
            Err(error) => println!("{}: block {number} was not relayed: {error}", server.id()),
        }
        if arrived.send(number).await.is_err() {
            break;
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (arrived, mut arrivals) = mpsc::channel(16);
    let mut nodes = Vec::new();
    for _ in 0..5 {
        nodes.push(node(arrived.clone()).await?);
    }
    for (index, (server, _)) in nodes.iter().enumerate() {
        let (next, _) = &nodes[(index + 1) % nodes.len()];
        server.dial(&next.enode()).await?;
    }
    for number in 1..=3 {
        let (server, blocks) = &nodes[number as usize];
        let transactions = vec![Bytes::from(vec![7; 100]); 200];
        let block = Relay::NewBlock {
            number,
            transactions,
        };
        blocks.send((server.id(), block)).await?;
        for _ in 0..nodes.len() {
            arrivals.recv().await.ok_or("a node has ended")?;
        }
    }
    println!("all {} nodes have all blocks", nodes.len());
    Ok(())
}
