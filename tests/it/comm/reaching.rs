//! Nodes that are reachable, leave, or come back.

use std::sync::atomic::{AtomicBool, Ordering};

use peermux::comm::{ConnectedPeer, Connector, PeerId};
use peermux::{DialError, Enode};

use super::net::Link;
use super::*;

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

#[tokio::test(start_paused = true)]
async fn probes_and_handshakes_distinguish_reachable_and_unreachable_nodes() {
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

/// A connector that returns its first connection only after that connection has ended.
struct Late {
    link: Link,
    first: AtomicBool,
}

impl Connector for Late {
    async fn connect(&self, node: &Enode) -> Result<ConnectedPeer, DialError> {
        let connected = self.link.connect(node).await?;
        if self.first.swap(false, Ordering::Relaxed) {
            connected.peer().ended().await;
        }
        Ok(connected)
    }
}

#[tokio::test(start_paused = true)]
async fn a_successful_handshake_loses_no_message_with_its_connection() {
    // Repeat this, because code that chose at random would pass half of the time.
    for _ in 0..20 {
        let net = Net::default();
        let b = net.node();
        let identity = Secp256k1Identity::new(key());
        let a = net.node_through(key(), Config::default(), identity, |link| Late {
            link,
            first: AtomicBool::new(true),
        });
        let somebody = b.anybody();
        let handshake = a.comm.handshake(&somebody);
        let message = async { a.comm.send(&text("x"), &[b.peer()]).remove(0).await };
        let (found, delivery) = tokio::join!(handshake, message);
        assert_eq!(found.expect("answers").id, b.comm.id());
        assert!(delivery.is_sent(), "{delivery:?}");
    }
}

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
    assert_eq!(report, Ok(Some(Ok(b.comm.id()))));
}

/// All messages share one dial, whose failure is remembered for a second.
#[tokio::test(start_paused = true)]
async fn two_hundred_messages_to_a_dead_endpoint_dial_once() {
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

#[tokio::test(start_paused = true)]
async fn a_connection_is_opened_without_a_message_and_closed_by_its_endpoint() {
    let net = Net::default();
    let (a, b) = (net.node(), net.node());
    let mut inbox = everything(&b.comm);
    let (known, anybody) = (b.peer(), b.anybody());
    let (first, second) = tokio::join!(a.comm.connect(&known), a.comm.connect(&anybody));
    assert_eq!(first.expect("connects").id, b.comm.id());
    assert_eq!(second.expect("the same").id, b.comm.id());
    b.until_connected(1).await;
    assert_eq!((net.dial_count(), a.comm.connection_count()), (1, 1));
    tokio::time::sleep(SOON).await;
    assert_eq!(a.comm.connection_count(), 1, "it stays");
    a.comm.send(&text("x"), &[b.peer()]).remove(0).await;
    assert_eq!(content(&next(&mut inbox).await), "x", "the first one");
    assert_eq!(net.dial_count(), 1);

    assert!(!a.comm.close_conn_at(&a.endpoint()));
    assert!(a.comm.close_conn_at(&b.endpoint()));
    assert!(
        !a.comm.close_conn_at(&b.endpoint()),
        "the connection is gone"
    );
    b.until_connected(0).await;
    assert_eq!(a.comm.connection_count(), 0);

    // A concurrent handshake does not affect the call. Connecting to the same node under another
    // identity fails.
    let (asked, opened) = tokio::join!(a.comm.handshake(&known), a.comm.connect(&known));
    assert!(asked.is_ok() && opened.is_ok());
    tokio::time::sleep(SOON).await;
    assert_eq!(a.comm.connection_count(), 1);
    let error = a.comm.connect(&b.under(PeerId::from_bytes([7; 32]))).await;
    assert!(matches!(error, Err(CommError::IdMismatch { .. })));
    let itself = a.comm.connect(&a.anybody()).await;
    assert!(matches!(itself, Err(CommError::SelfDial)));
    let nobody = RemotePeer::at(Enode::incomplete(key().public_key()));
    let error = a.comm.connect(&nobody).await;
    assert!(matches!(error, Err(CommError::Dial(_))));
}
