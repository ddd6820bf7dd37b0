//! A server with an address book: what it dials, records and rejects.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use futures::{SinkExt, StreamExt};
use peermux::addrbook::{
    AddressBook, AddressBookConfig, BanTarget, BookConfig, MemoryStore, Persistence, Source,
    SteadyClock,
};
use peermux::connmgr::Refusal;
use peermux::p2p::RawMessage;
use peermux::peer::PeerEvents;
use peermux::server::ConnectionEvent;
use peermux::setup::initiate;
use peermux::transport::{SocketOptions, TcpTransport};
use peermux::{
    Bytes, Capability, DialError, DisconnectReason, Enode, EventStream, Hello, NodeId, PeerEvent,
    Protocol, SecretKey, Server, ServerBuilder,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const DAY: Duration = Duration::from_secs(86_400);

/// A time limit that is exceeded only if a server hangs.
const LONG: Duration = Duration::from_secs(60);

async fn book_in(store: &MemoryStore) -> (AddressBook, Persistence) {
    let config = BookConfig::default().with_private_networks(true);
    let config = AddressBookConfig::default().with_book(config);
    let clock = SteadyClock::starting_at(SystemTime::UNIX_EPOCH + 20_000 * DAY);
    let loaded = AddressBook::load(store.clone(), config, clock).await;
    loaded.expect("a good store")
}

/// Returns a book that is kept in memory only.
async fn book() -> AddressBook {
    book_in(&MemoryStore::default()).await.0
}

fn node() -> ServerBuilder {
    let idle = Protocol::builder("test", 1, 1).run(|peer, _conn| async move {
        peer.ending().await;
        Ok(())
    });
    let builder = Server::builder(SecretKey::generate()).protocol(idle);
    builder.listen(SocketAddr::from(([127, 0, 0, 1], 0)))
}

async fn started(builder: ServerBuilder) -> Server {
    builder.start().await.expect("starts")
}

async fn added(feed: &mut EventStream<PeerEvent>) -> NodeId {
    loop {
        let event = timeout(LONG, feed.recv()).await.expect("in time");
        if let PeerEvent::Added { peer } = event.expect("the server runs").expect("none is missed")
        {
            return peer.id();
        }
    }
}

async fn connection_event(feed: &mut EventStream<ConnectionEvent>) -> ConnectionEvent {
    let event = timeout(LONG, feed.recv()).await.expect("in time");
    event.expect("the server runs").expect("none is missed")
}

#[tokio::test]
async fn a_node_is_found_through_the_book_alone() {
    let (first, second) = (started(node()).await, started(node()).await);
    let book = book().await;
    let server = started(node().node_store(book.clone())).await;
    let mut feed = server.subscribe();
    for known in [&first, &second] {
        book.add(&known.enode(), Source::Own).unwrap();
        assert!(!book.entry(&known.id()).unwrap().is_tried());
    }
    let mut found = [added(&mut feed).await, added(&mut feed).await];
    let mut known = [first.id(), second.id()];
    found.sort_unstable();
    known.sort_unstable();
    assert_eq!(found, known);
    for id in known {
        let entry = book.entry(&id).unwrap();
        assert!(entry.is_tried());
        assert!(entry.last_success().is_some());
        assert_eq!(entry.attempts(), 0);
        assert!(book.node(&id).unwrap().last_seen.is_some());
    }
}

#[tokio::test]
async fn found_nodes_are_dialled_after_a_restart() {
    let other = started(node()).await;
    let store = MemoryStore::default();
    for found_by_hand in [true, false] {
        let (book, writer) = book_in(&store).await;
        let stop = CancellationToken::new();
        let writer = tokio::spawn(writer.run(stop.clone().cancelled_owned()));
        let events = PeerEvents::new(16, false);
        let mut feed = events.subscribe();
        let server = started(node().events(events).node_store(book)).await;
        if found_by_hand {
            server.dial(&other.enode()).await.unwrap();
        }
        assert_eq!(added(&mut feed).await, other.id());
        server.shutdown(LONG).await.unwrap();
        stop.cancel();
        writer.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_failed_dial_is_an_attempt_and_a_failure() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = closed.local_addr().unwrap();
    drop(closed);
    let nobody = Enode::new(SecretKey::generate().public_key(), addr);
    let book = book().await;
    let server = started(node().node_store(book.clone())).await;
    let mut feed = server.subscribe_connections();
    book.add(&nobody, Source::Own).unwrap();
    let event = connection_event(&mut feed).await;
    assert!(
        matches!(&event, ConnectionEvent::DialFailed { node, .. } if *node == nobody),
        "{event:?}"
    );
    let id = nobody.node_id();
    let entry = book.entry(&id).unwrap();
    assert!(!entry.is_tried());
    assert!(entry.last_attempt().is_some());
    assert_eq!(book.node(&id).unwrap().failures, 1);
}

#[tokio::test]
async fn an_inbound_node_is_recorded_as_seen_but_without_an_address() {
    let book = book().await;
    let server = started(node().node_store(book.clone())).await;
    let mut feed = server.subscribe();
    let other = started(node()).await;
    other.dial(&server.enode()).await.unwrap();
    let id = added(&mut feed).await;
    assert_eq!(id, other.id());
    assert!(book.node(&id).unwrap().last_seen.is_some());
    assert!(book.entry(&id).is_none());
}

#[tokio::test]
async fn nodes_banned_by_id_or_address_are_kept_away() {
    let book = book().await;
    let server = started(node().node_store(book.clone())).await;
    let mut feed = server.subscribe_connections();
    let other = started(node()).await;

    book.ban(BanTarget::Node(other.id()), LONG, "rude");
    let error = server.dial(&other.enode()).await.unwrap_err();
    assert!(
        matches!(
            &error,
            DialError::NotAllowed {
                cause: Refusal::Banned,
                ..
            }
        ),
        "{error:?}"
    );
    // The node is refused once it has proven its identity.
    other.dial(&server.enode()).await.unwrap().ended().await;
    let event = loop {
        match connection_event(&mut feed).await {
            ConnectionEvent::DialFailed { .. } => {}
            event => break event,
        }
    };
    assert!(
        matches!(&event, ConnectionEvent::InboundFailed { id, .. } if *id == Some(other.id())),
        "{event:?}"
    );

    book.unban(BanTarget::Node(other.id()));
    book.ban(BanTarget::ip([127, 0, 0, 1].into()), LONG, "rude");
    server.dial(&other.enode()).await.unwrap_err();
    other.dial(&server.enode()).await.unwrap_err();
    let event = loop {
        match connection_event(&mut feed).await {
            ConnectionEvent::DialFailed { .. } => {}
            event => break event,
        }
    };
    assert!(
        matches!(
            event,
            ConnectionEvent::InboundRejected {
                cause: Refusal::Banned,
                ..
            }
        ),
        "{event:?}"
    );
}

/// Connects as `key` and sends a message outside all protocols.
async fn breach(server: &Server, key: &SecretKey) {
    let addr = server.local_addr().expect("listens");
    let stream = TcpStream::connect(addr).await.expect("loopback");
    let stream = TcpTransport::new(stream, SocketOptions::default()).expect("a socket");
    let remote = server.enode();
    let authenticated = initiate(stream, key, remote.public_key()).await;
    let hello = Hello::new("rude", vec![Capability::new("test", 1)], key.public_key());
    let established = authenticated
        .expect("answered")
        .exchange_hello(&hello)
        .await;
    let mut framed = established.expect("wanted").into_framed();
    let message = RawMessage {
        id: 1000,
        payload: Bytes::from_static(&[0xc0]),
    };
    framed.send(message).await.expect("open");
    while framed.next().await.is_some_and(|frame| frame.is_ok()) {}
}

#[tokio::test]
async fn a_node_that_breaks_the_protocol_twice_is_banned() {
    let book = book().await;
    let server = started(node().node_store(book.clone())).await;
    let mut feed = server.subscribe();
    let key = SecretKey::generate();
    let id = key.public_key().node_id();
    for banned in [false, true] {
        breach(&server, &key).await;
        while !matches!(feed.recv().await, Some(Ok(PeerEvent::Dropped { .. }))) {}
        assert_eq!(book.banned(&id).is_some(), banned);
    }
}

#[tokio::test]
async fn a_remote_that_disconnects_keeps_its_good_name() {
    let book = book().await;
    let server = started(node().node_store(book.clone())).await;
    let mut feed = server.subscribe();
    let other = started(node()).await;
    let peer = other.dial(&server.enode()).await.expect("connects");
    peer.disconnect(DisconnectReason::TOO_MANY_PEERS);
    while !matches!(feed.recv().await, Some(Ok(PeerEvent::Dropped { .. }))) {}
    let now = SystemTime::UNIX_EPOCH + 20_000 * DAY;
    assert_eq!(book.node(&other.id()).expect("seen").score.value(now), 0);
}
