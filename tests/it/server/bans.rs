//! Nodes that are banned or disconnected.

use std::time::SystemTime;

use peermux::addrbook::{AddressBook, AddressBookConfig, BanTarget, MemoryStore, SteadyClock};
use peermux::connmgr::Refusal;
use peermux::server::NetList;
use peermux::testing::memory_listener;
use peermux::{DialError, DisconnectReason, NodeId};

use super::*;

fn is_banned<T>(dialled: &Result<T, DialError>) -> bool {
    let refused = |error: &DialError| {
        matches!(
            error,
            DialError::NotAllowed {
                cause: Refusal::Banned,
                ..
            }
        )
    };
    dialled.as_ref().is_err_and(refused)
}

/// Returns the reason that a node received when its connection ended.
async fn told_reason(peer: &Peer) -> Option<DisconnectReason> {
    let outcome = timeout(LONG, peer.ended()).await.expect("it ends");
    outcome.and_then(|outcome| outcome.error.reason())
}

/// Returns whether a node was refused, while it dialled or after the Hello.
async fn is_turned_away(dialled: Result<Peer, DialError>) -> bool {
    match dialled {
        Ok(peer) => told_reason(&peer).await == Some(DisconnectReason::REQUESTED),
        Err(_) => true,
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_store_bans_are_kept_in_memory_for_their_time() {
    let (builder, mut script) = scripted();
    let (server, remote) = (builder.start().await.unwrap(), remote().await);
    let (node, id) = (at(&remote, &public(1)), remote.id());
    let peer = call(&remote, &server).await.0.expect("connects");
    server.ban(&id, 100 * SECOND, "for a test");
    assert_eq!(told_reason(&peer).await, Some(DisconnectReason::REQUESTED));
    assert!(is_banned(&server.dial(&node).await));
    let (dialled, accepted) = call(&remote, &server).await;
    assert!(is_turned_away(dialled).await);
    assert!(matches!(accepted, Err(SetupError::Banned { id: banned }) if banned == id));
    tokio::time::advance(100 * SECOND).await;
    call(&remote, &server).await.0.expect("the ban has ended");

    server.ban(&id, Duration::MAX, "for ever");
    assert!(server.unban(&id));
    assert!(!server.unban(&id) && !server.unban(&NodeId::from_bytes([1; 32])));
    // The ban closes a connection, and the dial waits until that connection has ended.
    let (dialled, ()) = tokio::join!(server.dial(&node), async {
        reach(next_dial(&mut script).await, &remote);
    });
    dialled.expect("is allowed again");
}

#[tokio::test(start_paused = true)]
async fn an_address_is_banned_for_all_nodes() {
    let (listener, caller) = memory_listener();
    let server = called(Server::builder(key()), listener).await;
    let public_key = *server.enode().public_key();
    let (here, there) = (remote().await, remote().await);
    let stream = caller.call("20.1.1.1:1".parse().unwrap()).await;
    let banned = here.dial_over(stream, &public_key).await.expect("let in");
    let stream = caller.call("20.2.1.1:1".parse().unwrap()).await;
    let other = there.dial_over(stream, &public_key).await.expect("let in");
    server.ban_ip("20.1.1.1".parse().unwrap(), LONG, "for a test");
    assert_eq!(
        told_reason(&banned).await,
        Some(DisconnectReason::REQUESTED)
    );
    assert!(!other.is_ending());

    let mut feed = server.subscribe_connections();
    let stream = caller.call("20.1.1.1:2".parse().unwrap()).await;
    assert!(here.dial_over(stream, &public_key).await.is_err());
    let event = told(&mut feed).await;
    let refused = matches!(
        event,
        ConnectionEvent::InboundRejected {
            cause: Refusal::Banned,
            ..
        }
    );
    assert!(refused, "{event:?}");
    assert!(is_banned(&server.dial(&stranger("20.1.1.1:30303")).await));
    assert!(server.unban_ip("20.1.1.1".parse().unwrap()));
    assert!(!server.unban_ip("20.1.1.1".parse().unwrap()));
    tokio::time::advance(30 * SECOND).await;
    let stream = caller.call("20.1.1.1:3".parse().unwrap()).await;
    here.dial_over(stream, &public_key).await.expect("let in");
}

#[tokio::test(start_paused = true)]
async fn an_address_book_keeps_the_bans() {
    let clock = SteadyClock::starting_at(SystemTime::UNIX_EPOCH + 1_000_000 * LONG);
    let config = AddressBookConfig::default();
    let loaded = AddressBook::load(MemoryStore::default(), config, clock).await;
    let (book, _persistence) = loaded.unwrap();
    let (builder, _script) = scripted();
    let server = builder.node_store(book.clone()).start().await.unwrap();
    let (node, ip) = (stranger("20.1.1.1:1"), "20.2.1.1".parse().unwrap());
    server.ban(&node.node_id(), LONG, "spam");
    server.ban_ip(ip, LONG, "flood");
    let ban = book.banned(&node.node_id()).expect("kept");
    assert_eq!(ban.reason, "spam");
    assert_eq!(book.banned_ip(ip).expect("kept").reason, "flood");
    assert!(is_banned(&server.dial(&node).await));

    // A ban that is lifted in the book or in the server is lifted in both.
    assert!(book.unban(BanTarget::Node(node.node_id())));
    assert!(!server.unban(&node.node_id()));
    assert!(server.unban_ip(ip) && book.banned_ip(ip).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_kicked_node_may_return_and_a_static_one_is_dialled_again() {
    let (builder, mut script) = scripted();
    let (server, remote) = (builder.start().await.unwrap(), remote().await);
    let mut feed = server.subscribe();
    assert!(!server.kick(&remote.id()));
    let peer = call(&remote, &server).await.0.expect("connects");
    assert!(server.kick(&remote.id()));
    assert_eq!(told_reason(&peer).await, Some(DisconnectReason::REQUESTED));
    let kicked = dropped(&mut feed).await.outcome().expect("ended");
    assert_eq!(kicked.error.cause(), "kicked");
    let peer = call(&remote, &server).await.0.expect("comes back");
    server.kick(&remote.id());
    peer.ended().await;
    dropped(&mut feed).await;

    server.add_static(at(&remote, &public(1))).await.unwrap();
    reach(next_dial(&mut script).await, &remote);
    added(&mut feed).await;
    assert!(server.kick(&remote.id()));
    dropped(&mut feed).await;
    reach(next_dial(&mut script).await, &remote);
    added(&mut feed).await;

    // A banned node is not dialled until the ban is lifted.
    server.ban(&remote.id(), Duration::MAX, "for a test");
    let banned = dropped(&mut feed).await.outcome().expect("ended");
    assert_eq!(banned.error.cause(), "banned");
    no_dial(&mut script, LONG).await;
    let lifted = tokio::time::Instant::now();
    assert!(server.unban(&remote.id()));
    reach(next_dial(&mut script).await, &remote);
    added(&mut feed).await;
    assert!(lifted.elapsed() < SECOND, "{:?}", lifted.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_protocol_can_penalise_until_the_node_is_banned() {
    let (listener, caller) = memory_listener();
    let builder = Server::builder(key()).configure(|config| {
        let config = config
            .with_ban_time(1000 * SECOND)
            .with_throttle(Duration::ZERO);
        config.with_whitelist("30.0.0.0/8".parse::<NetList>().unwrap())
    });
    let server = called(builder, listener).await;
    let public_key = *server.enode().public_key();
    let visit = async |visitor: &Server, from: &str| {
        let stream = caller.call(from.parse().unwrap()).await;
        visitor.dial_over(stream, &public_key).await
    };
    let (bad, beside) = (remote().await, remote().await);
    let told = visit(&bad, "20.1.1.1:1").await.expect("let in");
    let neighbour = visit(&beside, "20.1.1.1:2").await.expect("let in");
    let peer = server.peer(&bad.id()).expect("connected");
    assert_eq!(peer.penalise(60, "spam"), 60);
    // The penalty decays, and it outlives the connection.
    server.kick(&bad.id());
    told.ended().await;
    tokio::time::advance(60 * SECOND).await;
    let told = visit(&bad, "20.1.1.1:3").await.expect("let in");
    let peer = server.peer(&bad.id()).expect("connected");
    assert_eq!(peer.penalise(70, "spam"), 100);
    assert!(!peer.is_ending());
    assert_eq!(peer.penalise(1, "more spam"), 101);
    assert_eq!(told_reason(&told).await, Some(DisconnectReason::REQUESTED));
    let dialled = visit(&bad, "20.9.1.1:1").await;
    assert!(is_turned_away(dialled).await, "banned");
    let newcomer = remote().await;
    let dialled = visit(&newcomer, "20.1.1.1:4").await;
    assert!(dialled.is_err(), "its address too");
    assert!(!neighbour.is_ending());
    tokio::time::advance(1000 * SECOND).await;
    visit(&bad, "20.1.1.1:5").await.expect("the ban has ended");
    let peer = server.peer(&bad.id()).expect("connected");
    assert_eq!(peer.penalise(1, "spam"), 1, "it starts from zero");

    // Trusted and whitelisted nodes are never banned.
    let (trusted, listed) = (remote().await, remote().await);
    server.trust(trusted.id());
    for (node, from) in [(&trusted, "20.4.1.1:1"), (&listed, "30.1.1.1:1")] {
        visit(node, from).await.expect("let in");
        let peer = server.peer(&node.id()).expect("connected");
        assert_eq!(peer.penalise(u32::MAX, "spam"), 0);
        assert!(!peer.is_ending());
    }

    // Many nodes may share a local address, so the penalty bans the node but not its address.
    let (local, other) = (remote().await, remote().await);
    visit(&local, "127.0.0.1:1").await.expect("let in");
    server
        .peer(&local.id())
        .expect("connected")
        .penalise(101, "spam");
    assert!(is_turned_away(visit(&local, "127.0.0.1:2").await).await);
    visit(&other, "127.0.0.1:3").await.expect("let in");
}
