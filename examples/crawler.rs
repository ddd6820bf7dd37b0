//! A crawler that visits given nodes and the nodes that they know, several at once.
//!
//! `cargo run --example crawler [ENODE …]`; without arguments it visits nodes that it starts
//! itself.

use std::collections::{HashSet, VecDeque};
use std::error::Error;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use peermux::requests::Requests;
use peermux::{DisconnectReason, Enode, Protocol, SecretKey, Server, messages};

/// How many nodes are visited at once.
const AT_ONCE: usize = 8;
/// How many nodes are visited in total, at most.
const IN_ALL: usize = 1000;

messages! {
    /// `known/1` returns the nodes that a node knows.
    pub enum Known, length = 2 {
        /// Requests nodes.
        0x00 => GetNodes -> Nodes,
        /// The enode URLs of the known nodes.
        0x01 => Nodes(#[rlp(max = 100)] Vec<String>),
    }
}

/// Starts a node that knows the nodes in `known`.
async fn node(known: Vec<String>) -> Result<Server, Box<dyn Error>> {
    let requests = Requests::builder().answer(move |_peer, _: GetNodes| {
        let known = known.clone();
        async move { Ok(Nodes(known)) }
    });
    let protocol = requests.build().protocol(Protocol::typed("known", 1));
    let node = Server::builder(SecretKey::generate()).protocol(protocol);
    Ok(node.listen("127.0.0.1:0".parse()?).start().await?)
}

/// Dials a node, prints what it is, requests the nodes that it knows, and disconnects.
async fn visit(
    server: &Server,
    requests: &Requests<Known>,
    enode: Enode,
) -> Result<Vec<String>, Box<dyn Error>> {
    let peer = server.dial(&enode).await?;
    let protocols = peer.capabilities().iter().map(ToString::to_string);
    let protocols: Vec<_> = protocols.collect();
    println!("{}: {}", peer.id(), protocols.join(" "));
    let nodes = requests.request(&peer.id(), GetNodes).await;
    peer.disconnect(DisconnectReason::REQUESTED);
    Ok(nodes?.0)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let list = std::env::args().skip(1).map(|url| url.parse());
    let mut waiting = list.collect::<Result<VecDeque<Enode>, _>>()?;
    // Start a chain of nodes. Each knows the node before it, and the first knows a node that no
    // longer exists.
    let mut own = Vec::new();
    let mut last = node(Vec::new()).await?.enode();
    for _ in 0..4 {
        let node = node(vec![last.to_string()]).await?;
        last = node.enode();
        own.push(node);
    }
    if waiting.is_empty() {
        waiting.push_back(last);
    }
    let requests = Requests::new();
    let protocol = requests.protocol(Protocol::typed("known", 1));
    let server = Server::builder(SecretKey::generate()).protocol(protocol);
    let server = server.start().await?;

    let mut seen = HashSet::new();
    let mut visits = FuturesUnordered::new();
    loop {
        while visits.len() < AT_ONCE
            && seen.len() < IN_ALL
            && let Some(enode) = waiting.pop_front()
        {
            if seen.insert(enode.public_key().node_id()) {
                visits.push(visit(&server, &requests, enode));
            }
        }
        match visits.next().await {
            Some(Ok(nodes)) => {
                let nodes = nodes.iter().filter_map(|url| url.parse::<Enode>().ok());
                waiting.extend(nodes.take(IN_ALL.saturating_sub(waiting.len())));
            }
            Some(Err(error)) => println!("not visited: {error}"),
            None => break,
        }
    }
    println!("{} nodes were found", seen.len());
    Ok(())
}
