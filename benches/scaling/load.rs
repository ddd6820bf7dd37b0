//! The protocols of the measurements.

use peermux::{Message, Protocol, ProtocolConn, ProtocolError};
use rand::Rng;
use tokio::sync::mpsc;

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
