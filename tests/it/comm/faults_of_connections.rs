//! Faults that layers of this kind are known for, one test each: it asserts the very thing that
//! goes wrong there. Here: connections that are made, replaced and ended.

use super::*;

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
