//! The protocols of the measurements.

use std::time::Duration;

use peermux::{Message, Protocol, ProtocolConn, ProtocolError};
use rand::Rng;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

/// The name of the measured protocol, and that of the second one.
pub(crate) const LOAD: &str = "load";
pub(crate) const ASIDE: &str = "aside";

/// The code of a message that the receiver counts.
pub(crate) const COUNTED: u64 = 0;
/// The code of a message that the receiver returns.
pub(crate) const RETURNED: u64 = 1;
pub(crate) const LENGTH: u64 = 2;

/// Returns a protocol whose channels the measurement drives.
pub(crate) fn lent(name: &str) -> (Protocol, mpsc::Receiver<ProtocolConn>) {
    let (lend, lent) = mpsc::channel(64);
    let protocol = Protocol::builder(name, 1, LENGTH).run(move |peer, conn| {
        let lend = lend.clone();
        async move {
            lend.send(conn).await.map_err(ProtocolError::other)?;
            peer.ending().await;
            Ok(())
        }
    });
    (protocol, lent)
}

/// Returns a protocol that reads everything.
pub(crate) fn served(name: &str) -> Protocol {
    Protocol::builder(name, 1, LENGTH).run(|_, mut conn| async move {
        while let Some(message) = conn.recv().await? {
            if message.code == RETURNED {
                conn.send(&message).await?;
            }
        }
        Ok(())
    })
}

/// Returns a protocol that reads nothing.
pub(crate) fn ignored(name: &str) -> Protocol {
    Protocol::builder(name, 1, LENGTH).run(|peer, conn: ProtocolConn| async move {
        peer.ending().await;
        drop(conn);
        Ok(())
    })
}

/// Returns a message that does not compress.
pub(crate) fn message(code: u64, size: usize) -> Message {
    let mut payload = vec![0; size];
    rand::rng().fill_bytes(&mut payload);
    Message::new(code, payload)
}

/// Returns the next message from a connected peer.
pub(crate) async fn returned(conn: &mut ProtocolConn) -> Message {
    let received = conn.recv().await.expect("untyped messages decode");
    received.expect("the peer lives").into_inner()
}

/// Makes round trips one after the other, with pauses. Returns the percentiles 50, 99 and 99.9 in
/// microseconds.
pub(crate) async fn round_trips(
    conn: &mut ProtocolConn,
    count: usize,
    size: usize,
    pause: Duration,
) -> [f64; 3] {
    let message = message(RETURNED, size);
    let mut took = Vec::with_capacity(count);
    for _ in 0..count {
        let started = Instant::now();
        conn.send(&message).await.expect("the peer lives");
        returned(conn).await;
        took.push(started.elapsed());
        if !pause.is_zero() {
            sleep(pause).await;
        }
    }
    took.sort_unstable();
    [0.5, 0.99, 0.999].map(|part| took[(part * (count - 1) as f64) as usize].as_secs_f64() * 1e6)
}
