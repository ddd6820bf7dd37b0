//! Faults that layers of this kind are known for, one test each: it asserts the very thing that
//! goes wrong there.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use peermux::comm::{
    CloseReason, CommError, CommEvent, Config, Connected, Connector, Delivery, HandshakeError,
    Overflow, PeerId, RemotePeer, Secp256k1Identity,
};
use peermux::{DialError, Enode, Message, Peer, Protocol, SecretKey};
use tokio::sync::broadcast::Receiver;
use tokio::time::Instant;

use super::*;

/// A node that speaks `comm/1` and does what `run` says instead.
fn impostor<F, Fut>(net: &Net, run: F) -> RemotePeer
where
    F: Fn(Peer, peermux::ProtocolConn) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), peermux::ProtocolError>> + Send + 'static,
{
    let protocol = Protocol::builder("comm", 1, 4).run(run);
    net.join(key(), vec![protocol])
}

/// A node that speaks `comm/1` and never says a word.
fn mute(net: &Net) -> RemotePeer {
    impostor(net, |peer, conn| async move {
        peer.ending().await;
        drop(conn);
        Ok(())
    })
}

async fn refusal(events: &mut Receiver<CommEvent>) -> HandshakeError {
    loop {
        let event = timeout(SOON, events.recv()).await.expect("in time");
        if let CommEvent::Refused { error, .. } = event.expect("the feed goes on") {
            return error;
        }
    }
}

/// The end of an old connection used to close whatever was stored under the peer's id, and so the
/// connection that had taken its place: a second connection of one peer left none.
#[tokio::test(start_paused = true)]
async fn w01_the_end_of_an_old_connection_spares_the_one_that_replaced_it() {
    let net = Net::default();
    let (a, b) = (net.node(), net.node());
    let mut inbox = everything(&a.comm);
    net.connect(&b.id, &a.id).await.unwrap();
    a.until_connected(1).await;
    tokio::time::sleep(SOON).await;
    net.connect(&b.id, &a.id).await.unwrap();
    tokio::time::sleep(SOON).await;
    assert_eq!((a.comm.conn_count(), b.comm.conn_count()), (1, 1));
    assert_eq!(net.peers(&a.id).len(), 1, "the old one has ended");
    assert!(
        b.comm
            .send(&text("x"), &[a.peer()])
            .remove(0)
            .await
            .is_sent()
    );
    next(&mut inbox).await;
    assert_eq!(net.dial_count(), 2);
}

/// A connection whose reading had ended used to stay in the store, unreported, until the next
/// write failed, and what was queued was lost.
#[tokio::test(start_paused = true)]
async fn w02_a_dead_connection_leaves_at_once_and_is_reported_once() {
    let net = Net::default();
    let (a, b) = (net.node(), net.node());
    let mut dead = a.comm.presumed_dead();
    a.comm.send(&text("x"), &[b.peer()]).remove(0).await;
    let started = Instant::now();
    b.unplug();
    assert_eq!(dead.next().await, Some(b.comm.id()));
    assert_eq!(a.comm.conn_count(), 0);
    assert!(started.elapsed() < Duration::from_millis(100));
    let failed = a.comm.send(&text("y"), &[b.peer()]).remove(0).await;
    assert!(matches!(failed, Delivery::Failed(CommError::Dial(_))));
    let again = timeout(SOON, dead.next()).await;
    assert!(again.is_err(), "reported once");
}

/// When both sides dialled at the same time, each used to close the connection that the other
/// kept: most of the time none was left.
#[tokio::test(start_paused = true)]
async fn w03_of_two_simultaneous_connections_both_sides_keep_the_same() {
    for round in 0..20 {
        let net = Net::default();
        let (small, large) = net.ordered_pair();
        net.set_latency(Duration::from_millis(100));
        let (mut at_small, mut at_large) = (everything(&small.comm), everything(&large.comm));
        let mut receipts = Vec::new();
        for n in 0..20 {
            receipts.extend(small.comm.send(&numbered(n), &[large.peer()]));
            if n == round {
                tokio::time::sleep(Duration::from_millis(round)).await;
            }
            receipts.extend(large.comm.send(&numbered(n), &[small.peer()]));
        }
        for receipt in receipts {
            assert!(receipt.await.is_sent(), "round {round}");
        }
        for _ in 0..20 {
            next(&mut at_small).await;
            next(&mut at_large).await;
        }
        tokio::time::sleep(SOON).await;
        assert_eq!(net.dial_count(), 2, "round {round}");
        assert_eq!((small.comm.conn_count(), large.comm.conn_count()), (1, 1));
        let kept = small.comm.connections().remove(0);
        assert_eq!(
            kept.direction,
            peermux::Direction::Inbound,
            "the larger id dialled"
        );
        assert_eq!(net.peers(&small.id).len(), 1);
        assert_eq!(net.peers(&large.id).len(), 1);
    }
}

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

/// The lock of a destination used to be forgotten at the first result, so that those who waited on
/// it and newcomers could dial side by side.
#[tokio::test(start_paused = true)]
async fn w06_a_dial_is_shared_by_those_who_come_late_and_for_other_reasons() {
    let net = Net::default();
    let (a, b) = (net.node(), net.node());
    acknowledge_all(&b);
    net.set_latency(Duration::from_millis(300));
    let peers = [b.peer()];
    let late = async {
        tokio::time::sleep(Duration::from_millis(299)).await;
        a.comm
            .send_with_ack(&text("x"), policy(1, 1000), &peers)
            .await
    };
    let to = b.peer();
    let (sent, handshake, probe, late) = tokio::join!(
        a.comm.send(&text("x"), &peers).remove(0),
        a.comm.handshake(&to),
        a.comm.probe(&to),
        late
    );
    assert!(sent.is_sent() && handshake.is_ok() && probe.is_ok());
    assert_eq!(late.unwrap().ack_count(), 1);
    assert_eq!(net.dial_count(), 1);
}

/// A connection that came about while the store was closing used to stay open, and an inbound one
/// was even registered.
#[tokio::test(start_paused = true)]
async fn w07_what_is_connected_during_the_stop_is_closed() {
    let net = Net::default();
    let (a, b) = (net.node(), net.node());
    net.set_latency(Duration::from_millis(100));
    let receipt = a.comm.send(&text("x"), &[b.peer()]).remove(0);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(a.comm.stop().await);
    assert!(matches!(
        receipt.await,
        Delivery::Failed(CommError::Stopped)
    ));
    net.connect(&b.id, &a.id).await.unwrap();
    tokio::time::sleep(SOON).await;
    assert_eq!((a.comm.conn_count(), b.comm.conn_count()), (0, 0));
    assert!(net.peers(&a.id).is_empty());
    assert!(net.peers(&b.id).is_empty());
}

/// After the stop, streams used to stay open for ever.
#[tokio::test(start_paused = true)]
async fn w08_all_streams_end_at_the_stop_and_later_ones_at_once() {
    let a = Net::default().node();
    let (mut inbox, mut dead) = (a.comm.accept(|_| true), a.comm.presumed_dead());
    let (mut switched, mut events) = (a.comm.identity_switch(), a.comm.events());
    a.comm.stop().await;
    for _ in 0..2 {
        let end = timeout(SOON, inbox.next()).await.expect("it ends");
        assert!(end.is_none());
        assert_eq!(timeout(SOON, dead.next()).await, Ok(None));
        assert_eq!(timeout(SOON, switched.next()).await, Ok(None));
        assert!(events.recv().await.is_err());
        (inbox, dead) = (a.comm.accept(|_| true), a.comm.presumed_dead());
        (switched, events) = (a.comm.identity_switch(), a.comm.events());
    }
}

/// A subscription that nobody read used to stop all reception, acknowledgements included.
#[tokio::test(start_paused = true)]
async fn w09_a_subscription_that_is_not_read_harms_only_itself() {
    let net = Net::default();
    let (a, b) = (net.node(), net.node());
    let few = SubscriptionConfig::default().with_messages(10);
    let idle = b.comm.accept_with(few, |_| true);
    let brief = Duration::from_millis(100);
    let waiting = b
        .comm
        .accept_with(few.with_overflow(Overflow::Wait(brief)), |_| true);
    let mut closing = b
        .comm
        .accept_with(few.with_overflow(Overflow::Close), |_| true);
    // Who does not read does not see the acknowledgements of its own messages delayed either.
    let not_read = a.comm.accept(|_| true);
    acknowledge_all(&b);
    for n in 0..100 {
        let sent = a
            .comm
            .send_with_ack(&numbered(n), policy(1, 200), &[b.peer()])
            .await;
        assert_eq!(sent.unwrap().ack_count(), 1, "message {n}");
    }
    assert_eq!(
        (idle.dropped(), waiting.dropped(), closing.dropped()),
        (90, 90, 1)
    );
    for _ in 0..10 {
        next(&mut closing).await;
    }
    assert!(closing.next().await.is_none());
    drop(not_read);
}

/// With the channel of dead peers full, the tasks that reported used to hang before they closed
/// their connections.
#[tokio::test(start_paused = true)]
async fn w10_reports_that_nobody_reads_hold_nothing_up() {
    let net = Net::default();
    let a = net.node();
    let mut unread = a.comm.presumed_dead();
    for _ in 0..300 {
        let gone = RemotePeer::at(Enode::incomplete(key().public_key()));
        let id = PeerId::from_bytes(*gone.node().as_bytes());
        a.comm.send(&text("x"), &[gone.with_id(id)]).remove(0).await;
    }
    assert_eq!(a.comm.stats().dials, 0);
    assert!(a.comm.stop().await, "no task is left");
    let mut reports = 0;
    while unread.next().await.is_some() {
        reports += 1;
    }
    assert_eq!(reports, 300);
}

fn org(name: &'static str) -> Secp256k1Identity {
    Secp256k1Identity::in_organisation(key(), name.as_bytes())
}

/// With the channel of identity switches full, the dial used to hang for ever.
#[tokio::test(start_paused = true)]
async fn w11_switches_that_nobody_reads_hold_nothing_up() {
    let net = Net::default();
    let a = net.node_with(Config::default(), org("one"));
    let mut switches = a.comm.identity_switch();
    let _unread = a.comm.identity_switch();
    for _ in 0..50 {
        let own = key();
        let old = net.node_at(own.clone(), Config::default(), org("one"));
        a.comm.handshake(&old.peer()).await.expect("answers");
        a.comm.send(&text("x"), &[old.peer()]).remove(0).await;
        a.comm.close_conn(&old.comm.id());
        old.comm.stop().await;
        let new = net.node_at(own, Config::default(), org("one"));
        tokio::time::sleep(SOON).await;
        let sent = a.comm.send(&text("x"), &[old.peer()]).remove(0).await;
        assert!(sent.is_sent(), "{sent:?}");
        assert_eq!(switches.next().await, Some(old.comm.id()));
        assert_eq!(a.comm.connections()[0].id, new.comm.id());
        a.comm.close_conn(&new.comm.id());
    }
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

/// While an identity was waited for, the end of the stream used to go unnoticed until the time was
/// over.
#[tokio::test(start_paused = true)]
async fn w15_a_handshake_fails_as_soon_as_it_cannot_succeed() {
    let net = Net::default();
    let a = net.node();
    let leaving = impostor(&net, |_, _| async { Ok(()) });
    let started = Instant::now();
    let error = a.comm.handshake(&leaving).await.expect_err("it leaves");
    assert!(started.elapsed() < Duration::from_millis(100), "{error}");
    let silent = mute(&net);
    let started = Instant::now();
    let error = a.comm.handshake(&silent).await.expect_err("silent");
    assert_eq!(started.elapsed().as_millis() / 100, 20, "{error}");
    let timed_out = matches!(
        &error,
        CommError::Handshake {
            source: HandshakeError::TimedOut { .. },
            ..
        }
    );
    assert!(timed_out, "{error}");
}

/// Identities used to be stored before they were proven.
#[tokio::test(start_paused = true)]
async fn w16_only_proven_identities_are_remembered() {
    let net = Net::default();
    let (a, b) = (net.node(), net.node());
    let known = |node: &Node| node.comm.identities().len();
    let mut events = a.comm.events();
    let thief = impostor(&net, |_, mut conn| async move {
        // Its own proof comes back to the node that made it.
        let mut proof = conn.recv().await?.expect("a proof").into_inner();
        let changed = [&proof.payload[..4], &[0; 8], &proof.payload[12..]].concat();
        proof.payload = changed.into();
        conn.send(&proof).await?;
        pending().await
    });
    a.comm.send(&text("x"), &[thief]).remove(0).await;
    refusal(&mut events).await;
    assert_eq!(known(&a), 1, "its own");
    a.comm.send(&text("x"), &[b.peer()]).remove(0).await;
    assert_eq!(known(&a), 2);
}

/// A proof of identity used to say nothing about the connection, so that it could be used again
/// on another one.
#[tokio::test(start_paused = true)]
async fn w17_a_relayed_or_reflected_proof_is_refused() {
    let net = Net::default();
    let (a, b) = (net.node(), net.node());
    let mut events = a.comm.events();
    let mirror = impostor(&net, |_, mut conn| async move {
        let proof = conn.recv().await?.expect("a proof").into_inner();
        conn.send(&proof).await?;
        pending().await
    });
    a.comm.send(&text("x"), &[mirror]).remove(0).await;
    assert_eq!(refusal(&mut events).await, HandshakeError::BadSignature);

    // A man in the middle has b prove itself to him, and passes that on to a.
    let (stolen, proofs) = tokio::sync::watch::channel(None);
    let spy_key = key();
    let spy = Protocol::builder("comm", 1, 4).run(move |_, mut conn| {
        let stolen = stolen.clone();
        async move {
            let proof = conn.recv().await?.expect("a proof").into_inner();
            stolen.send_replace(Some(proof));
            pending().await
        }
    });
    let spy_node = spy_key.public_key().node_id();
    net.join(spy_key, vec![spy]);
    net.connect(&spy_node, &b.id).await.unwrap();
    let relay = impostor(&net, move |_, conn| {
        let mut proofs = proofs.clone();
        async move {
            let proof: Message = proofs
                .wait_for(Option::is_some)
                .await
                .expect("one comes")
                .clone()
                .expect("there");
            conn.send(&proof).await?;
            pending().await
        }
    });
    a.comm
        .send(&text("x"), &[relay.with_id(b.comm.id())])
        .remove(0)
        .await;
    assert_eq!(refusal(&mut events).await, HandshakeError::BindingMismatch);
    assert_eq!(a.comm.conn_count(), 0);
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
    // The queue of messages is full now, that of answers is not.
    let last = a.comm.send(&text("last"), &[b.peer()]).remove(0);
    let full = a.comm.send(&text("too many"), &[b.peer()]).remove(0);
    let first = ping.try_respond(&text("pong")).expect("room");
    assert!(matches!(full.await, Delivery::Dropped(CommError::Full)));
    assert!(first.await.is_sent() && last.await.is_sent());
    let order = [
        next(&mut at_b).await,
        next(&mut at_b).await,
        next(&mut at_b).await,
    ];
    assert_eq!(order.each_ref().map(content), ["queued", "pong", "last"]);
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

/// An identity could replace its connection as often as it liked, and a node could dial itself.
#[tokio::test(start_paused = true)]
async fn w20_an_identity_replaces_its_connection_once_a_second_and_nobody_dials_himself() {
    let net = Net::default();
    let (a, b) = (net.node(), net.node());
    let mut events = a.comm.events();
    net.connect(&b.id, &a.id).await.unwrap();
    a.until_connected(1).await;
    let second = net.connect(&b.id, &a.id).await.unwrap();
    assert_eq!(refusal(&mut events).await, HandshakeError::ReplacedTooSoon);
    second.ended().await;
    assert_eq!(a.comm.conn_count(), 1);
    for own in [a.peer(), a.anybody(), b.under(a.comm.id())] {
        let sent = a.comm.send(&text("x"), &[own]).remove(0).await;
        assert!(matches!(sent, Delivery::Dropped(CommError::SelfDial)));
    }
    // The own identity at another node is nobody to talk to either.
    let shared = Secp256k1Identity::new(key());
    let one = net.node_with(Config::default(), shared.clone());
    let other = net.node_with(Config::default(), shared);
    let mut events = one.comm.events();
    drop(one.comm.send(&text("x"), &[other.anybody()]));
    assert_eq!(refusal(&mut events).await, HandshakeError::OwnIdentity);
}

/// A message that could not be parsed used to close the connection without a word, and the limit
/// on a message's size was 100 MiB.
#[tokio::test(start_paused = true)]
async fn w21_a_malformed_or_oversized_message_ends_the_connection_with_a_reason() {
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
    assert_eq!(reason, CloseReason::TransportEnded);
    a.until_connected(0).await;
}

async fn closing(events: &mut Receiver<CommEvent>) -> CloseReason {
    loop {
        let event = timeout(SOON, events.recv()).await.expect("in time");
        if let CommEvent::Closed { reason, .. } = event.expect("the feed goes on") {
            return reason;
        }
    }
}

/// Counters used not to tell one cause from another, and malformed messages counted as received.
#[tokio::test(start_paused = true)]
async fn w22_counters_tell_causes_apart() {
    let net = Net::default();
    let (a, b) = (net.node(), net.node());
    let mut inbox = everything(&b.comm);
    a.comm.send(&text("x"), &[b.peer()]).remove(0).await;
    next(&mut inbox).await;
    let gone = RemotePeer::at(Enode::incomplete(key().public_key()));
    a.comm.send(&text("x"), &[gone]).remove(0).await;
    a.comm.send(&text("x"), &[mute(&net)]).remove(0).await;
    a.comm.close_conn(&b.comm.id());
    let (ours, theirs) = (a.comm.stats(), b.comm.stats());
    assert_eq!((ours.sent, ours.failed_dial, ours.refused), (1, 2, 1));
    assert_eq!((theirs.received, theirs.malformed), (1, 0));
    assert_eq!((ours.connections, ours.waiting, ours.dials), (0, 0, 0));
}

/// Each probe used to open a transport of its own, and a handshake worked while the layer stopped.
#[tokio::test(start_paused = true)]
async fn w23_a_probe_uses_the_connection_that_there_is() {
    let net = Net::default();
    let (a, b) = (net.node(), net.node());
    a.comm.send(&text("x"), &[b.peer()]).remove(0).await;
    a.comm.probe(&b.peer()).await.expect("answers");
    a.comm.handshake(&b.peer()).await.expect("answers");
    assert_eq!((net.dial_count(), a.comm.conn_count()), (1, 1));
    a.comm.stop().await;
    let stopped = a.comm.handshake(&b.peer()).await;
    assert!(matches!(stopped, Err(CommError::Stopped)));
}

/// Whoever is asked for connections and never answers.
struct Never(Arc<AtomicUsize>);

impl Connector for Never {
    async fn connect(&self, _: &Enode) -> Result<Connected, DialError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn no_task_is_left_after_a_storm() {
    let node = SecretKey::random(&mut rand::rng()).public_key().node_id();
    let identity = Secp256k1Identity::new(key());
    let (_protocol, comm) = Comm::new(Config::default(), node, identity).unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    comm.attach(Never(Arc::clone(&asked)));
    let peers: Vec<_> = (0..100)
        .map(|_| RemotePeer::at(Enode::incomplete(key().public_key())))
        .collect();
    for _ in 0..10 {
        drop(comm.send(&text("x"), &peers));
        let result = comm.send_with_ack(&text("x"), policy(1, 50), &peers).await;
        assert_eq!(result.unwrap().failures()["timed out"], 100);
    }
    assert_eq!(asked.load(Ordering::Relaxed), 100);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!((comm.stats().dials, comm.stats().waiting), (0, 0));
    assert!(comm.stop().await);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_room_is_served_in_order_and_within_the_limit() {
    let net = Net::default();
    let one = Config::default().with_queue_messages(1);
    let (a, b) = (
        net.node_with(one, Secp256k1Identity::new(key())),
        net.node(),
    );
    let mut inbox = everything(&b.comm);
    for n in 0..100 {
        let receipt = a.comm.send_waiting(&numbered(n), &b.peer(), SOON).await;
        drop(receipt.expect("room comes"));
    }
    for n in 0..100 {
        assert_eq!(next(&mut inbox).await.envelope().nonce, n);
    }
    net.set_latency(Duration::from_secs(3));
    let slow = net.node().peer();
    drop(a.comm.send(&text("x"), std::slice::from_ref(&slow)));
    let brief = Duration::from_millis(50);
    let full = a.comm.send_waiting(&text("y"), &slow, brief).await;
    assert!(matches!(full, Err(CommError::Deadline { .. })));
}

/// Everything at once, on several threads: whatever happens in whatever order, each message ends,
/// each call returns, and nothing is left at the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_storm_of_calls_on_many_threads_leaves_nothing_behind() {
    use rand::RngExt;

    let net = Net::default();
    let config = Config::default().with_stop_timeout(SOON);
    let node = |_| net.node_with(config.clone(), Secp256k1Identity::new(key()));
    let nodes: Vec<_> = (0..6).map(node).map(Arc::new).collect();
    for node in &nodes {
        acknowledge_all(node);
    }
    let storm = nodes.iter().map(|node| {
        let (node, others) = (Arc::clone(node), nodes.clone());
        tokio::spawn(async move {
            let mut receipts = Vec::new();
            for n in 0..300 {
                let (what, whom) = {
                    let mut rng = rand::rng();
                    (rng.random_range(0..20), rng.random_range(0..others.len()))
                };
                let peer = others[whom].peer();
                match what {
                    0 => drop(node.comm.probe(&peer).await),
                    1 => drop(node.comm.handshake(&peer).await),
                    2 => drop(node.comm.close_conn(&others[whom].comm.id())),
                    3 => {
                        let all: Vec<_> = others.iter().map(|one| one.peer()).collect();
                        let policy = policy(all.len() - 1, 200);
                        drop(node.comm.send_with_ack(&numbered(n), policy, &all).await);
                    }
                    4 => drop(node.comm.send_waiting(&numbered(n), &peer, SOON).await),
                    _ => receipts.extend(node.comm.send(&numbered(n), &[peer])),
                }
            }
            receipts
        })
    });
    let mut receipts = Vec::new();
    for calls in storm.collect::<Vec<_>>() {
        let ended = timeout(4 * SOON, calls).await.expect("the calls return");
        receipts.extend(ended.expect("no panic"));
    }
    for node in &nodes {
        assert!(node.comm.stop().await, "no task is left");
        let stats = node.comm.stats();
        assert_eq!((stats.connections, stats.dials, stats.waiting), (0, 0, 0));
    }
    for receipt in receipts {
        timeout(SOON, receipt).await.expect("each message ends");
    }
}
