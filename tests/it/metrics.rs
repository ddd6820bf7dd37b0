//! What is counted through the `metrics` facade.

use std::collections::BTreeMap;

use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use peermux::testing::Scripted;
use peermux::{DisconnectReason, Protocol};

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
