//! Servers on loopback.

use std::time::Duration;

use peermux::peer::ProtocolInfo;
use peermux::server::StartError;
use peermux::{
    DialError, Direction, DisconnectReason, Enode, EventStream, Message, Peer, PeerError,
    PeerEvent, Protocol, SecretKey, Server, ServerBuilder, Stage,
};

const SOON: Duration = Duration::from_secs(20);

fn key() -> SecretKey {
    SecretKey::random(&mut rand::rng())
}

fn mirror(version: u64) -> Protocol {
    Protocol::builder("mirror", version, 1).run(|_, mut conn| async move {
        while let Some(message) = conn.recv().await? {
            conn.send(&message).await?;
        }
        Ok(())
    })
}

fn node() -> ServerBuilder {
    Server::builder(key())
        .listen("127.0.0.1:0".parse().unwrap())
        .protocol(mirror(1))
}

async fn dropped(feed: &mut EventStream<PeerEvent>) -> PeerEvent {
    let find = async {
        loop {
            let event = feed
                .recv()
                .await
                .expect("the feed is open")
                .expect("none is missed");
            if matches!(event, PeerEvent::Dropped { .. }) {
                return event;
            }
        }
    };
    tokio::time::timeout(SOON, find)
        .await
        .expect("a peer is dropped")
}

#[tokio::test]
async fn a_dialled_node_is_a_peer_on_both_sides_and_both_report_it() {
    let (listener, dialler) = (node().start().await.unwrap(), node().start().await.unwrap());
    let mut feed = listener.subscribe();
    let peer = dialler.dial(&listener.enode()).await.expect("connects");
    assert_eq!(
        (peer.id(), peer.direction()),
        (listener.id(), Direction::Outbound)
    );
    let PeerEvent::Added { peer: inbound } = feed.recv().await.unwrap().unwrap() else {
        panic!()
    };
    assert_eq!(
        (inbound.id(), inbound.direction()),
        (dialler.id(), Direction::Inbound)
    );
    assert_eq!(inbound.remote_addr(), peer.local_addr());
    assert_eq!((listener.peer_count(), dialler.peer_count()), (1, 1));

    dialler.shutdown(SOON).await.expect("all end");
    let PeerEvent::Dropped { outcome, .. } = dropped(&mut feed).await else {
        panic!()
    };
    let quitting = Some(DisconnectReason::CLIENT_QUITTING);
    assert!(matches!(outcome.error, PeerError::Remote(reason) if reason == quitting));
    assert_eq!(
        listener.peer_count(),
        0,
        "the event of an end is emitted after the removal"
    );
    listener.shutdown(SOON).await.expect("all end");
}

/// The peer and its caller run on two threads. Their order varies, so repeat this often.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_has_seen_a_peer_end_can_dial_its_node_again() {
    let (listener, dialler) = (node().start().await.unwrap(), node().start().await.unwrap());
    for round in 0..100 {
        let mut feed = listener.subscribe();
        let peer = dialler.dial(&listener.enode()).await.expect("connects");
        peer.disconnect(DisconnectReason::REQUESTED);
        peer.ended().await.expect("it ends in order");
        assert_eq!(dialler.peer_count(), 0, "round {round}");
        dropped(&mut feed).await;
    }
}

#[tokio::test]
async fn unwanted_nodes_are_refused_each_with_its_reason() {
    let full = node()
        .configure(|config| config.with_max_peers(1))
        .start()
        .await
        .unwrap();
    let (first, second) = (node().start().await.unwrap(), node().start().await.unwrap());
    let mut feed = full.subscribe();
    let peer = first.dial(&full.enode()).await.expect("connects");
    added(&mut feed, &first).await;

    let error = second.dial(&full.enode()).await.expect_err("one too many");
    assert_eq!(
        error.reason(),
        Some(DisconnectReason::TOO_MANY_PEERS),
        "{error}"
    );
    assert_eq!(error.stage(), Stage::Hello);

    let error = first.dial(&full.enode()).await.expect_err("connected");
    assert_eq!(
        error.reason(),
        Some(DisconnectReason::ALREADY_CONNECTED),
        "{error}"
    );

    let error = second.dial(&second.enode()).await.expect_err("self");
    assert_eq!(
        error.reason(),
        Some(DisconnectReason::CONNECTED_TO_SELF),
        "{error}"
    );

    let stranger = Server::builder(key())
        .protocol(mirror(2))
        .start()
        .await
        .unwrap();
    let error = stranger.dial(&second.enode()).await.expect_err("useless");
    let text = error.to_string();
    assert!(
        text.contains("this side speaks mirror/2, the remote mirror/1"),
        "{text}"
    );
    assert_eq!(
        error.reason(),
        Some(DisconnectReason::USELESS_PEER),
        "{error}"
    );

    let impostor = Enode::new(key().public_key(), second.local_addr().unwrap());
    let error = first.dial(&impostor).await.expect_err("another key");
    assert!(matches!(error, DialError::Setup { .. }), "{error}");
    assert_eq!(error.reason(), None);
    drop(peer);
}

#[tokio::test]
async fn a_node_without_an_endpoint_or_a_listener_is_not_reached() {
    let server = node().start().await.unwrap();
    let error = server
        .dial(&Enode::incomplete(key().public_key()))
        .await
        .expect_err("nowhere");
    assert!(matches!(error, DialError::NoEndpoint { .. }));

    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let error = server
        .dial(&Enode::new(key().public_key(), closed))
        .await
        .expect_err("closed");
    assert!(matches!(error, DialError::Connect { .. }));
    assert!(error.to_string().contains(&closed.to_string()), "{error}");
}

#[tokio::test]
async fn incompatible_protocols_are_refused_at_the_start() {
    let twice = node().protocol(mirror(1)).start().await.expect_err("twice");
    assert!(matches!(twice, StartError::DuplicateProtocol(_)));

    for name in ["", "ninechars", "café", "p2p"] {
        let protocol = Protocol::builder(name, 1, 1).run(|_, _| async { Ok(()) });
        let error = node().protocol(protocol).start().await.expect_err(name);
        assert!(matches!(error, StartError::ProtocolName(_)), "{error}");
    }

    let huge = |name| Protocol::builder(name, 1, u64::MAX / 2).run(|_, _| async { Ok(()) });
    let overflow = node().protocol(huge("x")).protocol(huge("y")).start().await;
    assert!(matches!(
        overflow.expect_err("too long"),
        StartError::Lengths(_)
    ));

    // A remote that supports only a/1 would leave no codes for b/1.
    let versions = [("a", 1, u64::MAX - 16), ("a", 2, 1), ("b", 1, 1)];
    let versions = versions
        .into_iter()
        .fold(node(), |node, (name, version, length)| {
            node.protocol(Protocol::builder(name, version, length).run(|_, _| async { Ok(()) }))
        });
    let older = versions.start().await;
    assert!(matches!(
        older.expect_err("too long"),
        StartError::Lengths(_)
    ));

    let long = Server::builder(key())
        .configure(|config| config.with_name("n".repeat(3000)))
        .start()
        .await;
    assert!(matches!(
        long.expect_err("too large"),
        StartError::HelloTooLarge { .. }
    ));
}

#[tokio::test]
async fn messages_of_all_sizes_come_back() {
    let (listener, dialler) = (node().start().await.unwrap(), Server::builder(key()));
    let (done, all_back) = tokio::sync::oneshot::channel();
    let done = std::sync::Mutex::new(Some(done));
    let client = Protocol::builder("mirror", 1, 1).run(move |_, mut conn| {
        let done = done.lock().unwrap().take();
        async move {
            for size in [0, 1, 15, 16, 17, 1000, 65_536, 1 << 20, 5 << 20] {
                let payload: Vec<u8> = (0..size).map(|i| ((i * 7) >> 3) as u8).collect();
                conn.send(&Message::new(0, payload.clone())).await?;
                let back = conn.recv().await?.expect("still connected");
                assert!(back.payload == payload, "{size} bytes changed");
            }
            if let Some(done) = done {
                let _ = done.send(());
            }
            Ok(())
        }
    });
    let dialler = dialler.protocol(client).start().await.unwrap();
    dialler.dial(&listener.enode()).await.expect("connects");
    tokio::time::timeout(SOON, all_back)
        .await
        .expect("in time")
        .expect("no panic");
}

#[tokio::test]
async fn information_records_have_their_json_form() {
    let told = Protocol::builder("told", 3, 1)
        .node_info(|| ProtocolInfo::of(serde_json::json!({"height": 7})))
        .peer_info(|_| None)
        .run(|peer, _conn| async move {
            peer.ending().await;
            Ok(())
        });
    let (a, b) = (
        node().protocol(told.clone()),
        node()
            .configure(|config| config.with_name("someone"))
            .protocol(told),
    );
    let (a, b) = (a.start().await.unwrap(), b.start().await.unwrap());
    a.dial(&b.enode()).await.expect("connects");
    let node = serde_json::to_value(a.node_info()).unwrap();
    assert_eq!(
        node["protocols"],
        serde_json::json!({"mirror": "unknown", "told": {"height": 7}})
    );
    assert_eq!(node["enode"], a.enode().to_string());
    assert_eq!(node["listen_addr"], a.local_addr().unwrap().to_string());
    assert_eq!((&node["schema"], &node["peers"]), (&1.into(), &1.into()));
    let mut peers = serde_json::to_value(a.peers_info()).unwrap();
    let views: Vec<_> = a.peer_views().collect();
    let mut views = serde_json::to_value(&views).unwrap();
    assert_eq!(timeless(&mut views), timeless(&mut peers));
    assert_eq!(peers[0]["node_id"], b.id().to_string());
    assert_eq!(peers[0]["client"], "someone");
    let told = &peers[0]["capabilities"][1];
    assert_eq!(
        (&told["name"], &told["version"]),
        (&"told".into(), &3.into())
    );
    assert_eq!(peers[0]["direction"], "outbound");
    assert_eq!(peers[0]["addr"], b.local_addr().unwrap().to_string());
    let protocols = &peers[0]["protocols"];
    assert_eq!(protocols["mirror"]["info"], "unknown");
    assert_eq!(protocols["told"]["info"], "handshake");
}

/// Sets those fields of the peers to zero that change with time.
fn timeless(peers: &mut serde_json::Value) -> &serde_json::Value {
    for peer in peers.as_array_mut().unwrap() {
        peer["connected_ms"] = 0.into();
    }
    peers
}

/// Waits until the node of `feed` has added `other`.
async fn added(feed: &mut EventStream<PeerEvent>, other: &Server) -> Peer {
    let find = async {
        loop {
            let event = feed
                .recv()
                .await
                .expect("the feed is open")
                .expect("none is missed");
            if let PeerEvent::Added { peer } = event {
                assert_eq!(peer.id(), other.id());
                return peer;
            }
        }
    };
    let found = tokio::time::timeout(SOON, find).await;
    found.expect("a peer is added")
}

#[tokio::test]
async fn a_full_server_admits_a_trusted_node_and_updates_its_mark() {
    let full = node()
        .configure(|config| config.with_max_peers(1))
        .start()
        .await
        .unwrap();
    let (first, second) = (node().start().await.unwrap(), node().start().await.unwrap());
    let mut feed = full.subscribe();
    let joined = first.dial(&full.enode()).await;
    joined.expect("the first is admitted");
    added(&mut feed, &first).await;
    let refused = second.dial(&full.enode()).await.expect_err("is full");
    assert_eq!(refused.reason(), Some(DisconnectReason::TOO_MANY_PEERS));

    full.trust(second.id());
    second.dial(&full.enode()).await.expect("is trusted");
    let peer = added(&mut feed, &second).await;
    assert!(peer.is_trusted());
    full.distrust(second.id());
    assert!(!peer.is_trusted());
    full.trust(second.id());
    assert!(peer.is_trusted());
    assert_eq!(full.peer_count(), 2);
}

#[tokio::test]
async fn seats_reserved_for_dialled_nodes_are_not_given_to_inbound_ones() {
    let keeps = node()
        .configure(|config| config.with_max_peers(2).with_dial_ratio(2))
        .start()
        .await
        .unwrap();
    let (first, second) = (node().start().await.unwrap(), node().start().await.unwrap());
    let mut feed = keeps.subscribe();
    let joined = first.dial(&keeps.enode()).await;
    joined.expect("the first is admitted");
    added(&mut feed, &first).await;
    let refused = second.dial(&keeps.enode()).await.expect_err("is full");
    assert_eq!(refused.reason(), Some(DisconnectReason::TOO_MANY_PEERS));
    keeps.dial(&second.enode()).await.expect("has a seat");
}
