use std::sync::Arc;
use std::time::Duration;

use peermux::{
    Bytes, Capability, MessageError, Peer, ProtocolConn, ProtocolError, ProtocolHandler,
    ProtocolLimits, ProtocolSender, WireMessage,
};
use tokio::time::{Instant, timeout};

use super::{Config, EchoMessage};
use crate::client::{Connection, Question, Registry};
use crate::{ClientError, most_for};

/// Length of the longest RLP header of a byte string below 16 MiB.
const STRING_HEADER: usize = 4;

/// A node's `echo/1`.
///
/// Register a clone of it with a server, and keep one to make round trips.
#[derive(Debug, Clone)]
pub struct Echo {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: Config,
    running: Registry<EchoConnection>,
}

/// The protocol on one connection.
#[derive(Debug)]
struct EchoConnection {
    sender: ProtocolSender<EchoMessage>,
    request: Question<(), Bytes>,
}

impl Connection for EchoConnection {
    fn end(&self) {
        self.request.end();
    }
}

impl Echo {
    /// Creates a node's `echo/1`.
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
    /// [`ClientError::NotShared`] if the peer does not speak `echo/1`, [`ClientError::Ended`] if
    /// it is ending.
    pub async fn client(&self, peer: &Peer) -> Result<Client, ClientError> {
        let capability = Capability::new(Self::NAME, Self::VERSION);
        Ok(Client {
            connection: self.shared.running.find(peer, capability).await?,
            config: self.shared.config,
        })
    }
}

impl ProtocolHandler for Echo {
    type Message = EchoMessage;
    const NAME: &'static str = "echo";
    const VERSION: u64 = 1;

    async fn run(
        self: Arc<Self>,
        peer: Peer,
        mut conn: ProtocolConn<EchoMessage>,
    ) -> Result<(), ProtocolError> {
        let connection = Arc::new(EchoConnection {
            sender: conn.sender(),
            request: Question::new(),
        });
        let _listed = (self.shared.running).list(peer.id(), Arc::clone(&connection));
        let config = self.shared.config;
        let most = most_for(&peer, config.max_size, config.max_size_for_strangers);
        while let Some(message) = conn.recv().await? {
            match message.into_inner() {
                EchoMessage::Request(bytes) if bytes.len() > most => {
                    let rule = "a Request above the limit";
                    return Err(not_allowed(&EchoMessage::Request(bytes), rule).into());
                }
                EchoMessage::Request(bytes) => conn.send(&EchoMessage::Response(bytes)).await?,
                EchoMessage::Response(bytes) => match connection.request.take() {
                    Some(asked) => asked.answer(bytes),
                    None => {
                        let rule = "a Response without a Request";
                        return Err(not_allowed(&EchoMessage::Response(bytes), rule).into());
                    }
                },
            }
        }
        Ok(())
    }

    fn limits(&self) -> ProtocolLimits {
        ProtocolLimits::default().with_max_message(self.shared.config.max_size + STRING_HEADER)
    }
}

fn not_allowed(message: &EchoMessage, rule: &'static str) -> MessageError {
    MessageError::NotAllowed {
        code: message.code(),
        rule,
    }
}

/// Makes round trips with one peer, one at a time.
///
/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    connection: Arc<EchoConnection>,
    config: Config,
}

impl Client {
    /// Sends `content`, checks the response and returns the duration.
    ///
    /// Waits while another round trip with the peer is open.
    ///
    /// # Cancel safety
    /// Cancel safe, but the response to a dropped call must still arrive before the next call can
    /// send.
    ///
    /// # Errors
    /// [`ClientError`] if the content is too large, the peer ends, does not answer in time or
    /// answers with other bytes.
    pub async fn round_trip(&self, content: impl Into<Bytes>) -> Result<Duration, ClientError> {
        let content = content.into();
        if content.len() > self.config.max_size {
            return Err(ClientError::TooLarge {
                what: "a request's size",
                got: content.len() as u64,
                limit: self.config.max_size as u64,
            });
        }
        let limit = self.config.answer_timeout;
        timeout(limit, self.exchange(content))
            .await
            .unwrap_or(Err(ClientError::TimedOut(limit)))
    }

    async fn exchange(&self, content: Bytes) -> Result<Duration, ClientError> {
        let EchoConnection { sender, request } = &*self.connection;
        let mut started = Instant::now();
        let answer = request.ask((), async {
            started = Instant::now();
            sender.send(&EchoMessage::Request(content.clone())).await
        });
        let response = answer.await?.await.map_err(|_| ClientError::Ended)?;
        let took = started.elapsed();
        if response != content {
            return Err(ClientError::WrongContent {
                got: response.len(),
                sent: content.len(),
            });
        }
        Ok(took)
    }
}
