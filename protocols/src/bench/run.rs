use std::sync::Arc;

use peermux::{
    Capability, MessageError, Peer, ProtocolConn, ProtocolError, ProtocolHandler, ProtocolReceiver,
    Received, SendError, WireMessage,
};
use tokio::sync::mpsc;
use tokio::task::coop::consume_budget;
use tracing::debug;

use super::connection::BenchConnection;
use super::filler::Filler;
use super::{BenchMessage, Client, Config};
use crate::client::Registry;
use crate::{ClientError, Totals, most_for};

/// A node's `bench/1`.
///
/// Register a clone of it with a server, and keep one to measure peers.
#[derive(Debug, Clone)]
pub struct Bench {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: Config,
    running: Registry<BenchConnection>,
}

impl Bench {
    /// Creates a node's `bench/1`.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let running = Registry::new();
        Self {
            shared: Arc::new(Shared { config, running }),
        }
    }

    /// Returns a client for a connected peer once the protocol runs with it.
    ///
    /// # Cancel safety
    /// Cancel safe.
    ///
    /// # Errors
    /// [`ClientError::NotShared`] if the peer does not speak `bench/1`, [`ClientError::Ended`] if
    /// its connection is ending.
    pub async fn client(&self, peer: &Peer) -> Result<Client, ClientError> {
        let capability = Capability::new(Self::NAME, Self::VERSION);
        let connection = self.shared.running.find(peer, capability).await?;
        Ok(Client::new(connection, self.shared.config))
    }
}

impl ProtocolHandler for Bench {
    type Message = BenchMessage;
    const NAME: &'static str = "bench";
    const VERSION: u64 = 1;

    /// Reads, streams and answers concurrently. The reader never waits for a message to be sent:
    /// otherwise two sides that stream to each other would each wait for the other to read. The
    /// memory is bounded nevertheless, because a message counts towards the bounds of the
    /// protocol's queue until it is answered.
    async fn run(
        self: Arc<Self>,
        peer: Peer,
        conn: ProtocolConn<BenchMessage>,
    ) -> Result<(), ProtocolError> {
        let config = self.shared.config;
        let (sender, receiver) = conn.split();
        let connection = Arc::new(BenchConnection::new(sender));
        let _listed = (self.shared.running).list(peer.id(), Arc::clone(&connection));
        let waiting = self.limits().queue_messages();
        let (asks, asks_to_serve) = mpsc::channel(waiting);
        let (replies, replies_to_send) = mpsc::channel(waiting);
        let reader = Reader {
            connection: &connection,
            max_count: config.max_count,
            max_size: most_for(&peer, config.max_size, config.max_size_for_strangers),
            asks,
            replies,
        };
        tokio::select! {
            // Send answers first: otherwise the reader would fill the queues before anything is
            // sent.
            biased;
            result = reply(&connection, replies_to_send) => result,
            result = stream(&connection, asks_to_serve) => result,
            result = reader.run(receiver) => result,
        }
    }
}

/// Handles the remote's messages.
struct Reader<'a> {
    connection: &'a BenchConnection,
    max_count: u64,
    max_size: usize,
    /// The queue of Asks, in order.
    asks: mpsc::Sender<Received<BenchMessage>>,
    /// The queue of all other answers.
    replies: mpsc::Sender<Received<BenchMessage>>,
}

impl Reader<'_> {
    async fn run(self, mut receiver: ProtocolReceiver<BenchMessage>) -> Result<(), ProtocolError> {
        while let Some(message) = receiver.recv().await? {
            self.handle(message).await?;
            consume_budget().await;
        }
        Ok(())
    }

    async fn handle(&self, mut message: Received<BenchMessage>) -> Result<(), ProtocolError> {
        match &mut *message {
            BenchMessage::Data(content) => self.connection.on_data(content.len()),
            BenchMessage::Ask { count, size } => {
                if *count > self.max_count || *size > self.max_size as u64 {
                    return Err(above_ceiling(&message).into());
                }
                queue(&self.asks, message).await?;
            }
            BenchMessage::Echo(content) if content.len() > self.max_size => {
                return Err(above_ceiling(&message).into());
            }
            BenchMessage::Echo(content) => {
                let content = std::mem::take(content);
                *message = BenchMessage::Echoed(content);
                queue(&self.replies, message).await?;
            }
            BenchMessage::Flush => {
                let Totals { messages, bytes } = self.connection.on_flush();
                *message = BenchMessage::Stats { messages, bytes };
                queue(&self.replies, message).await?;
            }
            &mut BenchMessage::Done {
                count: messages,
                bytes,
            } => self.connection.on_done(Totals { messages, bytes })?,
            BenchMessage::Echoed(content) => {
                self.connection.on_echoed(std::mem::take(content))?;
            }
            &mut BenchMessage::Stats { messages, bytes } => {
                self.connection.on_stats(Totals { messages, bytes })?;
            }
        }
        Ok(())
    }
}

fn above_ceiling(ask: &BenchMessage) -> MessageError {
    MessageError::NotAllowed {
        code: ask.code(),
        rule: "an Ask or Echo above the limit",
    }
}

/// Queues a message without waiting. `to` always has room, because each message in it counts
/// towards the bounds of the protocol's queue, and `to` is as large as that queue.
async fn queue(
    to: &mpsc::Sender<Received<BenchMessage>>,
    message: Received<BenchMessage>,
) -> Result<(), SendError> {
    to.send(message).await.map_err(|_| SendError::ShuttingDown)
}

/// Answers Asks in order.
async fn stream(
    connection: &BenchConnection,
    mut asks: mpsc::Receiver<Received<BenchMessage>>,
) -> Result<(), ProtocolError> {
    while let Some(ask) = asks.recv().await {
        let BenchMessage::Ask { count, size } = ask.into_inner() else {
            continue;
        };
        debug!(count, size, "sending the messages that were asked for");
        // `size` is at most `max_size`, which is a `usize`.
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let _turn = connection.data.lock().await;
        send_data(connection, count, size, || {}).await?;
        let Totals { messages, bytes } = Totals::of(count, size);
        let done = BenchMessage::Done {
            count: messages,
            bytes,
        };
        connection.sender.send(&done).await?;
    }
    Ok(())
}

/// Sends `count` Data of `size` random bytes, as fast as the connection accepts them. Calls `sent`
/// after each Data.
pub(super) async fn send_data(
    connection: &BenchConnection,
    count: u64,
    size: usize,
    sent: impl Fn(),
) -> Result<(), SendError> {
    let mut filler = Filler::new(size);
    for _ in 0..count {
        let data = BenchMessage::Data(filler.next());
        connection.sender.send(&data).await?;
        sent();
        consume_budget().await;
    }
    Ok(())
}

/// Sends all answers except Data.
async fn reply(
    connection: &BenchConnection,
    mut replies: mpsc::Receiver<Received<BenchMessage>>,
) -> Result<(), ProtocolError> {
    while let Some(reply) = replies.recv().await {
        connection.sender.send(&reply).await?;
    }
    Ok(())
}
