use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use peermux::comm::{Comm, Envelope, IdentityProvider, PeerId, RemotePeer, Secp256k1Identity};
use peermux::connmgr::{ConnectError, Dialer};
use peermux::{Bytes, Enode, NodeId, SecretKey, Server};
use rand::RngExt;
use tokio::io::DuplexStream;
use tokio::time::{Instant, sleep, timeout};

use super::message::{DATA, Gossiped, MessageId, Signed};
use super::store::Store;
use super::{Config, Gossip, GossipError};

const SOON: Duration = Duration::from_secs(60);

#[derive(Clone, Default)]
struct Net(Arc<Mutex<HashMap<NodeId, Server>>>);

impl Dialer for Net {
    type Addr = Enode;
    type Io = DuplexStream;

    async fn dial(&self, node: &Enode) -> Result<DuplexStream, ConnectError> {
        let server = self.0.lock().unwrap().get(&node.node_id()).cloned();
        let server = server.ok_or(ConnectError::Refused)?;
        let (near, far) = tokio::io::duplex(64 << 10);
        tokio::spawn(async move { server.accept_over(far).await });
        Ok(near)
    }
}

impl Net {
    async fn node(&self) -> (Comm, RemotePeer) {
        let random = || SecretKey::random(&mut rand::rng());
        let (key, identity) = (random(), Secp256k1Identity::new(random()));
        // Only the key counts; what has no address is not dialled.
        let enode = Enode::new(key.public_key(), "192.0.2.1:1".parse().unwrap());
        let builder = Server::builder(key)
            .configure(|config| config.with_max_peers(200))
            .dialer(self.clone());
        let started = Comm::start(peermux::comm::Config::default(), identity, builder).await;
        let (server, comm) = started.unwrap();
        self.0.lock().unwrap().insert(server.id(), server);
        let peer = RemotePeer::new(enode, comm.id());
        (comm, peer)
    }

    async fn gossips(&self, count: usize, config: Config) -> Vec<Gossip> {
        let mut nodes = Vec::new();
        for _ in 0..count {
            nodes.push(self.node().await);
        }
        let peers: Vec<_> = nodes.iter().map(|(_, peer)| peer.clone()).collect();
        let start = |(comm, _): (Comm, _)| {
            let gossip = Gossip::start(comm, config);
            gossip.set_peers(peers.clone());
            gossip
        };
        nodes.into_iter().map(start).collect()
    }
}

/// How many messages plain flooding takes: who hears of a message tells everybody else.
fn flood(nodes: usize, loss: f64) -> (usize, usize) {
    let mut rng = rand::rng();
    let mut reached = vec![false; nodes];
    let (mut telling, mut sent) = (vec![0], 0);
    reached[0] = true;
    while let Some(node) = telling.pop() {
        for other in (0..nodes).filter(|other| *other != node) {
            sent += 1;
            if !rng.random_bool(loss) && !std::mem::replace(&mut reached[other], true) {
                telling.push(other);
            }
        }
    }
    (sent, reached.into_iter().filter(|one| *one).count() - 1)
}

#[tokio::test(start_paused = true)]
async fn a_message_reaches_fifty_nodes_in_few_rounds_although_one_in_ten_is_lost() {
    const NODES: usize = 50;
    const MESSAGES: usize = 10;
    let config = Config {
        loss: 0.1,
        ..Config::default()
    };
    let nodes = Net::default().gossips(NODES, config).await;
    let mut feeds: Vec<_> = nodes.iter().map(Gossip::subscribe).collect();
    // Connections are made meanwhile.
    sleep(SOON).await;
    let sum = |of: fn(&super::GossipStats) -> u64| -> u64 {
        nodes.iter().map(|node| of(&node.stats())).sum()
    };
    let before = [
        sum(|one| one.digests),
        sum(|one| one.requests),
        sum(|one| one.data),
    ];
    let started = Instant::now();
    for (number, node) in nodes.iter().take(MESSAGES).enumerate() {
        node.publish(vec![number as u8; 1000]).await.unwrap();
    }
    for feed in &mut feeds {
        for _ in 0..MESSAGES {
            let message = timeout(SOON, feed.next()).await.expect("it arrives");
            assert_eq!(message.expect("the feed goes on").content.len(), 1000);
        }
    }
    let rounds = started.elapsed().as_secs_f64() / config.interval.as_secs_f64();
    assert!(rounds <= 15.0, "{rounds} rounds");
    let after = [
        sum(|one| one.digests),
        sum(|one| one.requests),
        sum(|one| one.data),
    ];
    let deliveries = (MESSAGES * (NODES - 1)) as f64;
    let each = |kind: usize| (after[kind] - before[kind]) as f64 / deliveries;
    let (flooded, reached) = flood(NODES, 0.1);
    let flooding = flooded as f64 / reached as f64;
    println!(
        "{rounds:.0} rounds; each delivery: {:.2} contents, {:.2} requests, {:.2} digests; \
         flooding: {flooding:.1} contents",
        each(2),
        each(1),
        each(0)
    );
    assert!(each(2) < 2.0, "{} contents for each delivery", each(2));
    assert!(each(0) + each(1) + each(2) < flooding / 2.0);
    assert_eq!(sum(|one| one.broken), 0);
}

#[tokio::test(start_paused = true)]
async fn messages_expire_everywhere_and_do_not_come_back() {
    let config = Config::default().with_expiry(Duration::from_secs(5));
    let nodes = Net::default().gossips(3, config).await;
    nodes[0].publish("brief").await.unwrap();
    sleep(Duration::from_secs(4)).await;
    assert!(nodes.iter().all(|node| node.stats().kept == 1));
    sleep(Duration::from_secs(2)).await;
    assert!(nodes.iter().all(|node| node.stats().kept == 0));
    sleep(SOON).await;
    assert!(nodes.iter().all(|node| node.stats().fresh <= 1));
    let large = nodes[0].publish(vec![0; (1 << 20) + 1]).await;
    assert!(matches!(large, Err(GossipError::TooLarge { .. })));
}

#[tokio::test(start_paused = true)]
async fn who_passes_on_what_its_author_did_not_sign_loses_its_connection() {
    let net = Net::default();
    let ((honest, at), (liar, _)) = (net.node().await, net.node().await);
    let gossip = Gossip::start(honest.clone(), Config::default());
    let mut feed = gossip.subscribe();
    let victim = Secp256k1Identity::new(SecretKey::random(&mut rand::rng()));
    let message = Signed {
        identity: victim.identity(),
        sequence: 1,
        content: Bytes::from_static(b"I never said that"),
        signature: Bytes::from_static(&[1; 64]),
    };
    let age = Duration::ZERO;
    let forged = Gossiped::Data { age, message }.encode();
    for broken in [forged, Envelope::new(DATA, "no list")] {
        let before = gossip.stats().broken;
        liar.send(&broken, std::slice::from_ref(&at))
            .remove(0)
            .await;
        while gossip.stats().broken == before {
            sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(honest.connection_count(), 0);
        sleep(Duration::from_secs(10)).await;
    }
    assert_eq!(gossip.stats().kept, 0);
    honest.stop().await;
    assert!(feed.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn the_store_keeps_its_bounds() {
    let config = Config::default().with_max_messages(3).with_max_bytes(100);
    let (mut store, now) = (Store::new(config), Instant::now());
    let id = |n| MessageId::new(PeerId::from_bytes([1; 32]), n);
    let insert = |store: &mut Store, n, size: usize| {
        let message = Signed {
            identity: Bytes::new(),
            sequence: n,
            content: vec![0; size].into(),
            signature: Bytes::new(),
        };
        store.insert(id(n), message, Duration::ZERO, now)
    };
    for n in 0..4 {
        assert!(insert(&mut store, n, 10));
    }
    assert!(!insert(&mut store, 3, 10), "known");
    assert!(!insert(&mut store, 0, 10), "forgotten, and not wanted back");
    assert!(!insert(&mut store, 9, 101), "too large for ever");
    assert_eq!(store.digest(), [id(3), id(2), id(1)]);
    assert!(insert(&mut store, 5, 90));
    assert_eq!(store.digest(), [id(5), id(3)]);
    assert_eq!(store.missing(&[id(5), id(7), id(7)], now), [id(7)]);
    assert!(store.missing(&[id(7)], now).is_empty(), "asked for already");
    let later = now + config.interval;
    assert_eq!(store.missing(&[id(7)], later), [id(7)]);
}

#[tokio::test(start_paused = true)]
async fn times_and_counts_of_any_size_work() {
    let largest = Config::default()
        .with_interval(Duration::MAX)
        .with_fanout(usize::MAX)
        .with_hot_rounds(u32::MAX)
        .with_expiry(Duration::MAX)
        .with_max_messages(usize::MAX)
        .with_max_bytes(usize::MAX);
    let (mut store, now) = (Store::new(largest), Instant::now());
    let id = MessageId::new(PeerId::from_bytes([1; 32]), 1);
    assert_eq!(store.missing(&[id], now), [id]);
    store.expire(now + SOON);
    assert!(
        store.missing(&[id], now + SOON).is_empty(),
        "asked for already"
    );
    let net = Net::default();
    let gossips = net.gossips(2, largest).await;
    gossips[0].publish("to be told").await.unwrap();
    sleep(SOON).await;
    assert_eq!(gossips[0].stats().kept, 1);
}
