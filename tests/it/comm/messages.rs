//! Messages on their way, in both directions.

use super::*;

/// Scenario 5, close-conn.
#[tokio::test(start_paused = true)]
async fn a_connection_that_is_closed_takes_no_more_messages() {
    let net = Net::default();
    let a = net.node();
    let mut inbox = everything(&a.comm);
    let client = raw::client(&net, |proof| proof.flood = true);
    net.connect(&client.node, &a.id).await.unwrap();
    let id = next(&mut inbox).await.sender().id;
    assert!(a.comm.close_conn(&id));
    assert!(!a.comm.close_conn(&id), "there is none any more");
    assert_eq!(a.comm.conn_count(), 0);
    let sent = timeout(SOON, client.sent)
        .await
        .expect("its sends fail")
        .unwrap();
    assert!(sent < 40, "{sent} messages of 1 MiB went through");
}

/// Scenario 6, best-effort-flood.
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

/// Scenario 8, respond, and 24: nodes in memory that answer each other.
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

/// Scenario 9, predicates.
#[tokio::test(start_paused = true)]
async fn messages_go_where_the_predicate_says_until_the_stop() {
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

/// Scenarios 13 and 14, malformed-read and malformed-live.
#[tokio::test(start_paused = true)]
async fn a_malformed_message_ends_the_connection_and_reaches_nobody() {
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
    while let Ok(event) = events.try_recv() {
        errors += usize::from(matches!(
            event,
            CommEvent::Closed {
                reason: CloseReason::Malformed(_),
                ..
            }
        ));
    }
    let stats = a.comm.stats();
    assert_eq!((errors, stats.malformed, stats.received), (1, 1, 1));
    a.comm.stop().await;
    assert!(inbox.next().await.is_none());
}

/// Scenario 15, send-while-closing.
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
