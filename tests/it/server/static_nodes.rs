//! Nodes that are kept connected.

use peermux::connmgr::Backoff;
use peermux::connmgr::ConnectError as RawError;
use peermux::server::{NetList, StaticNodeError};
use peermux::{Direction, DisconnectReason};
use tokio::time::Instant;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_static_node_is_connected_until_it_is_removed() {
    let (builder, mut script) = scripted();
    let (server, remote) = (builder.start().await.unwrap(), remote().await);
    let mut feed = server.subscribe();
    server
        .add_static(at(&remote, "20.1.1.1:30303"))
        .await
        .unwrap();
    reach(next_dial(&mut script).await, &remote);
    let peer = added(&mut feed).await;
    assert!(peer.is_static() && peer.direction() == Direction::Outbound);
    assert!(server.peers_info()[0].static_dialled);

    assert!(server.remove_static(&remote.id()).await.unwrap());
    let removed = peer.outcome().expect("ended");
    assert_eq!(removed.error.cause(), "removed");
    assert_eq!(server.peer_count(), 0);
    assert!(!peer.is_static());
    assert!(!server.remove_static(&remote.id()).await.unwrap());
    no_dial(&mut script, LONG).await;
}

#[tokio::test(start_paused = true)]
async fn a_static_node_that_is_not_connected_has_a_cause() {
    let (builder, mut script) = scripted();
    let (server, remote) = (builder.start().await.unwrap(), remote().await);
    let mut feed = server.subscribe();
    let mut failures = server.subscribe_connections();
    let node = at(&remote, "20.1.1.1:30303");
    server.add_static(node.clone()).await.unwrap();
    next_dial(&mut script).await.fail(RawError::Refused);
    failures
        .recv()
        .await
        .expect("told")
        .expect("none is missed");
    let [listed] = &server.static_nodes().await.unwrap()[..] else {
        panic!("there is one");
    };
    assert!(!listed.connected && listed.failures == 1 && listed.node == node);
    assert!(listed.next_dial.is_some());
    let json = serde_json::to_value(listed).unwrap();
    assert_eq!(json["error"]["stage"], "dial");

    reach(next_dial(&mut script).await, &remote);
    added(&mut feed).await;
    let [listed] = &server.static_nodes().await.unwrap()[..] else {
        panic!("there is one");
    };
    assert!(listed.connected && listed.error.is_none());
    server.remove_static(&remote.id()).await.unwrap();
    assert!(server.static_nodes().await.unwrap().is_empty());
}

/// The ban may have begun before the node was added. The node need not be added again.
#[tokio::test(start_paused = true)]
async fn a_static_node_that_is_banned_is_dialled_when_the_ban_has_ended() {
    const BAN: Duration = Duration::from_secs(100);
    let (builder, mut script) = scripted();
    let (server, remote) = (builder.start().await.unwrap(), remote().await);
    let mut feed = server.subscribe();
    server.ban(&remote.id(), BAN, "for a test");
    let start = Instant::now();
    let node = at(&remote, "20.1.1.1:30303");
    server.add_static(node).await.unwrap();
    let [listed] = &server.static_nodes().await.unwrap()[..] else {
        panic!("there is one");
    };
    let error = listed.error.as_ref().expect("it is banned").to_string();
    assert!(error.contains("banned"), "{error}");
    reach(next_dial(&mut script).await, &remote);
    assert!(start.elapsed() >= BAN);
    // The ban is no cause once it has ended.
    server.ban(&remote.id(), BAN, "again");
    assert!(server.unban(&remote.id()));
    added(&mut feed).await;
    assert!(server.kick(&remote.id()));
    dropped(&mut feed).await;
    let [listed] = &server.static_nodes().await.unwrap()[..] else {
        panic!("there is one");
    };
    assert!(listed.error.is_none(), "{listed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_static_node_is_dialled_again_after_its_end() {
    let (builder, mut script) = scripted();
    let (server, remote) = (builder.start().await.unwrap(), remote().await);
    let mut feed = server.subscribe();
    let node = at(&remote, "20.1.1.1:30303");
    server.add_static(node.clone()).await.unwrap();
    for _ in 0..3 {
        reach(next_dial(&mut script).await, &remote);
        let peer = added(&mut feed).await;
        peer.disconnect(DisconnectReason::USELESS_PEER);
        dropped(&mut feed).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_static_node_that_ends_each_connection_at_once_is_dialled_ever_less_often() {
    let (builder, mut script) = scripted();
    let server = builder.seed(1).start().await.unwrap();
    let remote = remote().await;
    let mut feed = remote.subscribe();
    let node = at(&remote, "20.1.1.1:30303");
    server.add_static(node.clone()).await.unwrap();
    let mut dials = Vec::new();
    for _ in 0..20 {
        reach(next_dial(&mut script).await, &remote);
        dials.push(Instant::now());
        let peer = added(&mut feed).await;
        peer.disconnect(DisconnectReason::TOO_MANY_PEERS);
        dropped(&mut feed).await;
    }
    let took = |dials: &[Instant]| *dials.last().unwrap() - dials[0];
    assert!(took(&dials[..4]) < 3 * 60 * SECOND, "{dials:?}");
    assert!(took(&dials[10..]) > 15 * 60 * SECOND, "{dials:?}");
}

/// No retry happens within 5 s of the failure or 35 s of the dial.
#[tokio::test(start_paused = true)]
async fn a_failed_static_dial_is_not_repeated_too_soon() {
    let (builder, mut script) = scripted();
    let server = builder.start().await.unwrap();
    server.add_static(stranger(&public(1))).await.unwrap();
    let dial = next_dial(&mut script).await;
    let started = Instant::now();
    tokio::time::advance(SECOND).await;
    dial.fail(RawError::Refused);
    next_dial(&mut script).await;
    let gap = started.elapsed();
    assert!(gap >= 35 * SECOND && gap < 48 * SECOND, "{gap:?}");
}

/// Checks that a caller's dial does not wait for a static node's next attempt.
async fn dialled_at_once(
    server: &Server,
    node: &Enode,
    script: &mut DialScript<Enode>,
    remote: &Server,
) {
    let (result, dial) = tokio::join!(server.dial(node), async {
        let started = Instant::now();
        reach(next_dial(script).await, remote);
        started.elapsed()
    });
    assert!(result.expect("connects").is_static());
    assert!(dial < SECOND, "{dial:?}");
}

#[tokio::test(start_paused = true)]
async fn a_waiting_static_node_is_dialled_at_once_for_a_caller() {
    let (builder, mut script) = scripted();
    let (server, remote) = (builder.start().await.unwrap(), remote().await);
    let node = at(&remote, &public(1));
    server.add_static(node.clone()).await.unwrap();
    next_dial(&mut script).await.fail(RawError::Refused);
    no_dial(&mut script, SECOND).await;
    dialled_at_once(&server, &node, &mut script, &remote).await;
}

#[tokio::test(start_paused = true)]
async fn a_static_node_whose_connection_ended_is_dialled_at_once_for_a_caller() {
    let (builder, mut script) = scripted();
    let (server, remote) = (builder.start().await.unwrap(), remote().await);
    let mut feed = server.subscribe();
    let node = at(&remote, &public(1));
    server.add_static(node.clone()).await.unwrap();
    reach(next_dial(&mut script).await, &remote);
    added(&mut feed)
        .await
        .disconnect(DisconnectReason::USELESS_PEER);
    dropped(&mut feed).await;
    no_dial(&mut script, SECOND).await;
    dialled_at_once(&server, &node, &mut script, &remote).await;
}

#[tokio::test(start_paused = true)]
async fn a_removed_static_node_is_never_dialled_whatever_it_waits_for() {
    let (builder, mut script) = scripted();
    let builder = builder.configure(|config| config.with_max_dials(1));
    let server = builder.start().await.unwrap();
    let nodes = [1, 2, 3].map(|number| stranger(&public(number)));
    for node in &nodes {
        server.add_static(node.clone()).await.unwrap();
    }
    // The first node waits after a failure, the second is being dialled, and the third waits for
    // the slot.
    next_dial(&mut script).await.fail(RawError::Refused);
    let mut dial = next_dial(&mut script).await;
    for node in nodes.iter().rev() {
        assert!(server.remove_static(&node.node_id()).await.unwrap());
    }
    dial.given_up().await;
    no_dial(&mut script, LONG).await;
}

/// Each node is dialled once before any is dialled twice.
#[tokio::test(start_paused = true)]
async fn many_static_nodes_take_turns_for_few_slots() {
    let (builder, mut script) = scripted();
    let builder = builder.configure(|config| config.with_max_dials(4));
    let server = builder.start().await.unwrap();
    for number in 0..500u16 {
        let [high, low] = number.to_be_bytes();
        let node = stranger(&format!("20.{high}.{low}.1:30303"));
        server.add_static(node).await.unwrap();
    }
    let mut seen = std::collections::HashSet::new();
    for _ in 0..100 {
        let mut dials = Vec::new();
        for _ in 0..4 {
            dials.push(next_dial(&mut script).await);
        }
        assert!(script.try_next().is_none(), "more dials than slots");
        for dial in dials {
            assert!(seen.insert(dial.addr().clone()), "{dial:?} is not in turn");
            dial.fail(RawError::Refused);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_static_node_that_dialled_us_is_dialled_when_it_is_gone() {
    let (builder, mut script) = scripted();
    let (server, remote) = (builder.start().await.unwrap(), remote().await);
    let mut feed = server.subscribe();
    let (near, far) = tokio::io::duplex(1 << 16);
    let key = *server.enode().public_key();
    let (accepted, dialled) = tokio::join!(server.accept_over(near), remote.dial_over(far, &key));
    let (peer, _) = (accepted.unwrap(), dialled.unwrap());
    assert!(!peer.is_static());

    server.add_static(at(&remote, &public(1))).await.unwrap();
    assert!(peer.is_static());
    no_dial(&mut script, LONG).await;
    peer.disconnect(DisconnectReason::REQUESTED);
    dropped(&mut feed).await;
    let gone = Instant::now();
    reach(next_dial(&mut script).await, &remote);
    assert!(gone.elapsed() < SECOND);
    assert_eq!(added(&mut feed).await.direction(), Direction::Outbound);
}

/// Otherwise, a node could make us dial arbitrarily often by connecting again and again.
#[tokio::test(start_paused = true)]
async fn a_static_node_that_comes_and_goes_is_not_dialled_more_often() {
    let gap = 35 * SECOND;
    let (builder, mut script) = scripted();
    let (server, remote) = (builder.start().await.unwrap(), remote().await);
    server.add_static(at(&remote, &public(1))).await.unwrap();
    next_dial(&mut script).await.fail(RawError::Refused);
    let key = *server.enode().public_key();
    let (mut dials, mut calls) = (vec![Instant::now()], 0);
    while dials[0].elapsed() < 100 * gap {
        let (near, far) = tokio::io::duplex(1 << 16);
        let (accepted, dialled) =
            tokio::join!(server.accept_over(near), remote.dial_over(far, &key));
        let (peer, theirs) = (accepted.unwrap(), dialled.unwrap());
        peer.disconnect(DisconnectReason::REQUESTED);
        tokio::join!(peer.ended(), theirs.ended());
        calls += 1;
        while let Ok(dial) = timeout(5 * SECOND, script.next()).await {
            dials.push(Instant::now());
            dial.expect("the server runs").fail(RawError::Refused);
        }
    }
    let gaps: Vec<_> = dials.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.iter().all(|between| *between >= gap), "{gaps:?}");
    // The waits grow as if the node had not connected: uniform up to 300 s, 152 s on average.
    assert!(dials.len() < 50, "{} dials, {calls} calls", dials.len());
}

/// Adding a static node again replaces its endpoint.
#[tokio::test(start_paused = true)]
async fn a_static_node_that_moved_is_dialled_at_its_new_endpoint() {
    let (builder, mut script) = scripted();
    let (server, remote) = (builder.start().await.unwrap(), remote().await);
    let mut feed = server.subscribe();
    let places = [1, 2, 3].map(|number| at(&remote, &public(number)));
    server.add_static(places[0].clone()).await.unwrap();
    let mut first = next_dial(&mut script).await;
    assert_eq!(*first.addr(), places[0]);
    server.add_static(places[1].clone()).await.unwrap();
    first.given_up().await;
    let second = next_dial(&mut script).await;
    assert_eq!(*second.addr(), places[1]);
    reach(second, &remote);
    let peer = added(&mut feed).await;

    server.add_static(places[2].clone()).await.unwrap();
    no_dial(&mut script, LONG).await;
    peer.disconnect(DisconnectReason::REQUESTED);
    assert_eq!(*next_dial(&mut script).await.addr(), places[2]);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_can_never_be_dialled_cannot_be_a_static_node() {
    let (builder, mut script) = scripted();
    let builder = builder
        .configure(|config| config.with_net_restrict("20.0.0.0/8".parse::<NetList>().unwrap()));
    let server = builder.start().await.unwrap();
    let nowhere = Enode::incomplete(key().public_key());
    let error = server.add_static(nowhere).await.expect_err("no endpoint");
    assert!(matches!(error, StaticNodeError::NoEndpoint { .. }));
    let itself = at(&server, "20.1.1.1:1");
    let error = server.add_static(itself).await.expect_err("itself");
    assert!(matches!(error, StaticNodeError::Itself { .. }));
    let outside = stranger("21.1.1.1:1");
    let error = server.add_static(outside).await.expect_err("outside");
    assert!(matches!(error, StaticNodeError::NotAllowed { .. }));
    no_dial(&mut script, LONG).await;
    server.shutdown(LONG).await.unwrap();
    let error = server.add_static(stranger("20.1.1.1:1")).await;
    assert_eq!(error, Err(StaticNodeError::Stopped));
}

/// The node returns at another address, since its old port may be in use.
#[tokio::test]
async fn a_killed_static_node_is_reconnected_at_its_new_address() {
    let node_key = key();
    let start = || {
        let builder = Server::builder(node_key.clone()).protocol(idle("test"));
        builder.listen("127.0.0.1:0".parse().unwrap()).start()
    };
    let remote = start().await.unwrap();
    let builder = Server::builder(key()).protocol(idle("test"));
    let builder = builder.configure(|config| {
        let backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(100));
        config.with_redial_gap(Duration::ZERO).with_backoff(backoff)
    });
    let server = builder.start().await.unwrap();
    let (mut feed, mut failures) = (server.subscribe(), server.subscribe_connections());
    server.add_static(remote.enode()).await.unwrap();
    added(&mut feed).await;
    drop(remote);
    dropped(&mut feed).await;
    // The dials fail while the node is down.
    for _ in 0..3 {
        let event = told(&mut failures).await;
        assert!(
            matches!(event, ConnectionEvent::DialFailed { .. }),
            "{event:?}"
        );
    }
    let remote = start().await.unwrap();
    server.add_static(remote.enode()).await.unwrap();
    assert_eq!(added(&mut feed).await.id(), remote.id());
}

/// Nodes may share one list, in which each finds itself.
#[tokio::test(start_paused = true)]
async fn an_impossible_static_node_of_the_configuration_is_reported_and_left_out() {
    let ((dialer, mut script), own) = (dial_script(), key());
    let itself = Enode::new(own.public_key(), "20.1.1.1:1".parse().unwrap());
    let nowhere = Enode::incomplete(key().public_key());
    let outside = stranger("21.1.1.1:1");
    let good = stranger("20.2.1.1:1");
    let list = [&itself, &nowhere, &outside, &good].map(Clone::clone);
    let mut builder = Server::builder(own).dialer(dialer).configure(|config| {
        config
            .with_net_restrict("20.0.0.0/8".parse::<NetList>().unwrap())
            .with_static_nodes(list)
    });
    let mut feed = builder.subscribe_connections();
    let _server = builder.start().await.expect("starts without them");
    for skipped in [itself, nowhere, outside] {
        match told(&mut feed).await {
            ConnectionEvent::StaticNodeSkipped { node, .. } => assert_eq!(node, skipped),
            event => panic!("{event:?}"),
        }
    }
    assert_eq!(*next_dial(&mut script).await.addr(), good);
}

#[tokio::test(start_paused = true)]
async fn the_seat_of_a_static_node_is_kept_while_it_is_not_connected() {
    let (builder, mut script) = scripted();
    let builder = builder.configure(|config| config.with_max_peers(1));
    let (server, fixed, other) = (
        builder.start().await.unwrap(),
        remote().await,
        remote().await,
    );
    server.add_static(at(&fixed, &public(1))).await.unwrap();
    let unreached = next_dial(&mut script).await;
    let (own, (near, far)) = (server.enode(), tokio::io::duplex(1 << 16));
    let (ours, theirs) = tokio::join!(
        server.accept_over(near),
        other.dial_over(far, own.public_key())
    );
    assert!(ours.is_err() && theirs.is_err(), "the seat is taken");
    reach(unreached, &fixed);
    let mut feed = server.subscribe();
    assert_eq!(added(&mut feed).await.id(), fixed.id());
}
