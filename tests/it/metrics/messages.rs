//! Metrics of messages, queues and pauses.

use peermux::p2p::ids;
use peermux::testing::{Scripted, connect};
use peermux::{DisconnectReason, Message, Protocol, ProtocolLimits, WhenFull};
use tokio::time::sleep;

use super::{SECOND, counted, idle, observed, values};

#[test]
fn peers_messages_bytes_and_disconnects_are_counted() {
    let snapshotter = observed(async |snapshotter| {
        let mirror = Protocol::builder("mirror", 1, 1).run(|_, mut conn| async move {
            while let Some(message) = conn.recv().await? {
                conn.send(&message).await?;
            }
            Ok(())
        });
        let capability = mirror.capability().clone();
        let (peer, mut remote) = Scripted::remote_of(mirror, &[capability]).await.unwrap();
        for payload in [&[1, 2, 3][..], &[4; 100]] {
            assert!(remote.send(16, payload).await);
            assert_eq!(&remote.expect().await.payload[..], payload);
        }
        let during = values(snapshotter);
        assert_eq!(during["peermux_peers{direction=inbound,state=active}"], 1.0);
        assert_eq!(
            during["peermux_messages_total{protocol=mirror/1,direction=ingress}"],
            2.0
        );
        assert!(
            remote
                .send(1, &DisconnectReason::TOO_MANY_PEERS.encode())
                .await
        );
        peer.ended().await.expect("ends");
    });
    // The recorder returns changes since the last snapshot.
    let after = values(&snapshotter);
    assert_eq!(after["peermux_peers{direction=inbound,state=active}"], -1.0);
    let labels = "cause=remote,reason=too_many_peers,side=remote,protocol=";
    assert_eq!(
        after[&format!("peermux_disconnects_total{{{labels}}}")],
        1.0
    );
}

#[test]
fn messages_that_are_dropped_because_a_queue_is_full_are_counted() {
    let snapshotter = counted(async {
        let limits = ProtocolLimits::default()
            .with_queue_messages(1)
            .with_when_full(WhenFull::DropNewest);
        let stuck = Protocol::builder("stuck", 1, 1).limits(limits);
        let stuck = stuck.run(|peer, conn| async move {
            peer.ending().await;
            drop(conn);
            Ok(())
        });
        let capability = stuck.capability().clone();
        let (_peer, mut remote) = Scripted::remote_of(stuck, &[capability]).await.unwrap();
        let message: (u64, &[u8]) = (16, &[0xc0]);
        remote.send_all(&[message; 5]).await;
        remote.send(ids::PING, &[0xc0]).await;
        remote.expect().await;
    });
    let counted = values(&snapshotter);
    let dropped = "peermux_messages_dropped_total{protocol=stuck/1}";
    assert_eq!(counted[dropped], 4.0);
}

#[test]
fn one_message_in_sixteen_is_timed_in_both_directions() {
    let sixteen = |name: &str| {
        Protocol::builder(name, 1, 1).run(|_, mut conn| async move {
            for _ in 0..33 {
                conn.send(&Message::new(0, vec![0xc0])).await?;
            }
            for _ in 0..33 {
                conn.recv().await?;
            }
            Ok(())
        })
    };
    let snapshotter = counted(async {
        let ends = connect(sixteen("both"), sixteen("both"));
        let connected = ends.await.unwrap();
        connected.left.ended().await.unwrap();
        connected.right.ended().await.unwrap();
    });
    let counted = values(&snapshotter);
    assert_eq!(counted["peermux_queue_seconds{protocol=both/1}"], 6.0);
    assert!(counted["peermux_gate_wait_seconds{protocol=both/1}"] >= 2.0);
}

#[test]
fn pauses_of_reading_are_timed_even_if_they_disconnect_the_peer() {
    let snapshotter = counted(async {
        let limits = ProtocolLimits::default().with_queue_messages(1);
        let slow = Protocol::builder("slow", 1, 1).limits(limits);
        let slow = slow.run(|peer, mut conn| async move {
            conn.recv().await?;
            sleep(SECOND).await;
            conn.recv().await?;
            peer.ending().await;
            drop(conn);
            Ok(())
        });
        let capability = slow.capability().clone();
        let (peer, mut remote) = Scripted::remote_of(slow, &[capability]).await.unwrap();
        let message: (u64, &[u8]) = (16, &[0xc0]);
        remote.send_all(&[message; 5]).await;
        let ended = peer.ended().await.unwrap();
        assert_eq!(ended.error.cause(), "stalled");
    });
    let counted = values(&snapshotter);
    let pauses = counted["peermux_read_pause_seconds{protocol=slow/1,cause=queue_full}"];
    assert!(pauses >= 2.0, "{pauses}");
    let labels = "cause=stalled,reason=subprotocol_error,side=local,protocol=slow/1";
    assert_eq!(
        counted[&format!("peermux_disconnects_total{{{labels}}}")],
        1.0
    );
}

#[test]
fn round_trips_are_measured() {
    let snapshotter = counted(async {
        let connected = connect(idle(), idle()).await.unwrap();
        connected.left.ping().await.unwrap();
    });
    let counted = values(&snapshotter);
    assert!(counted["peermux_round_trip_seconds{}"] >= 1.0);
}
