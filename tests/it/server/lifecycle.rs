//! A connection from its slot to its last event, in every order of events.

use std::collections::HashSet;

use peermux::setup::initiate;
use peermux::testing::memory_listener;
use peermux::{Capability, DisconnectReason, Hello};
use tokio::io::AsyncWriteExt;

use super::*;

/// Returns an address in its own network.
fn from(number: u8) -> SocketAddr {
    public(number).parse().expect("an address")
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_before_the_handshake_frees_its_slot_and_is_no_peer() {
    let (listener, caller) = memory_listener();
    let server = called(
        Server::builder(key()).configure(|config| config.with_max_pending(1)),
        listener,
    )
    .await;
    let (mut feed, mut failures) = (server.subscribe(), server.subscribe_connections());
    for number in 0..100 {
        drop(caller.call(from(number)).await);
        let event = told(&mut failures).await;
        assert!(matches!(event, ConnectionEvent::InboundFailed { .. }));
    }
    let stream = caller.call(from(100)).await;
    let (client, key) = (remote().await, *server.enode().public_key());
    client
        .dial_over(stream, &key)
        .await
        .expect("there is a slot");
    assert_eq!(added(&mut feed).await.id(), client.id());
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_released_once() {
    let (listener, caller) = memory_listener();
    let builder = Server::builder(key())
        .configure(|config| config.with_max_pending(1).with_setup_timeout(5 * SECOND));
    let server = called(builder, listener).await;
    let patient = Server::builder(key()).protocol(idle("test"));
    let patient = patient
        .configure(|config| config.with_setup_timeout(LONG))
        .start();
    let (first, third) = (remote().await, patient.await.unwrap());
    let key = *server.enode().public_key();
    let peer = first.dial_over(caller.call(from(1)).await, &key).await;
    let peer = peer.expect("connects");
    // This connection takes the slot that the first one released after its set-up.
    let mut slow = caller.call(from(2)).await;
    slow.write_u8(1).await.expect("is open");
    peer.disconnect(DisconnectReason::REQUESTED);
    peer.ended().await;
    // The end of the first connection releases no second slot.
    let waiting = third.dial_over(caller.call(from(3)).await, &key);
    tokio::pin!(waiting);
    let early = timeout(SECOND / 2, &mut waiting).await;
    assert!(early.is_err(), "{early:?}");
    // By then, the slow connection has made no progress for a second, and gives up its slot.
    let late = timeout(SECOND, waiting).await.expect("in time");
    assert_eq!(late.expect("connects").id(), server.id());
}

/// Formerly, such a client kept its slot for up to 2 s after the Disconnect.
#[tokio::test(start_paused = true)]
async fn a_client_that_fails_at_hello_and_stays_frees_its_slot() {
    let (listener, caller) = memory_listener();
    let builder = Server::builder(key()).configure(|config| config.with_max_pending(1));
    let server = called(builder, listener).await;
    let (node, own) = (*server.enode().public_key(), key());
    let many = (0..65).map(|version| Capability::new("x", version));
    let hello = Hello::new("many", many.collect(), own.public_key());
    let stream = caller.call(from(1)).await;
    let met = initiate(stream, &own, &node).await.expect("lets it in");
    let stays = met.exchange_hello(&hello).await.expect("a Hello comes");
    let begun = tokio::time::Instant::now();
    let client = remote().await;
    let dialled = client.dial_over(caller.call(from(2)).await, &node).await;
    dialled.expect("there is a slot");
    assert!(begun.elapsed() < SECOND / 2, "{:?}", begun.elapsed());
    drop(stays);
}

#[tokio::test(start_paused = true)]
async fn a_peer_is_dropped_after_it_was_added_however_short_it_was() {
    let (listener, caller) = memory_listener();
    let builder = Server::builder(key())
        .configure(|config| config.with_max_peers(200).with_event_capacity(1000));
    let server = called(builder, listener).await;
    let mut feed = server.subscribe();
    let key = *server.enode().public_key();
    for number in 0..100 {
        let client = remote().await;
        let peer = client
            .dial_over(caller.call(from(number)).await, &key)
            .await;
        // Half of the remotes close before the server has added them as peers.
        if number % 2 == 0 {
            drop(client);
        } else {
            let peer = peer.expect("connects");
            peer.disconnect(DisconnectReason::REQUESTED);
        }
    }
    let (mut here, mut gone) = (HashSet::new(), 0);
    while let Ok(Some(Ok(event))) = timeout(20 * SECOND, feed.recv()).await {
        match event {
            PeerEvent::Added { peer } => assert!(here.insert(peer.id())),
            PeerEvent::Dropped { peer, .. } => {
                assert!(here.remove(&peer.id()), "dropped before it was added");
                gone += 1;
            }
            _ => {}
        }
    }
    assert!(here.is_empty(), "never dropped: {here:?}");
    assert!((50..=100).contains(&gone), "{gone}");
    assert_eq!(server.peer_count(), 0);
}
