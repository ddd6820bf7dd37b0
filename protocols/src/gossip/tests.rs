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

use super::message::{DATA, Gossiped, MAX_ANSWERS, MAX_IDS, MessageId, Signed};
use super::store::Store;
use super::{Config, Gossip, GossipError};

const SOON: Duration = Duration::from_secs(60);
/// The calendar time at which each node starts. The node's clock follows the virtual time.
const START: Duration = Duration::from_secs(1_800_000_000);

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
        // The tests' dialer uses only the key. The address is needed because a node without one is
        // not dialled.
        let enode = Enode::new(key.public_key(), "192.0.2.1:1".parse().unwrap());
        let builder = Server::builder(key)
            .configure(|config| config.with_max_peers(200))
            .dialer(self.clone());
        let config = peermux::comm::Config::default().with_unix_time(Some(START));
        let started = Comm::start(config, identity, builder).await;
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

/// Returns how many messages plain flooding sends and how many nodes it reaches. In plain flooding,
/// each node that receives the message sends it to all others.
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
    // Wait until the connections are established.
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
            assert_eq!(message.expect("the feed continues").content.len(), 1000);
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
async fn a_peer_that_passes_on_an_unsigned_message_is_disconnected() {
    let net = Net::default();
    let ((honest, at), (liar, _)) = (net.node().await, net.node().await);
    let gossip = Gossip::start(honest.clone(), Config::default());
    let mut feed = gossip.subscribe();
    let victim = Secp256k1Identity::new(SecretKey::random(&mut rand::rng()));
    let message = Signed {
        identity: victim.identity(),
        sequence: 1,
        written: honest.unix_time(),
        content: Bytes::from_static(b"I never said that"),
        signature: Bytes::from_static(&[1; 64]),
    };
    let forged = Gossiped::Data(message).encode();
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

/// Returns a message with its author's signature.
fn by(author: &Secp256k1Identity, sequence: u64, written: Duration) -> Signed {
    let mut message = Signed {
        identity: author.identity(),
        sequence,
        written,
        content: Bytes::from_static(b"news"),
        signature: Bytes::new(),
    };
    let signed = message.envelope().signed_bytes();
    message.signature = author.sign(&signed).unwrap();
    message
}

#[tokio::test(start_paused = true)]
async fn the_time_of_writing_is_signed_and_bounded_in_both_directions() {
    let net = Net::default();
    let ((honest, at), (liar, _)) = (net.node().await, net.node().await);
    let gossip = Gossip::start(honest.clone(), Config::default());
    let author = Secp256k1Identity::new(SecretKey::random(&mut rand::rng()));
    let tell = async |message: Signed| {
        let data = Gossiped::Data(message).encode();
        let sent = liar.send(&data, std::slice::from_ref(&at)).remove(0).await;
        assert!(sent.is_sent());
        sleep(Duration::from_secs(1)).await;
        let stats = gossip.stats();
        (stats.fresh, stats.stale, stats.broken)
    };
    let old = by(&author, 1, START);
    assert_eq!(tell(old.clone()).await, (1, 0, 0));
    assert_eq!(
        tell(by(&author, 2, START + SOON)).await,
        (1, 1, 0),
        "future"
    );
    sleep(SOON).await;
    assert_eq!(gossip.stats().kept, 0);
    assert_eq!(tell(old.clone()).await, (1, 2, 0), "too old");
    let renewed = Signed {
        written: honest.unix_time(),
        ..old
    };
    assert_eq!(tell(renewed).await, (1, 2, 1), "not what was signed");
}

#[tokio::test(start_paused = true)]
async fn a_request_is_answered_with_each_message_once_and_within_limits() {
    let net = Net::default();
    let ((honest, at), (asker, _)) = (net.node().await, net.node().await);
    let gossip = Gossip::start(honest, Config::default());
    let ask = async |ids: Vec<MessageId>| {
        let before = gossip.stats().data;
        let request = Gossiped::Request(ids).encode();
        let sent = asker.send(&request, std::slice::from_ref(&at)).remove(0);
        assert!(sent.await.is_sent());
        sleep(Duration::from_secs(5)).await;
        gossip.stats().data - before
    };
    let large = gossip.publish(vec![1; 1 << 20]).await.unwrap();
    assert_eq!(ask(vec![large; MAX_IDS]).await, 1);
    let mut ids = Vec::new();
    for _ in 0..3 * MAX_ANSWERS {
        ids.push(gossip.publish("small").await.unwrap());
    }
    assert_eq!(ask(ids).await, MAX_ANSWERS as u64);
    let mut ids = Vec::new();
    for _ in 0..8 {
        ids.push(gossip.publish(vec![1; 1 << 20]).await.unwrap());
    }
    assert!(ask(ids).await <= 4, "4 MiB");
}

fn author(byte: u8) -> PeerId {
    PeerId::from_bytes([byte; 32])
}

fn id(byte: u8, sequence: u64) -> MessageId {
    MessageId::new(author(byte), sequence)
}

/// Inserts a message of `size` bytes by the author `by`, received from `sender`.
fn insert(store: &mut Store, sender: u8, by: u8, sequence: u64, size: usize) -> bool {
    let message = Signed {
        identity: vec![0; size / 2].into(),
        sequence,
        written: START,
        content: vec![0; size - size / 2 - 512].into(),
        signature: Bytes::new(),
    };
    store.insert(author(sender), id(by, sequence), message, START)
}

#[tokio::test(start_paused = true)]
async fn the_store_keeps_its_bounds() {
    let config = Config::default()
        .with_max_messages(3)
        .with_max_bytes(100_000);
    let (mut store, now) = (Store::new(config), Instant::now());
    for n in 0..4 {
        assert!(insert(&mut store, 1, 1, n, 10_000));
    }
    assert!(!insert(&mut store, 1, 1, 3, 10_000), "known");
    assert!(
        !insert(&mut store, 2, 1, 0, 10_000),
        "evicted, and not accepted again"
    );
    assert!(!insert(&mut store, 1, 1, 9, 100_001), "always too large");
    assert_eq!(store.digest(), [id(1, 3), id(1, 2), id(1, 1)]);
    assert!(
        insert(&mut store, 1, 1, 5, 90_000),
        "of which half is identity"
    );
    assert_eq!(store.digest(), [id(1, 5), id(1, 3)]);
    assert_eq!(store.bytes(), 100_000);
    let missing = store.missing(author(1), &[id(1, 5), id(1, 7), id(1, 7)], now);
    assert_eq!(missing, [id(1, 7)]);
    let mut again = |sender, rounds| {
        let now = now + config.interval * rounds;
        store.missing(author(sender), &[id(1, 7)], now).len()
    };
    assert_eq!((again(1, 0), again(2, 0)), (0, 0), "already requested");
    assert_eq!((again(1, 1), again(1, 3), again(1, 4)), (0, 0, 1));
    assert_eq!(again(2, 5), 1, "another sender, in the next round");
}

#[test]
fn a_flood_of_one_sender_or_one_author_crowds_out_its_own_messages_first() {
    let config = Config::default()
        .with_max_messages(40)
        .with_max_bytes(100_000);
    let mut store = Store::new(config);
    // Senders 1 and 2 deliver messages of honest authors. Author 8 floods, through sender 1 and
    // directly.
    for n in 0..5 {
        assert!(insert(&mut store, 1, 10 + n, 0, 1100));
        assert!(insert(&mut store, 2, 20 + n, 0, 4000));
    }
    for n in 0..1000 {
        let sender = [1, 8][usize::from(n % 5 > 0)];
        assert!(insert(
            &mut store,
            sender,
            8,
            n,
            1100 + (n as usize % 3) * 4000
        ));
        assert!(store.len() <= 40 && store.bytes() <= 100_000);
    }
    for n in 0..5 {
        for honest in [10 + n, 20 + n] {
            assert!(store.get(&id(honest, 0), START).is_some(), "{honest}");
        }
    }
    // A flood does not make the node forget the ids of other authors' messages either.
    let mut seen = Store::new(config.with_max_messages(1));
    assert!(insert(&mut seen, 1, 1, 0, 1100) && insert(&mut seen, 1, 1, 1, 1100));
    for n in 0..100 {
        assert!(insert(&mut seen, 8, 8, n, 1100));
    }
    assert!(!insert(&mut seen, 1, 1, 0, 1100), "seen");
}

#[tokio::test(start_paused = true)]
async fn announcements_by_one_sender_do_not_prevent_requests_to_others() {
    let config = Config::default().with_max_messages(100);
    let (mut store, now) = (Store::new(config), Instant::now());
    for lie in 0..10 {
        let ids: Vec<_> = (0..1000).map(|n| id(8, lie * 1000 + n)).collect();
        assert!(store.missing(author(8), &ids, now).len() <= MAX_ANSWERS);
    }
    let real: Vec<_> = (0..10).map(|n| id(1, n)).collect();
    assert_eq!(store.missing(author(1), &real, now), real);
}

#[tokio::test(start_paused = true)]
async fn times_and_counts_of_any_size_work() {
    let largest = Config::default()
        .with_interval(Duration::MAX)
        .with_fanout(usize::MAX)
        .with_hot_rounds(u32::MAX)
        .with_expiry(Duration::MAX)
        .with_clock_tolerance(Duration::MAX)
        .with_max_messages(usize::MAX)
        .with_max_bytes(usize::MAX);
    let (mut store, now) = (Store::new(largest), Instant::now());
    let ids = [id(1, 1)];
    assert_eq!(store.missing(author(1), &ids, now), ids);
    store.expire(Duration::MAX, now + SOON);
    let again = store.missing(author(2), &ids, now + SOON);
    assert!(again.is_empty(), "already requested");
    let net = Net::default();
    let gossips = net.gossips(2, largest).await;
    gossips[0].publish("to be told").await.unwrap();
    sleep(SOON).await;
    assert_eq!(gossips[0].stats().kept, 1);
}
