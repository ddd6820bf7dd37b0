//! The receiving side of one connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;
use tokio::task::consume_budget;

use super::acks::AckTable;
use super::demux::{Given, Waiting};
use super::message::Incoming;
use super::received::Origin;
use super::shared::Shared;
use super::{CommError, CommEvent, ConnectionEnd, ReceivedMessage};
use crate::channel::ProtocolReceiver;
use crate::message::MessageError;

/// Why a connection ended, and the decoding error if a malformed message ended it.
pub(crate) type End = (ConnectionEnd, Option<MessageError>);

/// A received message that waits for room in a subscription.
pub(crate) struct Inbound {
    message: ReceivedMessage,
    size: usize,
    /// The subscriptions without room for the message; `None` if it was not offered yet.
    left: Option<Waiting<ReceivedMessage>>,
    /// The room that the message takes in the protocol's bounds, released on drop.
    room: Box<dyn Send>,
    backlog: InBacklog,
}

/// Counts a message that waits, either for a subscription or behind another waiting message.
struct InBacklog(Arc<AtomicUsize>);

impl InBacklog {
    fn new(backlog: &Arc<AtomicUsize>) -> Self {
        backlog.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(backlog))
    }
}

impl Drop for InBacklog {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(crate) struct Reader {
    pub(crate) shared: Arc<Shared>,
    pub(crate) origin: Arc<Origin>,
    pub(crate) acks: Arc<AckTable>,
    pub(crate) inbox: mpsc::Sender<Inbound>,
    /// How many messages wait. Relaxed access suffices, because reader and handler run in one task.
    pub(crate) backlog: Arc<AtomicUsize>,
}

impl Reader {
    /// Reads messages until the connection ends. An Ack does not go through the inbox, but directly
    /// to the call that waits for it.
    pub(crate) async fn run(self, mut receiver: ProtocolReceiver) -> End {
        loop {
            // Other tasks must get their time even if the remote never pauses.
            consume_budget().await;
            let received = match receiver.recv().await {
                Ok(Some(received)) => received,
                Ok(None) => return (ConnectionEnd::TransportEnded, None),
                Err(error) => return self.malformed(error),
            };
            let (size, received_at) = (received.size(), received.received_at());
            let (message, room) = received.into_parts();
            match Incoming::decode(&message) {
                Ok(Incoming::Data { ack, envelope }) => {
                    self.shared.stats.received.add(1);
                    let origin = Arc::clone(&self.origin);
                    let message = ReceivedMessage::new(envelope, ack, received_at, origin);
                    if !self.deliver(message, size, room).await {
                        return (ConnectionEnd::TransportEnded, None);
                    }
                }
                Ok(Incoming::Ack { ack, error }) => self.acknowledged(ack, error),
                Ok(Incoming::Establish(_)) => {
                    return self.malformed(MessageError::NotAllowed {
                        code: message.code,
                        rule: "a second proof of identity",
                    });
                }
                Err(error) => return self.malformed(error),
            }
        }
    }

    /// Hands a message to the subscriptions, immediately if no other message waits. Returns false
    /// if the handler has ended.
    async fn deliver(
        &self,
        message: ReceivedMessage,
        size: usize,
        room: impl Send + 'static,
    ) -> bool {
        let mut left = None;
        if self.backlog.load(Ordering::Relaxed) == 0 {
            let source = Some(message.sender().id);
            let (given, waiting) = self.shared.demux.offer(source, &message, size);
            count_lost(&self.shared, given);
            if waiting.is_empty() {
                return true;
            }
            left = Some(waiting);
        }
        let inbound = Inbound {
            message,
            size,
            left,
            room: Box::new(room),
            backlog: InBacklog::new(&self.backlog),
        };
        self.inbox.send(inbound).await.is_ok()
    }

    fn malformed(&self, error: MessageError) -> End {
        self.shared.stats.malformed.add(1);
        (ConnectionEnd::Malformed(error.to_string()), Some(error))
    }

    /// Hands an Ack to the call that waits for it. An Ack counts only if the message went to the
    /// identity that sent the Ack, so that no identity can acknowledge in the name of another. A
    /// late Ack is counted as one that no sender waits for.
    fn acknowledged(&self, ack: u64, error: String) {
        let answer = if error.is_empty() {
            Ok(())
        } else {
            Err(CommError::Nack(error))
        };
        if !self.acks.answer(ack, answer) {
            self.shared.stats.unasked_acks.add(1);
            let id = self.origin.info.id;
            self.shared.events.tell(CommEvent::UnaskedAck { id });
        }
    }
}

fn count_lost(shared: &Shared, given: Given) {
    if given.lost > 0 {
        shared.stats.undelivered.add(given.lost as u64);
    }
}

/// Hands messages to the subscriptions, in the order of their arrival, one at a time.
pub(crate) async fn handle(shared: Arc<Shared>, mut inbox: mpsc::Receiver<Inbound>) {
    while let Some(inbound) = inbox.recv().await {
        let Inbound {
            message,
            size,
            left,
            room,
            backlog,
        } = inbound;
        let source = Some(message.sender().id);
        let left = left.unwrap_or_else(|| {
            let (given, waiting) = shared.demux.offer(source, &message, size);
            count_lost(&shared, given);
            waiting
        });
        count_lost(&shared, left.finish(source, &message, size).await);
        drop((room, backlog));
    }
}
