//! Faults that layers of this kind are known for, one test each: it asserts the very thing that
//! goes wrong there. Here: messages between the call and the wire.

use peermux::ProtocolLimits;

use super::*;

/// Of the messages that were queued when a connection broke, all but one used to vanish.
#[tokio::test(start_paused = true)]
async fn w04_every_accepted_message_has_an_end() {
    let net = Net::default();
    let a = net.node();
    let b = net.node();
    b.comm.accept_with(
        SubscriptionConfig::default().with_overflow(Overflow::Wait(SOON)),
        |_| true,
    );
    a.comm.send(&text("x"), &[b.peer()]).remove(0).await;
    let large = Envelope::new(1, vec![7; 100_000]);
    let receipts: Vec<_> = (0..100)
        .flat_map(|_| a.comm.send(&large, &[b.peer()]))
        .collect();
    b.unplug();
    let (mut sent, mut dropped, mut failed) = (0, 0, 0);
    for receipt in receipts {
        match timeout(SOON, receipt).await.expect("each one ends") {
            Delivery::Sent => sent += 1,
            Delivery::Dropped(_) => dropped += 1,
            _ => failed += 1,
        }
    }
    assert_eq!(sent + dropped + failed, 100);
    assert!(failed > 0, "some were queued when it broke");
    assert_eq!(a.comm.stats().waiting, 0);
    let stats = a.comm.stats();
    assert_eq!(stats.failed_closed + stats.overflowed + stats.sent, 101);
}

/// Each message to a dead endpoint used to have a task of its own, all queueing on one lock, and
/// each dialled again when its turn came.
#[tokio::test(start_paused = true)]
async fn w05_two_hundred_messages_to_a_dead_endpoint_dial_once() {
    let net = Net::default();
    let (a, b) = (net.node(), net.node());
    b.unplug();
    net.set_latency(Duration::from_millis(300));
    let started = Instant::now();
    let receipts: Vec<_> = (0..200)
        .flat_map(|n| a.comm.send(&numbered(n), &[b.peer()]))
        .collect();
    for receipt in receipts {
        assert!(matches!(
            receipt.await,
            Delivery::Failed(CommError::Dial(_))
        ));
    }
    assert!(started.elapsed() < Duration::from_millis(310));
    assert_eq!(net.dial_count(), 1);
    let refused = a.comm.send(&text("x"), &[b.peer()]).remove(0).await;
    assert!(matches!(refused, Delivery::Dropped(CommError::Dial(_))));
    assert_eq!((net.dial_count(), a.comm.stats().dials), (1, 0));
    tokio::time::sleep(Duration::from_secs(1)).await;
    a.comm.send(&text("x"), &[b.peer()]).remove(0).await;
    assert_eq!(net.dial_count(), 2);
}

/// Endpoints whose id was not known used to share one lock, and each message opened a connection
/// that closed the one before; acknowledgements from them were never matched.
#[tokio::test(start_paused = true)]
async fn w12_an_endpoint_without_an_id_has_one_connection_and_its_acks_count() {
    let net = Net::default();
    let (a, b, c) = (net.node(), net.node(), net.node());
    let mut inbox = everything(&b.comm);
    let receipts: Vec<_> = (0..10)
        .flat_map(|n| a.comm.send(&numbered(n), &[b.anybody(), c.anybody()]))
        .collect();
    for receipt in receipts {
        assert!(receipt.await.is_sent());
    }
    for n in 0..10 {
        assert_eq!(next(&mut inbox).await.envelope().nonce, n);
    }
    assert_eq!((net.dial_count(), a.comm.conn_count()), (2, 2));
    acknowledge_all(&b);
    let result = a
        .comm
        .send_with_ack(&text("x"), policy(1, 50), &[b.anybody()])
        .await;
    assert_eq!(result.unwrap().ack_count(), 1);
}

/// The time limit used to start after the message was queued, which could wait for ever; the dial
/// did not count either.
#[tokio::test(start_paused = true)]
async fn w13_one_deadline_holds_for_dial_queue_and_answer() {
    let net = Net::default();
    let limit = Duration::from_millis(60);
    // A connection on which nothing moves.
    let a = net.node_with(
        Config::default().with_queue_messages(1),
        Secp256k1Identity::new(key()),
    );
    let b = net.node();
    let stuck = SubscriptionConfig::default()
        .with_messages(1)
        .with_overflow(Overflow::Wait(SOON));
    let _unread = b.comm.accept_with(stuck, |_| true);
    let large = Envelope::new(1, vec![1; 2 << 20]);
    for _ in 0..50 {
        drop(a.comm.send(&large, &[b.peer()]));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(a.comm.stats().overflowed > 0, "the queue is full");
    let timed = async |peer: RemotePeer| {
        let started = Instant::now();
        let result = a
            .comm
            .send_with_ack(&large, policy(1, 50), &[peer])
            .await
            .unwrap();
        assert_eq!(result.results[0].to_string(), "timed out");
        assert!(started.elapsed() <= limit, "{:?}", started.elapsed());
    };
    timed(b.peer()).await;
    // One that takes long to dial.
    let c = net.node();
    net.set_latency(Duration::from_secs(4));
    timed(c.peer()).await;
    net.set_latency(Duration::ZERO);
    // One that is connected and does not answer.
    let silent = net.node();
    timed(silent.peer()).await;
}

/// With no acknowledgements asked for, all peers used to be waited for; asking for too many waited
/// for the deadline; the caller's message was changed; a peer given twice got two subscriptions.
#[tokio::test(start_paused = true)]
async fn w14_the_number_of_acknowledgements_means_what_it_says() {
    let net = Net::default();
    let (a, b, c) = (net.node(), net.node(), net.node());
    acknowledge_all(&b);
    let peers = [b.peer(), c.peer(), b.peer(), b.anybody()];
    let message = numbered(5);
    let started = Instant::now();
    let none = a
        .comm
        .send_with_ack(&message, policy(0, 1000), &peers)
        .await
        .unwrap();
    assert_eq!((none.results.len(), none.nack_count()), (2, 0));
    let too_many = a
        .comm
        .send_with_ack(&message, policy(3, 1000), &peers)
        .await;
    let expected = CommError::TooManyAcks { min: 3, peers: 2 };
    assert_eq!(too_many.unwrap_err().to_string(), expected.to_string());
    let one = a
        .comm
        .send_with_ack(&message, policy(1, 1000), &peers)
        .await
        .unwrap();
    assert_eq!(one.ack_count(), 1);
    assert!(started.elapsed() < Duration::from_millis(100));
    assert_eq!(message, numbered(5));
}

/// Messages from one task to one peer used to arrive in any order.
#[tokio::test(start_paused = true)]
async fn w18_the_order_of_one_sender_is_kept() {
    let net = Net::default();
    let (a, b) = (
        net.node_with(
            Config::default().with_queue_messages(1000),
            Secp256k1Identity::new(key()),
        ),
        net.node(),
    );
    let mut inbox = everything(&b.comm);
    for n in 0..500 {
        drop(a.comm.send(&numbered(n), &[b.peer()]));
    }
    for n in 0..500 {
        assert_eq!(next(&mut inbox).await.envelope().nonce, n);
    }
}

/// Answers used to wait without a limit and to hide errors, so that two peers that answered each
/// other could stand still.
#[tokio::test(start_paused = true)]
async fn w19_answers_go_ahead_of_messages_and_tell_their_end() {
    let net = Net::default();
    let small = Config::default().with_queue_messages(1);
    let a = net.node_with(small, Secp256k1Identity::new(key()));
    let b = net.node();
    let (mut at_a, mut at_b) = (everything(&a.comm), everything(&b.comm));
    b.comm.send(&text("ping"), &[a.peer()]).remove(0).await;
    let ping = next(&mut at_a).await;
    assert!(
        a.comm
            .send(&text("queued"), &[b.peer()])
            .remove(0)
            .await
            .is_sent()
    );
    // So many the transport takes before it writes any.
    let taken = ProtocolLimits::default().queue_messages();
    for _ in 0..taken {
        drop(a.comm.send(&text("taken"), &[b.peer()]));
    }
    // The queue of messages is full after one more, that of answers is not.
    let last = a.comm.send(&text("last"), &[b.peer()]).remove(0);
    let full = a.comm.send(&text("too many"), &[b.peer()]).remove(0);
    let first = ping.try_respond(&text("pong")).expect("room");
    assert!(matches!(full.await, Delivery::Dropped(CommError::Full)));
    assert!(first.await.is_sent() && last.await.is_sent());
    assert_eq!(content(&next(&mut at_b).await), "queued");
    for _ in 0..taken {
        assert_eq!(content(&next(&mut at_b).await), "taken");
    }
    assert_eq!(content(&next(&mut at_b).await), "pong");
    assert_eq!(content(&next(&mut at_b).await), "last");
    assert!(matches!(
        ping.ack(Ok(())).await,
        Err(CommError::NoAckWanted)
    ));
    b.unplug();
    a.until_connected(0).await;
    let closed = ping.respond(&text("pong")).await;
    assert!(
        matches!(closed, Err(CommError::PeerClosed(_))),
        "{closed:?}"
    );
}
