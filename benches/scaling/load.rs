//! The protocols of the measurements.

use std::time::Duration;

use peermux::{Message, Protocol, ProtocolConn, ProtocolError};
use rand::Rng;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

/// What is measured, and what stands beside it.
pub(crate) const LOAD: &str = "load";
pub(crate) const ASIDE: &str = "aside";

/// Taken by the receiver.
pub(crate) const COUNTED: u64 = 0;
/// Sent back by the receiver.
pub(crate) const RETURNED: u64 = 1;
pub(crate) const LENGTH: u64 = 2;

/// Whose channels the measurement drives.
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

/// Reads everything.
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

/// Reads nothing.
pub(crate) fn ignored(name: &str) -> Protocol {
    Protocol::builder(name, 1, LENGTH).run(|peer, conn: ProtocolConn| async move {
        peer.ending().await;
        drop(conn);
        Ok(())
    })
}

/// A message that does not compress.
pub(crate) fn message(code: u64, size: usize) -> Message {
    let mut payload = vec![0; size];
    rand::rng().fill_bytes(&mut payload);
    Message::new(code, payload)
}

/// The next message, from a peer that lives.
pub(crate) async fn returned(conn: &mut ProtocolConn) -> Message {
    let received = conn.recv().await.expect("untyped messages decode");
    received.expect("the peer lives").into_inner()
}

/// Round trips one after the other, with pauses: 50, 99 and 99.9 % of them, in microseconds.
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
