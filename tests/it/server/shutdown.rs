//! The end of a server.

use peermux::p2p::ids;
use peermux::setup::initiate;
use peermux::testing::{Scripted, memory_listener};
use peermux::{Capability, DialError, DisconnectReason, Hello, Message, PeerError, ProtocolLimits};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::io::AsyncReadExt;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_remote_that_has_received_hello_is_notified_of_the_end() {
    let (listener, caller) = memory_listener();
    let server = called(Server::builder(key()), listener).await;
    let stream = caller.call("20.1.1.1:1".parse().unwrap()).await;
    let server_key = *server.enode().public_key();
    let authenticated = initiate(stream, &key(), &server_key).await.unwrap();
    let mut remote = Scripted::before_hello(authenticated);
    // This message is the server's Hello. The remote sends no Hello.
    assert_eq!(remote.expect().await.id, 0);
    let (ended, reason) = tokio::join!(server.shutdown(LONG), remote.disconnected());
    ended.expect("in time");
    assert_eq!(reason, Some(DisconnectReason::CLIENT_QUITTING));
}

#[tokio::test(start_paused = true)]
async fn a_silent_remote_does_not_delay_the_end() {
    let (listener, caller) = memory_listener();
    let server = called(Server::builder(key()), listener).await;
    let mut stream = caller.call("20.1.1.1:1".parse().unwrap()).await;
    tokio::task::yield_now().await;
    let started = tokio::time::Instant::now();
    server.shutdown(LONG).await.expect("in time");
    assert!(started.elapsed() < SECOND);
    assert_eq!(stream.read_to_end(&mut Vec::new()).await.unwrap(), 0);
}

/// Starts a server that sends up to `count` messages of 16 KiB. Its peer has read the first
/// message.
async fn flooded(count: usize) -> (Server, Scripted) {
    let limits = ProtocolLimits::default().with_queue_messages(count.min(256));
    let floods = Protocol::builder("flood", 1, 1).limits(limits);
    let floods = floods.run(move |peer, conn| async move {
        let mut noise = vec![0; 16 << 10];
        StdRng::seed_from_u64(1).fill_bytes(&mut noise);
        let message = Message::new(0, noise);
        for _ in 0..count {
            conn.send(&message).await?;
        }
        peer.ending().await;
        Ok(())
    });
    let (listener, caller) = memory_listener();
    let server = called(Server::builder(key()).protocol(floods), listener).await;
    let stream = caller.call("20.1.1.1:1".parse().unwrap()).await;
    let own = key();
    let authenticated = initiate(stream, &own, server.enode().public_key()).await;
    let hello = Hello::new("slow", vec![Capability::new("flood", 1)], own.public_key());
    let established = authenticated.unwrap().exchange_hello(&hello).await;
    let mut remote = Scripted::over(established.unwrap());
    remote.expect().await;
    (server, remote)
}

/// Reads a message every 100 ms until the Disconnect. Returns the number of messages, and the
/// reason.
async fn read_slowly(mut remote: Scripted) -> (usize, Option<DisconnectReason>) {
    let mut messages = 0;
    loop {
        let frame = remote.expect().await;
        if frame.id == ids::DISCONNECT {
            return (messages, frame.reason);
        }
        messages += 1;
        tokio::time::sleep(SECOND / 10).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_slowly_is_notified_before_the_deadline_of_the_shutdown() {
    let (server, remote) = flooded(1000).await;
    let (ended, (_, reason)) = tokio::join!(server.shutdown(2 * SECOND), read_slowly(remote));
    ended.expect("in time");
    assert_eq!(reason, Some(DisconnectReason::CLIENT_QUITTING));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_with_time_sends_queued_messages_first() {
    let (server, remote) = flooded(100).await;
    let (ended, read) = tokio::join!(server.shutdown(LONG), read_slowly(remote));
    ended.expect("in time");
    assert_eq!(read, (99, Some(DisconnectReason::CLIENT_QUITTING)));
}

#[tokio::test(start_paused = true)]
async fn peers_are_notified_dials_are_cancelled_and_nothing_is_left() {
    let (builder, mut script) = scripted();
    let (server, remote) = (builder.start().await.unwrap(), remote().await);
    let mut feed = remote.subscribe();
    let node = at(&remote, &public(1));
    let (peer, ()) = tokio::join!(server.dial(&node), async {
        reach(next_dial(&mut script).await, &remote);
    });
    server.add_static(stranger(&public(2))).await.unwrap();
    let mut fixed = next_dial(&mut script).await;
    let nobody = stranger(&public(3));
    let wanted = server.dial(&nobody);
    let (wanted, ended, ()) = tokio::join!(wanted, server.shutdown(LONG), async {
        fixed.given_up().await;
    });
    assert!(matches!(
        wanted,
        Err(DialError::GivenUp { .. } | DialError::Unwanted { .. })
    ));
    ended.expect("in time");
    let outcome = peer.unwrap().outcome().expect("it has ended");
    let quitting = DisconnectReason::CLIENT_QUITTING;
    assert!(matches!(outcome.error, PeerError::Local(reason) if reason == quitting));
    let event = loop {
        if let PeerEvent::Dropped { outcome, .. } = feed.recv().await.unwrap().unwrap() {
            break outcome;
        }
    };
    assert!(matches!(event.error, PeerError::Remote(Some(reason)) if reason == quitting));
    server
        .shutdown(LONG)
        .await
        .expect("a second call is harmless");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_dropped_closes_everything_at_once() {
    let (builder, mut script) = scripted();
    let (server, remote) = (builder.start().await.unwrap(), remote().await);
    let mut feed = remote.subscribe();
    server.add_static(at(&remote, &public(1))).await.unwrap();
    reach(next_dial(&mut script).await, &remote);
    added(&mut feed).await;
    let weak = server.downgrade();
    assert_eq!(weak.upgrade().map(|server| server.id()), Some(server.id()));
    drop(server);
    assert!(weak.upgrade().is_none());
    dropped(&mut feed).await;
    assert!(script.next().await.is_none(), "the dialer is gone");
}
