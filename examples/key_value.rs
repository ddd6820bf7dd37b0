//! A key-value store whose nodes query each other, and its tests.
//!
//! `cargo run --example key_value`, or `cargo test` instead of `cargo run`

use std::{collections::HashMap, error::Error, sync::Arc};

use peermux::requests::Requests;
use peermux::{Protocol, SecretKey, Server, messages};
use tokio::sync::RwLock;

messages! {
    /// `kv/1`
    #[derive(Debug, Clone, PartialEq)]
    enum Kv, length = 4 {
        0x00 => Get(String) -> Value,
        0x01 => Value(Option<String>),
        0x02 => Put { key: String, value: String } -> Stored,
        /// The previous value.
        0x03 => Stored(Option<String>),
    }
}

/// Returns a node's store, which answers requests from peers and sends requests to them.
fn store() -> Requests<Kv> {
    let values = Arc::new(RwLock::new(HashMap::new()));
    let written = Arc::clone(&values);
    Requests::builder()
        .answer(move |_peer, Get(key)| {
            let values = Arc::clone(&values);
            async move { Ok(Value(values.read().await.get(&key).cloned())) }
        })
        .answer(move |_peer, Put { key, value }| {
            let values = Arc::clone(&written);
            async move { Ok(Stored(values.write().await.insert(key, value))) }
        })
        .build()
}

fn protocol(requests: &Requests<Kv>) -> Protocol {
    requests.protocol(Protocol::typed("kv", 1))
}

async fn node(requests: &Requests<Kv>) -> Result<Server, Box<dyn Error>> {
    let node = Server::builder(SecretKey::generate()).protocol(protocol(requests));
    Ok(node.listen("127.0.0.1:0".parse()?).start().await?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let asking = store();
    let (here, north, south) = (
        node(&asking).await?,
        node(&store()).await?,
        node(&store()).await?,
    );
    for (key, other) in [("north", &north), ("south", &south)] {
        let peer = here.dial(&other.enode()).await?.id();
        let (key, value) = (key.to_owned(), format!("stored by {peer}"));
        asking.request(&peer, Put { key, value }).await?;
    }
    // Any peer may have the value, so an answer without it does not stop the search.
    for key in ["north", "south", "east"] {
        let any = asking.any(Get(key.to_owned()));
        match any.accept(|_, Value(value)| value.is_some()).send().await {
            Ok((_, Value(value))) => println!("{key}: {}", value.unwrap_or_default()),
            Err(error) => println!("{key}: {error}"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use peermux::{DisconnectReason, requests::RequestError, testing};

    fn put(value: &str) -> Put {
        let (key, value) = ("cat".to_owned(), value.to_owned());
        Put { key, value }
    }

    #[tokio::test]
    async fn what_one_node_puts_is_there_until_the_other_ends() {
        let (near, far) = (store(), store());
        let connected = testing::connect(protocol(&near), protocol(&far)).await;
        let peer = connected.unwrap().left;
        let before = near.request(&peer.id(), put("Tom")).await;
        assert_eq!(before.unwrap(), Stored(None));
        let before = near.request(&peer.id(), put("Felix")).await;
        assert_eq!(before.unwrap(), Stored(Some("Tom".to_owned())));
        let value = near.request(&peer.id(), Get("cat".to_owned())).await;
        assert_eq!(value.unwrap(), Value(Some("Felix".to_owned())));
        peer.disconnect(DisconnectReason::REQUESTED);
        peer.ended().await;
        let refused = near.request(&peer.id(), put("Garfield")).await;
        assert!(matches!(refused, Err(RequestError::NotConnected { .. })));
    }
}
