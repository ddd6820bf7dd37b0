//! The seats of inbound peers.

use peermux::server::NetList;
use peermux::testing::{Caller, memory_listener};
use peermux::{DialError, DisconnectReason};

use super::*;

/// Connects a new node from this address.
async fn visit(
    caller: &Caller<SocketAddr>,
    to: &Server,
    from: &str,
) -> (Server, Result<Peer, DialError>) {
    let visitor = remote().await;
    let stream = caller.call(from.parse().unwrap()).await;
    let key = *to.enode().public_key();
    let dialled = visitor.dial_over(stream, &key).await;
    (visitor, dialled)
}

fn seats(number: usize) -> ServerBuilder {
    Server::builder(key()).configure(|config| {
        let unlimited = peermux::connmgr::Rate::UNLIMITED;
        let config = config.with_max_peers(number).with_setup_rate(unlimited);
        config.with_throttle(Duration::ZERO)
    })
}

#[tokio::test(start_paused = true)]
async fn a_seat_is_free_again_when_its_peer_has_ended() {
    let (listener, caller) = memory_listener();
    let server = called(seats(1), listener).await;
    let mut feed = server.subscribe();
    for network in 1..=3 {
        let (visitor, dialled) = visit(&caller, &server, &format!("20.{network}.1.1:1")).await;
        dialled.expect("a free seat");
        drop(visitor);
        dropped(&mut feed).await;
    }
}

#[tokio::test(start_paused = true)]
async fn one_network_gets_a_share_of_the_seats() {
    let (listener, caller) = memory_listener();
    let server = called(seats(24), listener).await;
    let mut visitors = Vec::new();
    let mut let_in = 0;
    for host in 1..=9 {
        let (visitor, dialled) = visit(&caller, &server, &format!("20.1.1.{host}:1")).await;
        let_in += usize::from(dialled.is_ok());
        if let Err(error) = dialled {
            assert_eq!(error.reason(), Some(DisconnectReason::TOO_MANY_PEERS));
        }
        visitors.push(visitor);
    }
    assert_eq!(let_in, 3);
    let (_other, dialled) = visit(&caller, &server, "20.2.1.1:1").await;
    dialled.expect("another network");
    visitors.truncate(1);
    let mut feed = server.subscribe();
    while server.peer_count() > 2 {
        dropped(&mut feed).await;
    }
    let (_again, dialled) = visit(&caller, &server, "20.1.1.20:1").await;
    dialled.expect("its network has room again");
}

#[tokio::test(start_paused = true)]
async fn a_static_node_is_admitted_even_if_its_network_has_its_share() {
    let (listener, caller) = memory_listener();
    let (builder, _script) = scripted();
    let builder = builder.configure(|config| {
        let unlimited = peermux::connmgr::Rate::UNLIMITED;
        let config = config.with_max_peers(24).with_setup_rate(unlimited);
        config.with_throttle(Duration::ZERO)
    });
    let server = builder.listener(listener).start().await.unwrap();
    let mut visitors = Vec::new();
    for host in 1..=3 {
        visitors.push(visit(&caller, &server, &format!("20.1.1.{host}:1")).await);
    }
    let known = remote().await;
    let node = at(&known, "20.1.1.50:30303");
    server.add_static(node).await.unwrap();
    let stream = caller.call("20.1.1.50:1".parse().unwrap()).await;
    let key = *server.enode().public_key();
    known.dial_over(stream, &key).await.expect("static");
    let (_stranger, dialled) = visit(&caller, &server, "20.1.1.51:1").await;
    assert!(dialled.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_replaces_one_of_the_newer_peers() {
    let (listener, caller) = memory_listener();
    let server = called(seats(40), listener).await;
    let mut visitors = Vec::new();
    for number in 1..=40 {
        let (visitor, dialled) = visit(&caller, &server, &format!("20.{number}.1.1:1")).await;
        server.trust(visitor.id());
        visitors.push((visitor, dialled.expect("a free seat")));
        tokio::time::advance(SECOND).await;
    }
    let (_stranger, dialled) = visit(&caller, &server, "30.1.1.1:1").await;
    let refused = dialled.expect_err("all are trusted");
    assert_eq!(refused.reason(), Some(DisconnectReason::TOO_MANY_PEERS));

    for (visitor, _) in &visitors {
        server.distrust(visitor.id());
    }
    let (_stranger, dialled) = visit(&caller, &server, "30.2.1.1:1").await;
    dialled.expect("takes another peer's seat");
    let gone = futures::future::select_all(visitors.iter().map(|(_, peer)| Box::pin(peer.ended())));
    let (outcome, place, _) = gone.await;
    let reason = outcome.and_then(|outcome| outcome.error.reason());
    assert_eq!(reason, Some(DisconnectReason::TOO_MANY_PEERS));
    assert!(place >= 20, "none of the older half: {place}");
    assert_eq!(server.peer_count(), 40);
}

#[tokio::test(start_paused = true)]
async fn private_addresses_have_no_bound_unless_they_hide_others() {
    for (exempt, let_in) in [(true, 9), (false, 3)] {
        let (listener, caller) = memory_listener();
        let builder = seats(24).configure(|config| config.with_exempt_local(exempt));
        let server = called(builder, listener).await;
        let mut visitors = Vec::new();
        for port in 1..=9 {
            visitors.push(visit(&caller, &server, &format!("172.17.0.1:{port}")).await);
        }
        let got = visitors.iter().filter(|(_, dialled)| dialled.is_ok());
        assert_eq!(got.count(), let_in);
    }
}

/// The limits on strangers do not apply to a whitelisted network.
///
/// The limit on the number of peers does apply.
#[tokio::test(start_paused = true)]
async fn whitelisted_addresses_are_not_strangers() {
    let (listener, caller) = memory_listener();
    let builder = Server::builder(key()).configure(|config| {
        let config = config.with_max_peers(30).with_dial_ratio(3);
        let config = config.with_setup_rate(peermux::connmgr::Rate::new(22, 0));
        config.with_whitelist("20.1.0.0/16".parse::<NetList>().unwrap())
    });
    let server = called(builder, listener).await;
    let mut visitors = Vec::new();
    // All visitors have one address. They connect only because no throttle, network share, rate or
    // reserved seats apply to them.
    for port in 1..=28 {
        let (visitor, dialled) = visit(&caller, &server, &format!("20.1.1.1:{port}")).await;
        dialled.expect("no stranger");
        visitors.push(visitor);
    }
    let (_stranger, dialled) = visit(&caller, &server, "20.2.1.1:1").await;
    let refused = dialled.expect_err("strangers may have twenty seats");
    assert_eq!(refused.reason(), Some(DisconnectReason::TOO_MANY_PEERS));
    for port in 29..=30 {
        let (visitor, dialled) = visit(&caller, &server, &format!("20.1.1.1:{port}")).await;
        dialled.expect("no stranger");
        visitors.push(visitor);
    }
    // No whitelisted peer gives its seat to a newcomer, not even to a whitelisted one.
    let (_newcomer, dialled) = visit(&caller, &server, "20.1.1.1:31").await;
    let refused = dialled.expect_err("all thirty seats are taken");
    assert_eq!(refused.reason(), Some(DisconnectReason::TOO_MANY_PEERS));
    let (_stranger, dialled) = visit(&caller, &server, "20.3.1.1:1").await;
    assert!(dialled.is_err());
    assert_eq!(server.peer_count(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_whitelisted_newcomer_takes_the_seat_of_a_stranger() {
    let (listener, caller) = memory_listener();
    let builder = seats(40)
        .configure(|config| config.with_whitelist("30.1.0.0/16".parse::<NetList>().unwrap()));
    let server = called(builder, listener).await;
    let mut strangers = Vec::new();
    for number in 1..=40 {
        let (visitor, dialled) = visit(&caller, &server, &format!("20.{number}.1.1:1")).await;
        strangers.push((visitor, dialled.expect("a free seat")));
        tokio::time::advance(SECOND).await;
    }
    let (visitor, dialled) = visit(&caller, &server, "30.1.1.1:1").await;
    dialled.expect("takes another peer's seat");
    let gone = strangers.iter().map(|(_, peer)| Box::pin(peer.ended()));
    futures::future::select_all(gone).await;
    assert!(server.peer(&visitor.id()).is_some());
}
