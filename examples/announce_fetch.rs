//! Announces items by their ids, and fetches unknown ones by request, along a line of three nodes.
//!
//! `cargo run --example announce_fetch`

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, OnceLock};

use peermux::requests::{RequestConn, Requests};
use peermux::server::{BroadcastPolicy, WeakServer};
use peermux::{DisconnectReason, Peer, Protocol, ProtocolError, SecretKey, Server, messages};
use tokio::sync::watch;

messages! {
    #[derive(Debug, Clone)]
    enum Message, length = 3, max_size = "1 MiB" {
        /// The sender has these items.
        0x00 => Announce(#[rlp(max = 256)] Vec<u64>),
        /// Requests items by their ids.
        0x01 => GetItems { #[rlp(max = 256)] ids: Vec<u64> } -> Items,
        /// Those of the requested items that the sender has.
        0x02 => Items(#[rlp(max = 256)] Vec<(u64, String)>),
    }
}

struct Node {
    items: watch::Sender<BTreeMap<u64, String>>,
    requests: Requests<Message>,
    /// Set after the start, and weak: the server owns the protocol, which owns this.
    server: OnceLock<WeakServer>,
}

impl Node {
    async fn run(&self, peer: Peer, mut conn: RequestConn<Message>) -> Result<(), ProtocolError> {
        // Broadcasts reach the peer even before this function starts, so no item is missed.
        let known = self.items.borrow().keys().copied().collect();
        conn.send(&Message::Announce(known)).await?;
        while let Some(message) = conn.recv().await? {
            let Message::Announce(mut ids) = message.into_inner() else {
                return Err(DisconnectReason::BREACH_OF_PROTOCOL.into());
            };
            ids.retain(|id| !self.items.borrow().contains_key(id));
            if ids.is_empty() {
                continue;
            }
            let get = GetItems { ids: ids.clone() };
            let fetched = self.requests.request(&peer.id(), get).await;
            let Items(mut items) = fetched.map_err(ProtocolError::other)?;
            items.retain(|(id, _)| ids.contains(id));
            let new = Message::Announce(items.iter().map(|(id, _)| *id).collect());
            self.items.send_modify(|known| known.extend(items));
            if let Some(server) = self.server.get().and_then(WeakServer::upgrade) {
                let others = |other: &Peer| other.id() != peer.id();
                let sent = server.broadcast(&new, BroadcastPolicy::default(), others);
                sent.await.map_err(ProtocolError::other)?;
            }
        }
        Ok(())
    }
}

async fn start(items: BTreeMap<u64, String>) -> Result<(Server, Arc<Node>), Box<dyn Error>> {
    let items = watch::Sender::new(items);
    let answers = items.clone();
    let requests = Requests::builder().answer(move |_peer, GetItems { ids }| {
        let known = answers.borrow();
        let item = |id| Some((id, known.get(&id)?.clone()));
        std::future::ready(Ok(Items(ids.into_iter().filter_map(item).collect())))
    });
    let (requests, server) = (requests.build(), OnceLock::new());
    let node = Arc::new(Node {
        items,
        requests: requests.clone(),
        server,
    });
    let running = Arc::clone(&node);
    let protocol = requests.protocol_with(Protocol::typed("items", 1), move |peer, before| {
        let node = Arc::clone(&running);
        async move { node.run(peer, before.ready()).await }
    });
    let builder = Server::builder(SecretKey::generate()).protocol(protocol);
    let server = builder.listen("127.0.0.1:0".parse()?).start().await?;
    node.server.get_or_init(|| server.downgrade());
    Ok((server, node))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let items = (0..100).map(|id| (id, format!("item {id}"))).collect();
    let (first, _) = start(items).await?;
    let (middle, _) = start(BTreeMap::new()).await?;
    let (last, node) = start(BTreeMap::new()).await?;
    last.dial(&middle.enode()).await?;
    middle.dial(&first.enode()).await?;
    let mut items = node.items.subscribe();
    items.wait_for(|items| items.len() == 100).await?;
    println!("{} has all items of {}", last.id(), first.id());
    Ok(())
}
