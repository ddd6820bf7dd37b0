//! Admission of inbound connections.

use std::io;

use peermux::connmgr::{Rate, Refusal};
use peermux::rlpx::Legacy;
use peermux::server::NetList;
use peermux::setup::{SetupError, accept, initiate};
use peermux::testing::{Caller, Scripted, memory_listener};
use peermux::{DialError, DisconnectReason};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::*;

/// Reads until the other side closes, and returns whether it sent nothing.
async fn is_closed_without_a_word(stream: &mut DuplexStream) -> bool {
    let mut sent = Vec::new();
    let read = timeout(SECOND, stream.read_to_end(&mut sent)).await;
    matches!(read, Ok(Ok(0)))
}

async fn call_from(caller: &Caller<SocketAddr>, from: &str) -> DuplexStream {
    caller.call(from.parse().unwrap()).await
}

fn rejection(event: ConnectionEvent) -> (String, Refusal) {
    match event {
        ConnectionEvent::InboundRejected { addr, cause } => (addr.to_string(), cause),
        event => panic!("{event:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_returns_within_thirty_seconds_is_closed_without_a_word() {
    let (listener, caller) = memory_listener();
    let server = called(Server::builder(key()), listener).await;
    let mut feed = server.subscribe_connections();
    let mut first = call_from(&caller, "20.1.1.1:1000").await;
    assert!(timeout(SECOND, first.read_u8()).await.is_err(), "is closed");
    tokio::time::advance(20 * SECOND).await;
    let mut second = call_from(&caller, "20.1.1.1:2000").await;
    assert!(is_closed_without_a_word(&mut second).await);
    // By now, the set-up of the first connection has timed out.
    let fate = [told(&mut feed).await, told(&mut feed).await];
    let rejected = fate.into_iter().find_map(|event| match event {
        ConnectionEvent::InboundRejected { addr, cause } => Some((addr.to_string(), cause)),
        _ => None,
    });
    let expected = ("20.1.1.1:2000".to_owned(), Refusal::TooSoon);
    assert_eq!(rejected, Some(expected));

    // A rejected attempt does not extend the wait of its address. Local addresses need not wait.
    tokio::time::advance(11 * SECOND).await;
    for addr in [
        "20.1.1.1:3000",
        "127.0.0.1:1",
        "127.0.0.1:2",
        "10.1.1.1:1",
        "10.1.1.1:2",
    ] {
        let mut stream = call_from(&caller, addr).await;
        assert!(timeout(SECOND, stream.read_u8()).await.is_err(), "{addr}");
    }
}

#[tokio::test(start_paused = true)]
async fn exempt_networks_are_not_throttled() {
    let (listener, caller) = memory_listener();
    let builder = Server::builder(key())
        .configure(|config| config.with_throttle_exempt("20.1.0.0/16".parse::<NetList>().unwrap()));
    let _server = called(builder, listener).await;
    for port in 1..20 {
        let mut stream = call_from(&caller, &format!("20.1.1.1:{port}")).await;
        assert!(timeout(SECOND / 100, stream.read_u8()).await.is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn one_network_has_a_bounded_number_of_set_ups() {
    let (listener, caller) = memory_listener();
    let server = called(Server::builder(key()), listener).await;
    let mut feed = server.subscribe_connections();
    let mut streams = Vec::new();
    for host in 1..=8 {
        streams.push(call_from(&caller, &format!("20.1.1.{host}:1")).await);
    }
    let mut ninth = call_from(&caller, "20.1.1.9:1").await;
    assert!(is_closed_without_a_word(&mut ninth).await);
    let limit = Refusal::TooManyHandshakes { limit: 8 };
    let expected = ("20.1.1.9:1".to_owned(), limit);
    assert_eq!(rejection(told(&mut feed).await), expected);
    let mut elsewhere = call_from(&caller, "20.1.2.1:1").await;
    assert!(timeout(SECOND, elsewhere.read_u8()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn the_rate_of_set_ups_can_be_limited() {
    let (listener, caller) = memory_listener();
    let builder =
        Server::builder(key()).configure(|config| config.with_setup_rate(Rate::new(2, 1)));
    let server = called(builder, listener).await;
    let mut feed = server.subscribe_connections();
    let mut streams = Vec::new();
    for host in 1..=3 {
        streams.push(call_from(&caller, &format!("20.{host}.1.1:1")).await);
    }
    let expected = ("20.3.1.1:1".to_owned(), Refusal::RateLimited);
    assert_eq!(rejection(told(&mut feed).await), expected);
}

#[tokio::test(start_paused = true)]
async fn connections_from_other_networks_are_closed_at_once() {
    let (listener, caller) = memory_listener();
    let builder = Server::builder(key())
        .configure(|config| config.with_net_restrict("20.1.0.0/16".parse::<NetList>().unwrap()));
    let server = called(builder, listener).await;
    let mut feed = server.subscribe_connections();
    let mut stream = call_from(&caller, "20.2.1.1:1").await;
    assert!(is_closed_without_a_word(&mut stream).await);
    let expected = ("20.2.1.1:1".to_owned(), Refusal::Restricted);
    assert_eq!(rejection(told(&mut feed).await), expected);
}

#[tokio::test(start_paused = true)]
async fn set_ups_beyond_the_pending_ones_wait_outside() {
    let (listener, caller) = memory_listener();
    let server = called(
        Server::builder(key()).configure(|config| config.with_max_pending(2)),
        listener,
    )
    .await;
    let mut feed = server.subscribe_connections();
    let mut streams = Vec::new();
    for host in 1..=3 {
        streams.push(call_from(&caller, &format!("20.{host}.1.1:1")).await);
    }
    // The oldest client is silent, so it gives up its slot to the third client after a second. The
    // other two time out after 5 s each.
    let started = tokio::time::Instant::now();
    for seconds in [1, 5, 6] {
        told(&mut feed).await;
        assert_eq!(started.elapsed(), seconds * SECOND);
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_listener_is_reported() {
    let (listener, caller) = memory_listener();
    let server = called(Server::builder(key()), listener).await;
    let mut feed = server.subscribe_connections();
    drop(caller);
    let event = told(&mut feed).await;
    let ConnectionEvent::ListenerFailed {
        listener: 0,
        left: 0,
        error,
    } = event
    else {
        panic!("{event:?}");
    };
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}

/// Handshake steps take turns. No turn is held while the server waits for a client to send.
#[tokio::test(start_paused = true)]
async fn remotes_that_stop_half_way_block_no_other_handshake() {
    let (own, (listener, caller)) = (key(), memory_listener());
    let _server = called(Server::builder(own.clone()), listener).await;
    let mut silent = Vec::new();
    for port in 1..=10 {
        let mut stream = call_from(&caller, &format!("10.1.1.1:{port}")).await;
        // Send only the first bytes of an auth packet of 400 bytes.
        stream.write_all(&[1, 0x90, 4]).await.unwrap();
        silent.push(stream);
    }
    let mut mute = Vec::new();
    for port in 11..=20 {
        let stream = call_from(&caller, &format!("10.1.1.1:{port}")).await;
        let public_key = own.public_key();
        let answered = timeout(SECOND, initiate(stream, &key(), &public_key)).await;
        // This client never sends Hello.
        mute.push(answered.expect("gets its turn").unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn without_seats_only_trusted_nodes_reach_their_protocols() {
    let (builder, mut script) = scripted();
    let server = builder
        .configure(|config| config.with_max_peers(0))
        .start()
        .await
        .unwrap();
    let other = Server::builder(key()).protocol(idle("other"));
    let other = other.start().await.unwrap();
    let node = at(&other, "20.1.1.1:1");
    let full = Some(DisconnectReason::TOO_MANY_PEERS);
    assert_eq!(server.dial(&node).await.unwrap_err().reason(), full);
    server.trust(other.id());
    let (result, ()) = tokio::join!(server.dial(&node), async {
        reach(next_dial(&mut script).await, &other);
    });
    let useless = Some(DisconnectReason::USELESS_PEER);
    assert_eq!(result.unwrap_err().reason(), useless);
    server.distrust(other.id());
    assert_eq!(server.dial(&node).await.unwrap_err().reason(), full);
}

/// Each outcome is checked on the side that decides it.
#[tokio::test(start_paused = true)]
async fn a_failed_set_up_reports_its_stage() {
    let server_key = key();
    let server = Server::builder(server_key.clone()).protocol(idle("test"));
    let server = server.start().await.unwrap();
    let public_key = server_key.public_key();

    // A node with our own key is this node.
    let (near, far) = tokio::io::duplex(1 << 16);
    let dial = async {
        let authenticated = initiate(far, &server_key, &public_key).await.unwrap();
        Scripted::before_hello(authenticated).disconnected().await
    };
    let (result, reason) = tokio::join!(server.accept_over(near), dial);
    let own = DisconnectReason::CONNECTED_TO_SELF;
    assert!(matches!(result, Err(SetupError::RefusedHere(reason)) if reason == own));
    assert_eq!(reason, Some(own));

    // A remote may refuse instead of sending Hello.
    let (near, far) = tokio::io::duplex(1 << 16);
    let remote = key();
    let refuse = async {
        let authenticated = accept(far, &remote, Legacy::Refuse).await.unwrap();
        authenticated.refuse(DisconnectReason::TOO_MANY_PEERS).await;
    };
    let remote_key = remote.public_key();
    let (result, ()) = tokio::join!(server.dial_over(near, &remote_key), refuse);
    let error = result.unwrap_err();
    assert_eq!(error.reason(), Some(DisconnectReason::TOO_MANY_PEERS));
    assert!(matches!(error, DialError::Setup { .. }));

    // A stopped server accepts no node.
    server.shutdown(SECOND).await.unwrap();
    let error = server.dial(&stranger("20.1.1.1:1")).await.unwrap_err();
    assert_eq!(error.reason(), Some(DisconnectReason::CLIENT_QUITTING));
}

#[tokio::test(start_paused = true)]
async fn silent_connections_make_nobody_wait_longer_than_a_second() {
    let (listener, caller) = memory_listener();
    let builder = Server::builder(key()).configure(|config| config.with_max_pending(8));
    let server = called(builder, listener).await;
    let key = *server.enode().public_key();
    let caller = std::sync::Arc::new(caller);
    let mut silent = tokio::task::JoinSet::new();
    for number in 0..20 {
        let caller = std::sync::Arc::clone(&caller);
        silent.spawn(async move { call_from(&caller, &format!("20.{number}.1.1:1")).await });
    }
    tokio::task::yield_now().await;
    let honest = remote().await;
    let begun = tokio::time::Instant::now();
    let stream = call_from(&caller, "20.99.1.1:1").await;
    honest.dial_over(stream, &key).await.expect("is admitted");
    // Seven at a time, the clients before the honest one kept their slots for a second each.
    assert!(begun.elapsed() < 4 * SECOND, "{:?}", begun.elapsed());
    drop(silent);
}

/// The refused remotes do not close their connections.
#[tokio::test(start_paused = true)]
async fn refused_clients_that_stay_are_bounded() {
    let full = Server::builder(key()).configure(|config| config.with_max_peers(0));
    let full = full.protocol(idle("test")).start().await.unwrap();
    let remote = *full.enode().public_key();
    let mut told = 0;
    let mut held = Vec::new();
    for _ in 0..100 {
        let (near, far) = tokio::io::duplex(64 << 10);
        let (stranger, full) = (key(), full.clone());
        tokio::spawn(async move { full.accept_over(far).await });
        match initiate(near, &stranger, &remote).await {
            Ok(authenticated) => {
                told += 1;
                held.push(authenticated);
            }
            Err(error) => assert!(matches!(error, SetupError::Closed { .. }), "{error}"),
        }
    }
    assert_eq!(told, 32);
    tokio::time::sleep(4 * SECOND).await;
    let (near, far) = tokio::io::duplex(64 << 10);
    let stranger = key();
    let (told, _) = tokio::join!(initiate(near, &stranger, &remote), full.accept_over(far));
    told.expect("there is a slot again");
}
