//! What the layer as a whole has to do, one test for each situation.
//!
//! Not applicable here: connections without encryption or without a proof of identity, which this
//! layer does not have; a double of the layer for tests, in whose place the in-memory network
//! stands (`a_receiver_answers_over_an_in_memory_network`).

use peermux::comm::{
    CloseReason, CommError, CommEvent, Config, Delivery, HandshakeError, Overflow, RemotePeer,
    Secp256k1Identity,
};
use peermux::{Direction, SecretKey, Server};
use tokio::time::Instant;

use super::raw::{self, Proof};
use super::*;

fn org(name: &'static str) -> Secp256k1Identity {
    Secp256k1Identity::in_organisation(key(), name.as_bytes())
}

/// A subscription that holds the connection up rather than losing a message.
fn patient(comm: &Comm) -> Subscription<ReceivedMessage> {
    let config = SubscriptionConfig::default().with_overflow(Overflow::Wait(SOON));
    comm.accept_with(config, |_| true)
}

/// Acknowledges what a node receives, without losing any of it; tells how much that was.
fn acknowledge_patiently(node: &Node, count: usize) -> tokio::task::JoinHandle<()> {
    let mut inbox = patient(&node.comm);
    tokio::spawn(async move {
        for _ in 0..count {
            let message = next(&mut inbox).await;
            message.ack(Ok(())).await.expect("acknowledged once");
        }
    })
}

/// Scenario 1, parallel-acks.
#[tokio::test(start_paused = true)]
async fn two_nodes_send_each_other_a_thousand_messages_at_once_and_all_are_acknowledged() {
    let net = Net::default();
    let (a, b) = (net.node(), net.node());
    let (at_a, at_b) = (
        acknowledge_patiently(&a, 1000),
        acknowledge_patiently(&b, 1000),
    );
    let send = async |from: &Node, to: &Node| {
        let peers = [to.peer()];
        let calls = (0..1000).map(|n| {
            let (comm, peers) = (from.comm.clone(), peers.clone());
            async move {
                comm.send_with_ack(&numbered(n), policy(1, 20_000), &peers)
                    .await
            }
        });
        let results = futures::future::join_all(calls).await;
        results
            .into_iter()
            .map(|one| one.unwrap().ack_count())
            .sum::<usize>()
    };
    assert_eq!(tokio::join!(send(&a, &b), send(&b, &a)), (1000, 1000));
    at_a.await.unwrap();
    at_b.await.unwrap();
}

/// Scenario 2, handshake-matrix, and 18: both ends prove themselves over the same channel binding.
#[tokio::test(start_paused = true)]
async fn only_a_whole_and_true_proof_is_accepted() {
    type Change = fn(&mut Proof);
    type Expected = fn(&HandshakeError) -> bool;
    let matrix: [(Change, Expected); 7] = [
        (
            |proof| proof.signature[0] ^= 1,
            |error| *error == HandshakeError::BadSignature,
        ),
        (
            |proof| proof.id[0] ^= 1,
            |error| matches!(error, HandshakeError::IdMismatch { .. }),
        ),
        (
            |proof| proof.rebind([9; 32]),
            |error| *error == HandshakeError::BindingMismatch,
        ),
        (
            |proof| proof.id.clear(),
            |error| *error == HandshakeError::MissingId,
        ),
        (
            |proof| proof.code = 1,
            |error| matches!(error, HandshakeError::Malformed(_)),
        ),
        (
            |proof| proof.code = 2,
            |error| matches!(error, HandshakeError::Malformed(_)),
        ),
        (
            |proof| proof.delay = Duration::from_secs(5),
            |error| matches!(error, HandshakeError::TimedOut { .. }),
        ),
    ];
    for (index, (change, expected)) in matrix.into_iter().enumerate() {
        let net = Net::default();
        let a = net.node();
        let mut inbox = everything(&a.comm);
        let mut events = a.comm.events();
        let client = raw::client(&net, change);
        net.connect(&client.node, &a.id).await.unwrap();
        let error = raw::refusal(&mut events).await;
        assert!(expected(&error), "case {index}: {error}");
        a.comm.stop().await;
        assert!(
            inbox.next().await.is_none(),
            "case {index}: nothing is delivered"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_accepted_proof_can_be_checked_again_by_the_upper_layers() {
    use peermux::comm::IdentityProvider;

    let net = Net::default();
    let a = net.node();
    let mut inbox = everything(&a.comm);
    let client = raw::client(&net, |_| {});
    let peer = net.connect(&client.node, &a.id).await.unwrap();
    let message = next(&mut inbox).await;
    let sender = message.sender();
    assert_eq!(sender.identity, client.identity.identity());
    assert_eq!(sender.direction, Direction::Inbound);
    let verified = client
        .identity
        .verify(&sender.identity, &sender.signed, &sender.signature);
    assert_eq!(verified, Ok(()));
    let binding = peer.channel_binding().as_bytes();
    assert!(
        sender.signed.windows(32).any(|part| part == binding),
        "of the same connection"
    );
    let theirs = client.heard.borrow().clone().expect("the answer");
    assert!(
        theirs
            .windows(32)
            .any(|part| part == a.comm.id().as_bytes())
    );
    assert!(theirs.windows(32).any(|part| part == binding));
}

/// Scenario 3, unexpected-peer.
#[tokio::test(start_paused = true)]
async fn another_identity_is_accepted_only_within_the_organisation() {
    let net = Net::default();
    let a = net.node_with(Config::default(), org("one"));
    let known = net.node_with(Config::default(), org("one"));
    let same = net.node_with(Config::default(), org("one"));
    let mut switched = a.comm.identity_switch();
    a.comm.send(&text("x"), &[known.peer()]).remove(0).await;
    a.comm.close_conn(&known.comm.id());

    let mut inbox = everything(&same.comm);
    let sent = a
        .comm
        .send(&text("x"), &[same.under(known.comm.id())])
        .remove(0)
        .await;
    assert!(sent.is_sent(), "{sent:?}");
    next(&mut inbox).await;
    assert_eq!(switched.next().await, Some(known.comm.id()));

    // Providers without organisations have nothing in common.
    let b = net.node();
    let (other, third) = (net.node(), net.node());
    b.comm.send(&text("x"), &[other.peer()]).remove(0).await;
    b.comm.close_conn(&other.comm.id());
    let mut inbox = everything(&third.comm);
    let sent = b
        .comm
        .send(&text("x"), &[third.under(other.comm.id())])
        .remove(0)
        .await;
    assert!(
        matches!(sent, Delivery::Failed(CommError::IdMismatch { .. })),
        "{sent:?}"
    );
    assert!(timeout(Duration::from_secs(5), inbox.next()).await.is_err());
}

/// Scenario 4, connection-info.
#[tokio::test(start_paused = true)]
async fn a_received_message_shows_its_sender_and_its_source() {
    let net = Net::default();
    let (a, b) = (net.node(), net.node());
    let mut inbox = everything(&b.comm);
    let message = a.comm.sign(numbered(77)).unwrap();
    a.comm.send(&message, &[b.peer()]);
    let received = next(&mut inbox).await;
    assert_eq!(
        (received.sender().id, received.sender().node),
        (a.comm.id(), a.id)
    );
    assert_eq!(received.envelope(), &message);
    let author = &received.sender().identity;
    assert_eq!(b.comm.verify(author, received.envelope()), Ok(a.comm.id()));
    let forged = Envelope {
        nonce: 78,
        ..message
    };
    assert!(b.comm.verify(author, &forged).is_err());
}

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

/// Scenario 7, stuck-ping.
#[tokio::test(start_paused = true)]
async fn a_probe_of_a_node_that_takes_15_seconds_returns_within_10() {
    let net = Net::default();
    let (a, b) = (net.node(), net.node());
    net.set_latency(Duration::from_secs(15));
    let started = Instant::now();
    let error = a.comm.probe(&b.peer()).await.expect_err("too slow");
    assert!(matches!(error, CommError::Deadline { .. }), "{error}");
    assert!(started.elapsed() < Duration::from_secs(10));
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

/// Scenario 10, reconnect.
#[tokio::test(start_paused = true)]
async fn a_node_that_comes_back_elsewhere_is_reached_again() {
    let net = Net::default();
    let identity = Secp256k1Identity::new(key());
    let (a, b) = (
        net.node_with(Config::default(), identity.clone()),
        net.node(),
    );
    a.comm.send(&text("x"), &[b.peer()]).remove(0).await;
    b.comm.send(&text("x"), &[a.peer()]).remove(0).await;
    a.comm.stop().await;
    a.unplug();
    b.until_connected(0).await;
    let a = net.node_with(Config::default(), identity);
    let mut inbox = everything(&a.comm);
    assert!(
        b.comm
            .send(&text("y"), &[a.peer()])
            .remove(0)
            .await
            .is_sent()
    );
    assert_eq!(content(&next(&mut inbox).await), "y");
}

/// Scenario 11, probe-and-handshake.
#[tokio::test(start_paused = true)]
async fn probes_and_handshakes_tell_who_is_there_and_who_is_not() {
    let net = Net::default();
    let (a, b) = (net.node(), net.node());
    assert!(a.comm.probe(&b.peer()).await.is_ok());
    assert!(a.comm.handshake(&b.peer()).await.is_ok());
    let nobody = RemotePeer::at(peermux::Enode::incomplete(key().public_key()));
    assert!(matches!(
        a.comm.probe(&nobody).await,
        Err(CommError::Dial(_))
    ));
    assert!(matches!(
        a.comm.handshake(&nobody).await,
        Err(CommError::Dial(_))
    ));
    b.comm.stop().await;
    b.unplug();
    assert!(a.comm.probe(&b.peer()).await.is_err());
    assert!(a.comm.handshake(&b.peer()).await.is_err());
    let successor = net.node();
    assert!(a.comm.probe(&successor.anybody()).await.is_ok());
    assert!(successor.comm.probe(&a.peer()).await.is_ok());
    let info = a
        .comm
        .handshake(&successor.anybody())
        .await
        .expect("answers");
    assert_eq!(info.id, successor.comm.id());
    assert!(successor.comm.handshake(&a.peer()).await.is_ok());
    let wrong = a.comm.handshake(&successor.under(b.comm.id())).await;
    assert!(
        matches!(wrong, Err(CommError::IdMismatch { .. })),
        "{wrong:?}"
    );
}

/// Scenario 12, presumed-dead.
#[tokio::test(start_paused = true)]
async fn a_peer_that_stops_is_presumed_dead() {
    let net = Net::default();
    let (a, b) = (net.node(), net.node());
    let mut dead = a.comm.presumed_dead();
    a.comm.send(&text("x"), &[b.peer()]).remove(0).await;
    b.comm.stop().await;
    b.unplug();
    for _ in 0..5 {
        drop(a.comm.send(&text("y"), &[b.peer()]));
    }
    let report = timeout(Duration::from_secs(3), dead.next()).await;
    assert_eq!(report, Ok(Some(b.comm.id())));
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

/// Scenarios 16 and 25, ack-interception and pubsub: an acknowledgement goes to whoever waits for
/// it and to nobody else, late ones are counted, and nothing is kept for those that never come.
#[tokio::test(start_paused = true)]
async fn acknowledgements_reach_only_those_who_wait_for_them() {
    let net = Net::default();
    let (a, b) = (net.node(), net.node());
    let (mut at_a, mut at_b) = (everything(&a.comm), everything(&b.comm));
    let mut events = a.comm.events();
    let late = a
        .comm
        .send_with_ack(&text("x"), policy(1, 50), &[b.peer()])
        .await
        .unwrap();
    assert_eq!(late.failures()["timed out"], 1);
    let message = next(&mut at_b).await;
    message.ack(Ok(())).await.expect("sent");
    let twice = message.ack(Ok(())).await;
    assert!(matches!(twice, Err(CommError::AlreadyAcknowledged)));
    b.comm.send(&text("after"), &[a.peer()]);
    assert_eq!(
        content(&next(&mut at_a).await),
        "after",
        "the connection lives on"
    );
    assert_eq!(a.comm.stats().unasked_acks, 1);
    let unasked = |event: &CommEvent| matches!(event, CommEvent::UnaskedAck { .. });
    assert!(std::iter::from_fn(|| events.try_recv().ok()).any(|event| unasked(&event)));

    let peers = [b.peer()];
    let hundred = (0..100).map(|n| {
        let (comm, peers) = (a.comm.clone(), peers.clone());
        async move {
            comm.send_with_ack(&numbered(n), policy(1, 1000), &peers)
                .await
        }
    });
    let answer = async {
        for _ in 0..100 {
            let message = next(&mut at_b).await;
            let odd = message.envelope().nonce % 2 == 1;
            message
                .ack(if odd { Err("odd") } else { Ok(()) })
                .await
                .unwrap();
        }
    };
    let (results, ()) = tokio::join!(futures::future::join_all(hundred), answer);
    for (n, result) in results.into_iter().enumerate() {
        assert_eq!(result.unwrap().ack_count(), (n + 1) % 2, "message {n}");
    }
}

/// Scenario 17, ack-aggregation.
#[tokio::test(start_paused = true)]
async fn answers_are_counted_by_what_they_say() {
    let net = Net::default();
    let (a, b, c) = (net.node(), net.node(), net.node());
    let (nay, silent) = (net.node(), net.node());
    acknowledge_all(&b);
    acknowledge_all(&c);
    let mut refused = everything(&nay.comm);
    tokio::spawn(async move {
        while let Some(message) = refused.next().await {
            message.ack(Err("no, thanks")).await.unwrap();
        }
    });
    let send = async |min, peers: &[RemotePeer]| {
        let started = Instant::now();
        let result = a
            .comm
            .send_with_ack(&text("x"), policy(min, 1000), peers)
            .await;
        (result.unwrap(), started.elapsed())
    };
    let brief = Duration::from_millis(100);
    let (both, took) = send(2, &[b.peer(), c.peer()]).await;
    assert_eq!((both.ack_count(), both.nack_count()), (2, 0));
    assert!(took < brief);
    let (two, took) = send(2, &[b.peer(), silent.peer(), c.peer()]).await;
    assert_eq!(two.ack_count(), 2);
    assert!(took < brief);

    let (mixed, took) = send(2, &[b.peer(), nay.peer(), silent.peer()]).await;
    assert_eq!(took.as_millis(), 1000);
    assert_eq!(
        (mixed.results.len(), mixed.ack_count(), mixed.nack_count()),
        (3, 1, 2)
    );
    let json: serde_json::Value = serde_json::from_str(&mixed.to_json()).unwrap();
    let expected = serde_json::json!({
        "successes": 1, "failures": {"no, thanks": 1, "timed out": 1}
    });
    assert_eq!(json, expected);
    let (none, _) = send(0, &[]).await;
    assert_eq!((none.results.len(), none.to_json()), (0, "{}".to_owned()));
    a.comm.stop().await;
    let (stopped, _) = send(1, &[b.peer(), c.peer()]).await;
    assert_eq!(stopped.failures()["comm is stopping"], 2);
}

/// Scenario 23, metrics.
#[tokio::test(start_paused = true)]
async fn what_is_sent_received_and_dropped_is_counted() {
    let net = Net::default();
    let few = Config::default().with_queue_messages(10);
    let (a, b) = (
        net.node_with(few, Secp256k1Identity::new(key())),
        net.node(),
    );
    let mut inbox = patient(&b.comm);
    for n in 1..4 {
        a.comm.send(&numbered(n), &[b.peer()]).remove(0).await;
        next(&mut inbox).await;
        assert_eq!((a.comm.stats().sent, b.comm.stats().received), (n, n));
    }
    assert_eq!(a.comm.stats().overflowed, 0);
    let large = Envelope::new(1, vec![1; 1 << 20]);
    for _ in 0..100 {
        drop(a.comm.send(&large, &[b.peer()]));
        tokio::task::yield_now().await;
    }
    assert!(
        a.comm.stats().overflowed > 0,
        "a slow reader causes an overflow"
    );
}

/// The whole way over sockets.
#[tokio::test]
async fn three_nodes_on_sockets_acknowledge() {
    let mut nodes = Vec::new();
    for _ in 0..3 {
        let key = SecretKey::random(&mut rand::rng());
        let node = key.public_key().node_id();
        let identity = Secp256k1Identity::new(super::key());
        let patient = Config::default()
            .with_dial_timeout(SOON)
            .with_handshake_timeout(SOON)
            .with_probe_timeout(SOON);
        let (protocol, comm) = Comm::new(patient, node, identity).unwrap();
        let server = Server::builder(key)
            .listen("127.0.0.1:0".parse().unwrap())
            .protocol(protocol)
            .start()
            .await
            .unwrap();
        comm.attach(server.clone());
        let mut inbox = everything(&comm);
        tokio::spawn(async move {
            while let Some(message) = inbox.next().await {
                message.ack(Ok(())).await.expect("acknowledged once");
            }
        });
        nodes.push((server, comm));
    }
    let peers: Vec<_> = nodes
        .iter()
        .map(|(server, comm)| RemotePeer::new(server.enode(), comm.id()))
        .collect();
    let comm = &nodes[0].1;
    let result = comm
        .send_with_ack(&text("x"), policy(2, 20_000), &peers[1..])
        .await
        .unwrap();
    assert_eq!(result.ack_count(), 2, "{}", result.to_json());
    comm.probe(&peers[1]).await.expect("answers");
    nodes[1].1.stop().await;
    nodes[1].0.shutdown(SOON).await.expect("all end");
    let mut dead = comm.presumed_dead();
    drop(comm.send(&text("x"), &peers[1..2]));
    // The end may have been noticed, and reported, before anybody listened.
    let _ = futures::poll!(dead.next());
    assert!(comm.handshake(&peers[1]).await.is_err());
    let back = nodes[2]
        .1
        .send_with_ack(&text("y"), policy(1, 20_000), &peers[..1])
        .await;
    assert_eq!(back.unwrap().ack_count(), 1);
    for (server, comm) in [&nodes[0], &nodes[2]] {
        comm.stop().await;
        server.shutdown(SOON).await.expect("all end");
    }
}
