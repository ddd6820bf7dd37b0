//! Connections that are shared, replaced, broken and closed.

use super::*;

/// Both connections have the same id, so the id cannot select which one to remove.
#[tokio::test(start_paused = true)]
async fn the_end_of_a_replaced_connection_leaves_its_replacement_open() {
    let net = Net::default();
    let (a, b) = (net.node(), net.node());
    let mut inbox = everything(&a.comm);
    net.connect(&b.id, &a.id).await.unwrap();
    a.until_connected(1).await;
    tokio::time::sleep(SOON).await;
    net.connect(&b.id, &a.id).await.unwrap();
    tokio::time::sleep(SOON).await;
    assert_eq!(
        (a.comm.connection_count(), b.comm.connection_count()),
        (1, 1)
    );
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

/// To notice a broken connection, a closed reading side suffices: no write has to fail.
#[tokio::test(start_paused = true)]
async fn a_broken_connection_is_removed_at_once_and_reported_once() {
    let net = Net::default();
    let (a, b) = (net.node(), net.node());
    let mut dead = a.comm.presumed_dead();
    a.comm.send(&text("x"), &[b.peer()]).remove(0).await;
    let started = Instant::now();
    b.unplug();
    assert_eq!(dead.next().await, Some(Ok(b.comm.id())));
    assert_eq!(a.comm.connection_count(), 0);
    assert!(started.elapsed() < Duration::from_millis(100));
    let failed = a.comm.send(&text("y"), &[b.peer()]).remove(0).await;
    assert!(matches!(failed, Delivery::Failed(CommError::Dial(_))));
    let again = timeout(SOON, dead.next()).await;
    assert!(again.is_err(), "reported once");
}

/// If each side closed the connection that the other side keeps, none would be left.
#[tokio::test(start_paused = true)]
async fn both_sides_keep_the_same_of_two_simultaneous_connections() {
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
        assert_eq!(
            (small.comm.connection_count(), large.comm.connection_count()),
            (1, 1)
        );
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

/// The last of several calls starts 1 ms before the end of the dial.
#[tokio::test(start_paused = true)]
async fn one_dial_serves_every_call_that_waits_for_the_node() {
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

#[tokio::test(start_paused = true)]
async fn an_endpoint_without_an_id_has_one_connection_and_its_acks_count() {
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
    assert_eq!((net.dial_count(), a.comm.connection_count()), (2, 2));
    acknowledge_all(&b);
    let result = a
        .comm
        .send_with_ack(&text("x"), policy(1, 50), &[b.anybody()])
        .await;
    assert_eq!(result.unwrap().ack_count(), 1);
}

#[tokio::test(start_paused = true)]
async fn probes_and_handshakes_use_the_open_connection_and_fail_after_the_stop() {
    let net = Net::default();
    let (a, b) = (net.node(), net.node());
    a.comm.send(&text("x"), &[b.peer()]).remove(0).await;
    a.comm.probe(&b.peer()).await.expect("answers");
    a.comm.handshake(&b.peer()).await.expect("answers");
    assert_eq!((net.dial_count(), a.comm.connection_count()), (1, 1));
    a.comm.stop().await;
    let stopped = a.comm.handshake(&b.peer()).await;
    assert!(matches!(stopped, Err(CommError::Stopped)));
}

#[tokio::test(start_paused = true)]
async fn a_connection_made_during_the_stop_is_closed() {
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
    assert_eq!(
        (a.comm.connection_count(), b.comm.connection_count()),
        (0, 0)
    );
    assert!(net.peers(&a.id).is_empty());
    assert!(net.peers(&b.id).is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_identity_replaces_its_connection_at_most_once_a_second() {
    let net = Net::default();
    let (a, b) = (net.node(), net.node());
    let mut events = a.comm.events();
    net.connect(&b.id, &a.id).await.unwrap();
    a.until_connected(1).await;
    let second = net.connect(&b.id, &a.id).await.unwrap();
    assert_eq!(refusal(&mut events).await, EstablishError::ReplacedTooSoon);
    second.ended().await;
    assert_eq!(a.comm.connection_count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_node_connects_neither_to_itself_nor_to_its_own_identity_elsewhere() {
    let net = Net::default();
    let (a, b) = (net.node(), net.node());
    for own in [a.peer(), a.anybody(), b.under(a.comm.id())] {
        let sent = a.comm.send(&text("x"), &[own]).remove(0).await;
        assert!(matches!(sent, Delivery::Dropped(CommError::SelfDial)));
    }
    let shared = Secp256k1Identity::new(key());
    let one = net.node_with(Config::default(), shared.clone());
    let other = net.node_with(Config::default(), shared);
    let mut events = one.comm.events();
    drop(one.comm.send(&text("x"), &[other.anybody()]));
    assert_eq!(refusal(&mut events).await, EstablishError::OwnIdentity);
}
