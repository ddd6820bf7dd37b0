//! What goes out over one connection.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::debug;

use super::link::{AckTable, Link, Outgoing};
use super::{CloseReason, CommError};
use crate::protocol::{Message, ProtocolSender};

/// How many messages are handed to the transport together.
const BATCH: usize = 64;
/// How many such batches may be on their way to the socket at once. While they are, what comes
/// next gathers, so that many messages cost one turn of the writer.
const BATCHES: usize = 2;

/// Writes what is queued, until the transport takes nothing more.
pub(crate) async fn write(link: Arc<Link>, acks: Arc<AckTable>, sender: ProtocolSender) {
    let mut handed: VecDeque<Handed> = VecDeque::new();
    loop {
        tokio::select! {
            biased;
            () = oldest_written(&mut handed), if !handed.is_empty() => {}
            batch = link.next(BATCH), if handed.len() < BATCHES => {
                match hand_over(batch, &acks, &sender).await {
                    Some(batch) => handed.push_back(batch),
                    None => break,
                }
            }
        }
    }
    while !handed.is_empty() {
        oldest_written(&mut handed).await;
    }
    // Whoever ended the queue ends the connection; a transport that takes nothing more does too.
    if link.has_ended() {
        pending::<()>().await;
    }
}

/// Messages that the transport has taken and may not have written yet.
struct Handed {
    batch: Vec<Outgoing>,
    /// They are written in order, so that one receipt, the last one's, is enough.
    written: oneshot::Receiver<()>,
}

/// Waits until the oldest of several batches is written, or never will be, and tells its senders.
/// Cancel safe.
async fn oldest_written(handed: &mut VecDeque<Handed>) {
    let Some(oldest) = handed.front_mut() else {
        return;
    };
    let written = (&mut oldest.written).await;
    let batch = handed.pop_front().map(|oldest| oldest.batch);
    let batch = batch.unwrap_or_default();
    match written {
        Ok(()) => {
            let now = Instant::now();
            batch.into_iter().for_each(|message| message.sent(now));
        }
        Err(_) => fail(batch),
    }
}

/// Hands messages to the transport; `None` if there are none, or it takes no more.
async fn hand_over(
    mut batch: Vec<Outgoing>,
    acks: &AckTable,
    sender: &ProtocolSender,
) -> Option<Handed> {
    let mut handing = async || {
        let (last, others) = batch.split_last_mut()?;
        for message in others {
            let message = prepare(message, acks);
            if let Err(error) = sender.send(&message).await {
                return Some(Err(error));
            }
        }
        let last = prepare(last, acks);
        Some(sender.send_tracked(last.code, last.payload).await)
    };
    match handing().await? {
        Ok(written) => Some(Handed { batch, written }),
        Err(error) => {
            debug!(%error, "the transport takes no more messages");
            fail(batch);
            None
        }
    }
}

/// What the transport gets of a message; from now on an Ack of it counts.
fn prepare(message: &mut Outgoing, acks: &AckTable) -> Message {
    if let Some((number, waiter)) = message.ack.take() {
        acks.expect(number, waiter);
    }
    Message::new(message.code, std::mem::take(&mut message.payload))
}

/// Those who wait for acknowledgements hear of it from the store, when the connection leaves it.
fn fail(batch: Vec<Outgoing>) {
    for message in batch {
        message.fail(CommError::PeerClosed(CloseReason::TransportEnded));
    }
}
