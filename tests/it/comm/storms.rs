//! Many calls at once: each call ends, promised orders hold, and no task is left.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use peermux::comm::{ConnectedPeer, Connector};
use peermux::{DialError, Enode, SecretKey};

use super::*;

/// A connector that never answers.
struct Never(Arc<AtomicUsize>);

impl Connector for Never {
    async fn connect(&self, _: &Enode) -> Result<ConnectedPeer, DialError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn no_task_is_left_after_a_storm() {
    let node = SecretKey::random(&mut rand::rng()).public_key().node_id();
    let identity = Secp256k1Identity::new(key());
    let asked = Arc::new(AtomicUsize::new(0));
    let never = Never(Arc::clone(&asked));
    let (_protocol, comm) = Comm::with_connector(Config::default(), node, identity, never).unwrap();
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
async fn callers_that_wait_for_room_are_served_in_order_and_within_the_limit() {
    let net = Net::default();
    let one = Config::default().with_queue_messages(1);
    let (a, b) = (
        net.node_with(one, Secp256k1Identity::new(key())),
        net.node(),
    );
    let mut inbox = everything(&b.comm);
    for n in 0..100 {
        let receipt = a.comm.send_waiting(&numbered(n), &b.peer(), SOON).await;
        drop(receipt.expect("room is released"));
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

/// All kinds of calls and events at once, on several threads.
///
/// In any order of events each message ends, each call returns, and no task is left.
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
