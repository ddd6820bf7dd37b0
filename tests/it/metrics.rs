//! What is counted through the `metrics` facade.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use peermux::connmgr::ConnectError as RawError;
use peermux::p2p::ids;
use peermux::testing::{Scripted, dial_script, memory_listener};
use peermux::{DisconnectReason, Enode, Protocol, ProtocolLimits, SecretKey, Server, WhenFull};

const SECOND: Duration = Duration::from_secs(1);

/// All values, under `name{label="value",…}` with the labels in their order.
pub(crate) fn values(snapshotter: &Snapshotter) -> BTreeMap<String, f64> {
    let snapshot = snapshotter.snapshot().into_vec().into_iter();
    snapshot
        .map(|(key, _, _, value)| {
            let labels: Vec<_> = key
                .key()
                .labels()
                .map(|label| format!("{}={}", label.key(), label.value()))
                .collect();
            let value = match value {
                DebugValue::Counter(count) => count as f64,
                DebugValue::Gauge(level) => level.into_inner(),
                DebugValue::Histogram(_) => f64::NAN,
            };
            (
                format!("{}{{{}}}", key.key().name(), labels.join(",")),
                value,
            )
        })
        .collect()
}

#[test]
fn peers_messages_bytes_and_disconnects_are_counted() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    metrics::with_local_recorder(&recorder, || {
        runtime.block_on(async {
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
            let during = values(&snapshotter);
            assert_eq!(during["peermux_peers{direction=inbound}"], 1.0);
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
    });
    // The recorder tells what has changed since it was last read.
    let after = values(&snapshotter);
    assert_eq!(after["peermux_peers{direction=inbound}"], -1.0);
    let reason = format!("reason={}", DisconnectReason::TOO_MANY_PEERS);
    assert_eq!(
        after[&format!("peermux_disconnects_total{{{reason},side=remote}}")],
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

fn idle() -> Protocol {
    Protocol::builder("idle", 1, 1).run(|peer, _conn| async move {
        peer.ending().await;
        Ok(())
    })
}

/// Runs on a clock of its own, and counts nobody else's.
fn counted(test: impl Future<Output = ()>) -> Snapshotter {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    metrics::with_local_recorder(&recorder, || runtime.block_on(test));
    snapshotter
}

#[test]
fn dials_are_counted_by_what_came_of_them() {
    let snapshotter = counted(async {
        let node = || Server::builder(SecretKey::generate()).protocol(idle());
        let (dialer, mut script) = dial_script();
        let local = node().dialer(dialer).start().await.unwrap();
        let open = node().start().await.unwrap();
        let full = node()
            .configure(|config| config.with_max_peers(0))
            .start()
            .await
            .unwrap();
        let at = |server: &Server| {
            let addr = "20.1.1.1:30303".parse().unwrap();
            Enode::new(*server.enode().public_key(), addr)
        };
        for remote in [None, Some(&full), Some(&open)] {
            let node = at(remote.unwrap_or(&full));
            let answer = async {
                let dial = script.next().await.unwrap();
                match remote {
                    Some(remote) => drop(remote.accept_over(dial.succeed()).await),
                    None => dial.fail(RawError::Refused),
                }
            };
            let (dialled, ()) = tokio::join!(local.dial(&node), answer);
            let wanted = remote.is_some_and(|remote| remote.id() == open.id());
            assert_eq!(dialled.is_ok(), wanted, "{dialled:?}");
        }
        // One that is given up is neither a success nor a failure.
        let node = at(&full);
        tokio::select! {
            result = local.dial(&node) => panic!("{result:?}"),
            dial = script.next() => {
                local.shutdown(SECOND).await.unwrap();
                drop(dial);
            }
        }
    });
    let counted = values(&snapshotter);
    assert_eq!(counted["peermux_dials_total{}"], 4.0);
    assert_eq!(counted["peermux_dials_in_flight{}"], 0.0);
    assert_eq!(counted["peermux_dial_successes_total{}"], 1.0);
    let failures = |stage: &str, reason: &str| {
        let labels = format!("{{stage={stage},reason={reason}}}");
        counted[&format!("peermux_dial_failures_total{labels}")]
    };
    assert_eq!(failures("dial", "refused"), 1.0);
    let reason = DisconnectReason::TOO_MANY_PEERS.to_string();
    assert_eq!(failures("hello", &reason), 1.0);
}

#[test]
fn serves_are_counted_by_what_came_of_them() {
    let snapshotter = counted(async {
        let node = || Server::builder(SecretKey::generate()).protocol(idle());
        let (listener, caller) = memory_listener::<SocketAddr>();
        let server = node().listener(listener).start().await.unwrap();
        let key = *server.enode().public_key();
        let mut failures = server.subscribe_connections();
        let stranger = node().start().await.unwrap();
        let stream = caller.call("20.1.1.1:1".parse().unwrap()).await;
        stranger.dial_over(stream, &key).await.unwrap();
        // The same address again, and one that says nothing sensible.
        let _early = caller.call("20.1.1.1:2".parse().unwrap()).await;
        failures.recv().await.unwrap().unwrap();
        drop(caller.call("20.2.1.1:1".parse().unwrap()).await);
        failures.recv().await.unwrap().unwrap();
    });
    let counted = values(&snapshotter);
    assert_eq!(counted["peermux_serves_total{}"], 3.0);
    assert_eq!(counted["peermux_serve_slots_used{}"], 0.0);
    assert_eq!(counted["peermux_serve_successes_total{}"], 1.0);
    let failures = |stage: &str, reason: &str| {
        let labels = format!("{{stage={stage},reason={reason}}}");
        counted[&format!("peermux_serve_failures_total{labels}")]
    };
    assert_eq!(failures("accept", "too soon"), 1.0);
    assert_eq!(failures("auth", "closed"), 1.0);
}
