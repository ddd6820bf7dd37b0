//! Messages in both directions.

use peermux::ProtocolLimits;
use peermux::comm::CommErrorKind;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_closed_connection_accepts_no_more_messages() {
    let net = Net::default();
    let a = net.node();
    let mut inbox = everything(&a.comm);
    let client = raw::client(&net, |proof| proof.flood = true);
    net.connect(&client.node, &a.id).await.unwrap();
    let id = next(&mut inbox).await.sender().id;
    assert!(a.comm.close_conn(&id));
    assert!(!a.comm.close_conn(&id), "the connection is gone");
    assert_eq!(a.comm.connection_count(), 0);
    let sent = timeout(SOON, client.sent)
        .await
        .expect("its sends fail")
        .unwrap();
    assert!(sent < 40, "{sent} messages of 1 MiB went through");
}

#[tokio::test(start_paused = true)]
async fn a_flood_in_both_directions_gets_through() {
    let net = Net::default();
    let (a, b) = (net.node(), net.node());
    let (mut at_a, mut at_b) = (everything(&a.comm), everything(&b.comm));
    for n in 0..100 {
        drop(a.comm.send(&numbered(n), &[b.peer()]));
        drop(b.comm.send(&numbered(n), &[a.peer()]));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for _ in 0..80 {
        next(&mut at_a).await;
        next(&mut at_b).await;
    }
}

#[tokio::test(start_paused = true)]
async fn messages_of_one_sender_arrive_in_order() {
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

#[tokio::test(start_paused = true)]
async fn a_message_has_the_time_of_its_arrival_not_of_its_reading() {
    let net = Net::default();
    let (a, b) = (net.node(), net.node());
    let mut inbox = everything(&b.comm);
    let before = Instant::now();
    drop(a.comm.send(&numbered(1), &[b.peer()]));
    while b.comm.stats().received == 0 {
        tokio::task::yield_now().await;
    }
    let arrived = Instant::now();
    tokio::time::advance(SOON).await;
    let message = next(&mut inbox).await;
    assert!((before..=arrived).contains(&message.received_at()));
}

#[tokio::test(start_paused = true)]
async fn a_receiver_answers_over_an_in_memory_network() {
    let net = Net::default();
    let (a, b) = (net.node(), net.node());
    let (mut at_a, mut at_b) = (everything(&a.comm), everything(&b.comm));
    a.comm.send(&numbered(1), &[b.peer()]);
    for _ in 0..50 {
        let ping = next(&mut at_b).await;
        let answer = numbered(ping.envelope().nonce + 1);
        assert!(ping.respond(&answer).await.expect("room").await.is_sent());
        let pong = next(&mut at_a).await;
        let answer = numbered(pong.envelope().nonce + 1);
        pong.try_respond(&answer).expect("room");
    }
    assert_eq!(next(&mut at_b).await.envelope().nonce, 101);
    assert_eq!(net.dial_count(), 1, "the responder never dialled");
}

/// Two peers that answer each other must not deadlock.
#[tokio::test(start_paused = true)]
async fn responses_overtake_queued_messages_and_report_their_result() {
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
    // The transport accepts `taken` messages before it writes any of them.
    let taken = ProtocolLimits::default().queue_messages();
    for _ in 0..taken {
        drop(a.comm.send(&text("taken"), &[b.peer()]));
    }
    // One more message fills the queue of messages, but not the queue of answers.
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

#[tokio::test(start_paused = true)]
async fn predicates_route_messages_until_the_stop() {
    let net = Net::default();
    let (a, b) = (net.node(), net.node());
    let mut even = b.comm.accept(|message| message.envelope().nonce % 2 == 0);
    let mut odd = b.comm.accept(|message| message.envelope().nonce % 2 == 1);
    for n in 0..20 {
        drop(a.comm.send(&numbered(n), &[b.peer()]));
    }
    for n in 0..10 {
        assert_eq!(next(&mut even).await.envelope().nonce, 2 * n);
        assert_eq!(next(&mut odd).await.envelope().nonce, 2 * n + 1);
    }
    b.comm.stop().await;
    assert!(even.next().await.is_none() && odd.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn every_message_queued_on_a_connection_that_breaks_has_a_result() {
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

#[tokio::test(start_paused = true)]
async fn sending_while_the_remote_stops_neither_hangs_nor_loses_count() {
    let net = Net::default();
    let (a, b) = (net.node(), net.node());
    a.comm.send(&text("x"), &[b.peer()]).remove(0).await;
    let stop = tokio::spawn({
        let comm = b.comm.clone();
        async move { comm.stop().await }
    });
    let mut receipts = Vec::new();
    for n in 0..200 {
        receipts.extend(a.comm.send(&numbered(n), &[b.peer()]));
        tokio::task::yield_now().await;
    }
    for receipt in receipts {
        timeout(SOON, receipt).await.expect("each one ends");
    }
    assert!(stop.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_malformed_message_ends_the_connection_and_is_not_delivered() {
    let net = Net::default();
    let a = net.node();
    let mut inbox = everything(&a.comm);
    let mut events = a.comm.events();
    let client = raw::client(&net, |proof| proof.garbage = true);
    let peer = net.connect(&client.node, &a.id).await.unwrap();
    next(&mut inbox).await;
    let ended = timeout(SOON, peer.ended()).await.expect("within 30 s");
    let reason = ended.expect("an outcome").error.reason();
    assert_eq!(reason, Some(peermux::DisconnectReason::BREACH_OF_PROTOCOL));
    let mut errors = 0;
    for event in told(&mut events) {
        errors += usize::from(matches!(
            event,
            CommEvent::Closed {
                reason: ConnectionEnd::Malformed(_),
                ..
            }
        ));
    }
    let stats = a.comm.stats();
    assert_eq!((errors, stats.malformed, stats.received), (1, 1, 1));
    a.comm.stop().await;
    assert!(inbox.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn an_oversized_message_is_not_sent_and_ends_the_connection_at_its_receiver() {
    let net = Net::default();
    let limited = Config::default().with_max_message(1000);
    let a = net.node_with(limited, Secp256k1Identity::new(key()));
    let b = net.node();
    let mut events = a.comm.events();
    let sent = a
        .comm
        .send(&Envelope::new(1, vec![0; 1000]), &[b.peer()])
        .remove(0)
        .await;
    assert!(matches!(
        sent,
        Delivery::Dropped(CommError::TooLarge { limit: 1000, .. })
    ));
    b.comm
        .send(&Envelope::new(1, vec![0; 1000]), &[a.peer()])
        .remove(0)
        .await;
    let reason = closing(&mut events).await;
    assert_eq!(reason, ConnectionEnd::TransportEnded);
    a.until_connected(0).await;
}

async fn closing(events: &mut EventStream<CommEvent>) -> ConnectionEnd {
    loop {
        if let CommEvent::Closed { reason, .. } = event(events).await {
            return reason;
        }
    }
}

/// The flooder's messages arrive first. Those of the other senders still arrive, and all senders
/// are served in turn.
#[tokio::test(start_paused = true)]
async fn a_flooder_takes_no_room_in_a_subscription_from_others() {
    const EACH: u64 = 20;
    let net = Net::default();
    let (receiver, flooder) = (net.node(), net.node());
    let mut inbox = receiver.comm.accept(|_| true);
    let flood = async || {
        for n in 0..400 {
            let receipt = flooder
                .comm
                .send(&numbered(n), &[receiver.peer()])
                .remove(0);
            assert!(receipt.await.is_sent());
        }
        tokio::time::sleep(SOON).await;
    };
    flood().await;
    let honest: Vec<_> = (0..10).map(|_| net.node()).collect();
    for n in 0..EACH / 2 {
        for node in &honest {
            let receipt = node.comm.send(&numbered(n), &[receiver.peer()]).remove(0);
            assert!(receipt.await.is_sent());
        }
    }
    flood().await;
    for n in EACH / 2..EACH {
        for node in &honest {
            let receipt = node.comm.send(&numbered(n), &[receiver.peer()]).remove(0);
            assert!(receipt.await.is_sent());
        }
    }
    tokio::time::sleep(SOON).await;
    let (mut arrived, mut read) = (0, 0);
    while arrived < 10 * EACH {
        let message = next(&mut inbox).await;
        read += 1;
        arrived += u64::from(message.sender().id != flooder.comm.id());
    }
    assert!(read <= 11 * EACH, "{read} read");
    assert!(inbox.dropped() >= 600, "of the flood");
}

#[tokio::test(start_paused = true)]
async fn a_callback_is_called_only_for_failed_sends() {
    let net = Net::default();
    let few = Config::default().with_queue_messages(1);
    let a = net.node_with(few, Secp256k1Identity::new(key()));
    let b = net.node();
    let mut inbox = everything(&b.comm);
    let gone = RemotePeer::at(peermux::Enode::incomplete(key().public_key()));
    let (told, mut heard) = tokio::sync::mpsc::channel(8);
    let call = |message: &Envelope, peers: &[RemotePeer]| {
        let told = told.clone();
        let on_failure = move |peer: &RemotePeer, error: &CommError| {
            told.try_send((peer.clone(), error.kind())).unwrap();
        };
        a.comm.send_with_callback(message, peers, on_failure);
    };
    // One message is sent, one goes to an unreachable peer, and one finds the queue full.
    call(&text("x"), &[b.peer(), gone.clone(), gone.clone()]);
    assert_eq!(content(&next(&mut inbox).await), "x");
    let mut kinds = Vec::new();
    for _ in 0..2 {
        let (peer, kind) = heard.recv().await.expect("two failures");
        assert_eq!(peer, gone);
        kinds.push(kind);
    }
    kinds.sort();
    assert_eq!(kinds, [CommErrorKind::Dial, CommErrorKind::Full]);
    a.comm.send(&text("y"), &[b.peer()]).remove(0).await;
    assert!(heard.try_recv().is_err());

    // A callback that panics ends only itself.
    let panics = |_: &RemotePeer, _: &CommError| panic!("a panic in a test");
    a.comm
        .send_with_callback(&text("x"), std::slice::from_ref(&gone), panics);
    assert!(a.comm.stop().await);
    call(&text("z"), &[b.peer()]);
    let told = heard.recv().await;
    assert_eq!(told, Some((b.peer(), CommErrorKind::Stopped)));
}
