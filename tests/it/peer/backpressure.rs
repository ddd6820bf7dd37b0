//! Protocols slower than their remote: steady backpressure, stalls, dropped messages.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use peermux::p2p::ids;
use peermux::testing::{Connected, Settings, connect};
use peermux::{
    DisconnectReason, Message, PeerConfig, PeerError, Protocol, ProtocolConn, ProtocolLimits,
    WhenFull,
};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use super::{mirror, outcome, peer, protocol};

const SECOND: Duration = Duration::from_secs(1);
const STALL_LIMIT: Duration = Duration::from_secs(8);
/// A message of the first protocol.
const MESSAGE: (u64, &[u8]) = (16, &[0xc0]);

/// Returns a protocol that takes messages one by one. It holds each for a while, and counts them.
fn slow(each: Duration, limits: ProtocolLimits) -> (Protocol, Arc<AtomicU64>) {
    let taken = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&taken);
    let protocol = protocol(1).limits(limits).run(move |_, mut conn| {
        let counter = Arc::clone(&counter);
        async move {
            while let Some(message) = conn.recv().await? {
                sleep(each).await;
                counter.fetch_add(1, Ordering::Relaxed);
                drop(message);
            }
            Ok(())
        }
    });
    (protocol, taken)
}

/// Returns a protocol that sends as fast as it can.
fn floods(size: usize) -> Protocol {
    protocol(1).run(move |_, conn| async move {
        let message = Message::new(0, vec![0x55; size]);
        loop {
            conn.send(&message).await?;
        }
    })
}

/// Returns a protocol that sends a request once a second and counts the answers.
fn asks(name: &str) -> (Protocol, Arc<AtomicU64>) {
    let answers = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&answers);
    let protocol = Protocol::builder(name, 0, 1).run(move |_, conn| {
        let counter = Arc::clone(&counter);
        async move {
            let (asks, mut answers) = conn.split();
            let ask = async {
                loop {
                    asks.send(&Message::new(0, vec![0x05])).await?;
                    sleep(SECOND).await;
                }
            };
            let count = async {
                while answers.recv().await?.is_some() {
                    counter.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            };
            tokio::select! {
                result = ask => result,
                result = count => result,
            }
        }
    });
    (protocol, answers)
}

fn assert_alive(connected: &Connected) {
    let outcomes = (connected.left.outcome(), connected.right.outcome());
    assert!(matches!(outcomes, (None, None)), "{outcomes:?}");
}

/// For ten times the stall limit, runs a remote that sends without a pause. In addition to the slow
/// protocol, each side makes requests with a protocol of its own.
async fn steady(size: usize, each: Duration) {
    let (slow, taken) = slow(each, ProtocolLimits::default());
    let ((asks_b, answers_b), (asks_c, answers_c)) = (asks("b"), asks("c"));
    let connected = connect(
        vec![floods(size), asks_b, mirror("c")],
        vec![slow, mirror("b"), asks_c],
    )
    .await
    .expect("connects");
    sleep(10 * STALL_LIMIT).await;

    assert_alive(&connected);
    let expected = (10 * STALL_LIMIT).as_millis() / each.as_millis();
    let taken = u128::from(taken.load(Ordering::Relaxed));
    assert!(taken + 10 > expected, "{taken} of {expected}");
    for answers in [answers_b, answers_c] {
        let answers = answers.load(Ordering::Relaxed);
        assert!(answers > 40, "{answers} answers for a neighbour");
    }
    assert!(connected.left.rtt().is_some() && connected.right.rtt().is_some());
    assert!(connected.left.ping().await.is_some() && connected.right.ping().await.is_some());
}

#[tokio::test(start_paused = true)]
async fn backpressure_by_messages_lasts_ten_times_the_stall_limit_and_hurts_nobody() {
    steady(100, Duration::from_millis(10)).await;
}

#[tokio::test(start_paused = true)]
async fn backpressure_by_bytes_lasts_ten_times_the_stall_limit_and_hurts_nobody() {
    steady(32 << 10, Duration::from_millis(50)).await;
}

/// The slow protocol needs 20 s to read the messages in the pipe's 128 KiB. Each Ping waits behind
/// these messages.
#[tokio::test(start_paused = true)]
async fn backpressure_that_delays_pongs_beyond_the_liveness_timeout_ends_neither_side() {
    let (slow, _) = slow(Duration::from_millis(10), ProtocolLimits::default());
    let connected = connect(floods(100), slow).await.expect("connects");
    sleep(10 * STALL_LIMIT).await;
    assert_alive(&connected);
}

#[tokio::test(start_paused = true)]
async fn our_pings_continue_while_reading_is_paused() {
    let limits = ProtocolLimits::default().with_queue_messages(1);
    let (slow, _) = slow(Duration::from_secs(7), limits);
    let (_peer, mut remote) = peer(slow).await;
    remote.send_all(&[MESSAGE; 100]).await;
    let mut last = Instant::now();
    for _ in 0..60 {
        assert_eq!(remote.expect().await.id, ids::PING);
        assert!(last.elapsed() <= 15 * SECOND, "{:?}", last.elapsed());
        last = Instant::now();
        remote.send(ids::PONG, &[0xc0]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn each_message_taken_restarts_the_stall_limit_including_the_last_one() {
    let limits = ProtocolLimits::default().with_queue_messages(2);
    let takes_ten = protocol(1).limits(limits).run(|peer, mut conn| async move {
        for _ in 0..10 {
            sleep(7 * SECOND).await;
            conn.recv().await?;
        }
        peer.ending().await;
        Ok(())
    });
    let (peer, mut remote) = peer(takes_ten).await;
    let started = Instant::now();
    remote.send_all(&[MESSAGE; 100]).await;
    let error = &outcome(&peer).await.error;
    assert!(matches!(error, PeerError::Stalled { stalled, .. } if stalled.as_secs() == 8));
    // After the stall limit, the peer takes a second to send the Disconnect, and the remote takes
    // some time to close.
    let waited = started.elapsed().as_secs();
    assert!((10 * 7 + 8..10 * 7 + 12).contains(&waited), "{waited}");
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_holds_its_messages_and_reads_no_more_is_stalled() {
    let limits = ProtocolLimits::default().with_queue_messages(3);
    let keeps = protocol(1).limits(limits).run(|_, mut conn| async move {
        let mut kept = Vec::new();
        while let Some(message) = conn.recv().await? {
            kept.push(message);
            sleep(5 * SECOND).await;
        }
        Ok(())
    });
    let (peer, mut remote) = peer(keeps).await;
    let started = Instant::now();
    remote.send_all(&[MESSAGE; 10]).await;
    assert_eq!(
        remote.disconnected().await,
        Some(DisconnectReason::SUBPROTOCOL_ERROR)
    );
    // The protocol took the third and last message after 10 s.
    assert_eq!(started.elapsed().as_secs(), 10 + 8);
    drop(remote);
    assert!(matches!(
        outcome(&peer).await.error,
        PeerError::Stalled { .. }
    ));
}

#[tokio::test(start_paused = true)]
async fn an_infinite_stall_limit_waits_forever() {
    let limits = ProtocolLimits::default().with_queue_messages(1);
    let (slow, _) = slow(10_000 * SECOND, limits);
    let config = PeerConfig::default().with_stall_limit(Duration::MAX);
    let (peer, mut remote) = peer(Settings::from(slow).with_config(config)).await;
    remote.send_all(&[MESSAGE; 3]).await;
    sleep(5_000 * SECOND).await;
    assert!(peer.outcome().is_none());
}

/// Two messages of 16 MiB and the read buffer together exhaust the peer's 32 MiB.
#[tokio::test(start_paused = true)]
async fn a_message_without_memory_is_not_blamed_on_its_own_protocol() {
    let holds = |name: &str| {
        Protocol::builder(name, 0, 1).run(|peer, mut conn| async move {
            let held = conn.recv().await?;
            peer.ending().await;
            drop(held);
            Ok(())
        })
    };
    let (peer, mut remote) = peer(vec![holds("a"), holds("b")]).await;
    let largest = vec![0x55; peermux::rlpx::MAX_PAYLOAD];
    remote.send(16, &largest).await;
    remote.send(17, &largest).await;
    assert_eq!(
        remote.disconnected().await,
        Some(DisconnectReason::SUBPROTOCOL_ERROR)
    );
    drop(remote);
    assert_eq!(
        outcome(&peer).await.error.to_string(),
        "no memory for a message to protocol b/0 for 8.0s: \
         the budget for received data is used up"
    );
}

#[tokio::test(start_paused = true)]
async fn drop_newest_drops_and_counts_messages_for_a_full_queue_and_neighbours_never_wait() {
    let limits = ProtocolLimits::default()
        .with_queue_messages(4)
        .with_when_full(WhenFull::DropNewest);
    let (give, take) = oneshot::channel();
    let give = Mutex::new(Some(give));
    let lends = protocol(1).limits(limits).run(move |peer, conn| {
        let give = give.lock().unwrap().take();
        async move {
            let _ = give.expect("one peer").send(conn);
            peer.ending().await;
            Ok(())
        }
    });
    let (peer, mut remote) = peer(vec![lends, mirror("b")]).await;
    let mut conn: ProtocolConn = take.await.expect("the handler lends it");
    let started = Instant::now();
    for number in 0..100u8 {
        remote.send_all(&[(16, &[number]), (17, &[number])]).await;
        assert_eq!(&remote.expect().await.payload[..], [number]);
    }
    assert_eq!((started.elapsed(), conn.dropped()), (Duration::ZERO, 96));
    for number in 0..4 {
        let message = conn.recv().await.unwrap().expect("still connected");
        assert_eq!(&message.payload[..], [number]);
    }
    // Now the queue has room again.
    remote.send(16, &[200]).await;
    let message = conn.recv().await.unwrap().expect("still connected");
    assert_eq!((&message.payload[..], conn.dropped()), (&[200][..], 96));
    assert!(peer.outcome().is_none());
}
