//! Counters of the communication layer.

use metrics_util::debugging::DebuggingRecorder;
use peermux::Enode;

use super::raw::mute;
use super::*;
use crate::metrics::values;

#[tokio::test(start_paused = true)]
async fn sent_received_and_dropped_messages_are_counted() {
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

#[tokio::test(start_paused = true)]
async fn counters_distinguish_causes() {
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

#[test]
fn the_metrics_facade_receives_the_same_values() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let work = async {
        let net = Net::default();
        let (a, b, silent) = (net.node(), net.node(), net.node());
        let one = SubscriptionConfig::default().with_messages(1);
        let _unread = b.comm.accept_with(one, |_| true);
        acknowledge_all(&b);
        for peers in [[b.peer()], [b.peer()], [silent.peer()]] {
            let message = text("x");
            let result = a.comm.send_with_ack(&message, policy(1, 100), &peers).await;
            result.unwrap();
        }
        let during = values(&snapshotter);
        assert_eq!(during["peermux_comm_connections{}"], 4.0);
        let gone = RemotePeer::at(Enode::incomplete(key().public_key()));
        for peer in [a.peer(), gone, mute(&net)] {
            a.comm.send(&text("x"), &[peer]).remove(0).await;
        }
        for node in [&a, &b, &silent] {
            node.comm.stop().await;
        }
        during
    };
    let during = metrics::with_local_recorder(&recorder, || runtime.block_on(work));
    // Each snapshot resets all counters.
    let after = values(&snapshotter);
    let expected = [
        ("connections{}", 0.0),
        ("dials{}", 0.0),
        ("queued_messages{}", 0.0),
        // Two of these five messages are acknowledgements.
        ("messages_total{direction=egress}", 5.0),
        ("messages_total{direction=ingress}", 3.0),
        ("unsent_total{end=dropped,cause=self}", 1.0),
        ("unsent_total{end=failed,cause=dial}", 1.0),
        ("unsent_total{end=failed,cause=handshake}", 1.0),
        ("acks_total{state=awaited}", 3.0),
        ("acks_total{state=received}", 2.0),
        ("acks_total{state=timed_out}", 1.0),
        ("undelivered_total{}", 1.0),
        ("refused_total{}", 1.0),
    ];
    for (name, value) in expected {
        let name = format!("peermux_comm_{name}");
        let counts = [&during, &after].map(|values| values.get(&name).copied());
        let sum: f64 = counts.into_iter().flatten().sum();
        assert_eq!(sum, value, "{name} of {during:#?} and {after:#?}");
    }
}
