use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::memory::Memory;
use super::message::{ACK, DATA, check_size, encode_ack};
use super::send_queue::{Draft, Outgoing, Part, SendQueue};
use super::stats::Stats;
use super::{CommError, ConnInfo, ConnectionEnd, Envelope, Receipt, RemotePeer};

/// A received message with its sender and a way to answer.
///
/// Cheap to clone.
#[derive(Clone)]
pub struct ReceivedMessage(Arc<Inner>);

struct Inner {
    envelope: Envelope,
    /// The number of the Ack that the sender waits for; 0 for none.
    ack: u64,
    received_at: Instant,
    answered: AtomicBool,
    origin: Arc<Origin>,
}

/// The connection that messages come from, and what is needed to answer them.
pub(crate) struct Origin {
    pub(crate) info: Arc<ConnInfo>,
    /// The destination of answers.
    pub(crate) peer: RemotePeer,
    pub(crate) queue: Arc<SendQueue>,
    /// How large an answer may be, in bytes.
    pub(crate) max_message: usize,
    /// How long an answer may wait for room.
    pub(crate) reply_timeout: Duration,
    pub(crate) stats: Arc<Stats>,
    pub(crate) memory: Arc<Memory>,
    /// Cancelled when the layer stops.
    pub(crate) stopping: CancellationToken,
}

impl ReceivedMessage {
    pub(crate) fn new(
        envelope: Envelope,
        ack: u64,
        received_at: Instant,
        origin: Arc<Origin>,
    ) -> Self {
        Self(Arc::new(Inner {
            envelope,
            ack,
            received_at,
            answered: AtomicBool::new(false),
            origin,
        }))
    }

    /// The message.
    #[must_use]
    pub fn envelope(&self) -> &Envelope {
        &self.0.envelope
    }

    /// The sender, with the proof that its identity gave for the connection.
    #[must_use]
    pub fn sender(&self) -> &ConnInfo {
        &self.0.origin.info
    }

    /// When the message's last byte was read from the connection.
    ///
    /// The wait for room in a subscription, and the wait in it, come after this time.
    #[must_use]
    pub fn received_at(&self) -> Instant {
        self.0.received_at
    }

    /// Whether the sender waits for an acknowledgement.
    #[must_use]
    pub fn wants_ack(&self) -> bool {
        self.0.ack != 0
    }

    /// Acknowledges the message, or rejects it with the given reason.
    ///
    /// Waits for room in the queue of answers, for at most the reply timeout. Of several answers,
    /// through this value and its clones, only the first counts.
    ///
    /// # Errors
    /// [`CommError::NoAckWanted`] if the sender waits for no acknowledgement,
    /// [`CommError::AlreadyAcknowledged`] after the first answer, [`CommError::PeerClosed`] if the
    /// connection has ended, [`CommError::Deadline`] if there is no room in time,
    /// [`CommError::Stopped`] if the layer has been stopped.
    pub async fn ack(&self, result: Result<(), &str>) -> Result<(), CommError> {
        self.claim()?;
        let text = match result {
            Ok(()) => "",
            Err("") => "refused",
            Err(text) => text,
        };
        let payload = encode_ack(self.0.ack, text);
        self.reply(ACK, payload).await.map(|_| ())
    }

    /// Claims the only acknowledgement of the message for this call.
    fn claim(&self) -> Result<(), CommError> {
        if !self.wants_ack() {
            return Err(CommError::NoAckWanted);
        }
        self.0.origin.check_running()?;
        if self.0.answered.swap(true, Ordering::AcqRel) {
            return Err(CommError::AlreadyAcknowledged);
        }
        Ok(())
    }

    /// Answers over the connection that this message came from, ahead of ordinary messages.
    ///
    /// Waits for room, for at most the reply timeout.
    ///
    /// # Errors
    /// [`CommError::PeerClosed`] if the connection has ended, [`CommError::Deadline`] if there is
    /// no room in time, [`CommError::TooLarge`] if the message exceeds the limit,
    /// [`CommError::Stopped`] if the layer has been stopped.
    ///
    /// # Cancel safety
    /// A dropped call has either queued the answer or done nothing.
    pub async fn respond(&self, message: &Envelope) -> Result<Receipt, CommError> {
        self.reply(DATA, self.0.origin.encode(message)).await
    }

    /// Like [`respond`](Self::respond), but fails if there is no room now.
    ///
    /// # Errors
    /// [`CommError::Full`] if there is no room; otherwise as for [`respond`](Self::respond).
    pub fn try_respond(&self, message: &Envelope) -> Result<Receipt, CommError> {
        let origin = &self.0.origin;
        origin.check_running()?;
        origin.check_size(message.payload.len())?;
        let queue = origin.queue.current();
        // The room is checked before the message is encoded, so that no copies are made for a
        // remote that does not read its answers.
        if !queue.has_room(Part::Replies, message.payload.len()) {
            return Err(origin.no_room(&queue));
        }
        let payload = origin.encode(message);
        origin.check_size(payload.len())?;
        let (answer, receipt) = self.answer(DATA, payload);
        let pushed = queue.try_push(Part::Replies, answer);
        pushed.map_err(|_| origin.no_room(&queue))?;
        Ok(receipt)
    }

    /// Whether there is room for an answer of `size` bytes now.
    ///
    /// The answer needs room in the queue of answers and in the node's memory. Check this before
    /// you compute an expensive answer, since a remote may send requests without reading the
    /// answers.
    #[must_use]
    pub fn has_room(&self, size: usize) -> bool {
        let queue = self.0.origin.queue.current();
        queue.has_room(Part::Replies, size)
    }

    async fn reply(&self, code: u64, payload: Bytes) -> Result<Receipt, CommError> {
        self.0.origin.check_running()?;
        self.0.origin.check_size(payload.len())?;
        let after = self.0.origin.reply_timeout;
        let reserve = async {
            loop {
                let queue = self.0.origin.queue.current();
                match queue.reserve(Part::Replies, payload.len()).await {
                    Some(room) => return Ok((queue, room)),
                    // Another connection has replaced this one in the meantime, so the loop tries
                    // the queue of the other connection.
                    None if !Arc::ptr_eq(&queue, &queue.current()) => {}
                    None => return Err(CommError::PeerClosed(ConnectionEnd::TransportEnded)),
                }
            }
        };
        let (queue, room) = timeout(after, reserve)
            .await
            .unwrap_or(Err(CommError::Deadline { after }))?;
        let (answer, receipt) = self.answer(code, payload);
        queue.push(Part::Replies, answer, room);
        Ok(receipt)
    }

    fn answer(&self, code: u64, payload: Bytes) -> (Outgoing, Receipt) {
        let (done, receipt) = oneshot::channel();
        let draft = Draft {
            code,
            payload,
            ack: None,
            done: Some(done),
        };
        let receipt = Receipt {
            peer: self.0.origin.peer.clone(),
            done: receipt,
        };
        (Outgoing::new(draft, None, Instant::now()), receipt)
    }
}

impl Origin {
    fn check_running(&self) -> Result<(), CommError> {
        if self.stopping.is_cancelled() {
            return Err(CommError::Stopped);
        }
        Ok(())
    }

    fn encode(&self, message: &Envelope) -> Bytes {
        message.encode(0, self.memory.spare())
    }

    fn check_size(&self, size: usize) -> Result<(), CommError> {
        check_size(size, self.max_message)
    }

    fn no_room(&self, queue: &SendQueue) -> CommError {
        let error = if queue.has_ended() {
            CommError::PeerClosed(ConnectionEnd::TransportEnded)
        } else {
            CommError::Full
        };
        self.stats.dropped(&error);
        error
    }
}

impl fmt::Debug for ReceivedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivedMessage")
            .field("sender", &self.0.origin.info.id)
            .field("nonce", &self.0.envelope.nonce)
            .field("tag", &self.0.envelope.tag)
            .field("bytes", &self.0.envelope.payload.len())
            .finish_non_exhaustive()
    }
}
