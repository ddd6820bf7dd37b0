use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{SemaphorePermit, TryAcquireError, oneshot};
use tokio::time::{Instant, timeout_at};

use super::answers::Answers;
use super::config::{RequestConfig, WhenOpen};
use super::conn::RequestConn;
use super::error::RequestError;
use super::estimate::Estimate;
use super::incoming::Incoming;
use super::messages::Messages;
use super::registry::{Listed, Registry};
use super::remote::{Answer, GivenUp, Open, Remote, Wrong};
use super::serving::Serving;
use super::stats::RequestStats;
use crate::channel::ProtocolConn;
use crate::message::{MessageError, Request, RequestMessages, Response, WireMessage};
use crate::node::NodeId;
use crate::peer::{Peer, Protocol, ProtocolBuilder, ProtocolError};
use crate::time::after;

/// Answers the requests of all peers in one protocol, and sends requests to them.
///
/// The handle is cheap to clone. Each node may send and answer requests. Several requests to a
/// peer, even of different types, may be open at the same time:
///
/// ```
/// use peermux::requests::{RequestError, Requests};
/// use peermux::{NodeId, Protocol, messages, testing};
///
/// messages! {
///     #[derive(Debug, Clone, PartialEq)]
///     pub enum Sums, length = 3 {
///         /// Requests a sum.
///         0x00 => Add { numbers: Vec<u64> } -> Number,
///         /// Requests a product.
///         0x01 => Multiply { numbers: Vec<u64> } -> Number,
///         /// Answers both.
///         0x02 => Number(u64),
///     }
/// }
///
/// fn sums() -> Requests<Sums> {
///     Requests::builder()
///         .answer(|_peer, add: Add| async move { Ok(Number(add.numbers.iter().sum())) })
///         .answer(|_peer, it: Multiply| async move { Ok(Number(it.numbers.iter().product())) })
///         .build()
/// }
///
/// # tokio_test::block_on(async {
/// let (near, far) = (sums(), sums());
/// let protocol = |requests: &Requests<Sums>| requests.protocol(Protocol::typed("sums", 1));
/// let connected = testing::connect(protocol(&near), protocol(&far)).await.expect("connects");
///
/// let peer = connected.left.id();
/// let (sum, product) = tokio::join!(
///     near.request(&peer, Add { numbers: vec![2, 3] }),
///     near.request(&peer, Multiply { numbers: vec![2, 3] }),
/// );
/// assert_eq!((sum.unwrap(), product.unwrap()), (Number(5), Number(6)));
///
/// let stranger = NodeId::from_bytes([7; 32]);
/// let refused = near.request(&stranger, Add { numbers: vec![] }).await;
/// assert!(matches!(refused, Err(RequestError::NotConnected { .. })));
/// # });
/// ```
#[doc(alias("request", "response", "rpc"))]
pub struct Requests<M: RequestMessages>(Arc<Shared<M>>);

struct Shared<M: RequestMessages> {
    config: RequestConfig,
    answers: Arc<Answers<M>>,
    registry: Arc<Registry<M>>,
}

impl<M: RequestMessages> Requests<M> {
    pub(super) fn of(config: RequestConfig, answers: Answers<M>) -> Self {
        Self(Arc::new(Shared {
            config,
            answers: Arc::new(answers),
            registry: Arc::new(Registry::new()),
        }))
    }

    /// Defines a protocol of requests and responses only; any other message is a breach.
    pub fn protocol(&self, definition: ProtocolBuilder<M>) -> Protocol {
        self.protocol_with(definition, |_peer, conn| async move {
            let Some(other) = conn.ready().recv().await? else {
                return Ok(());
            };
            Err(ProtocolError::from(MessageError::NotAllowed {
                code: other.code(),
                rule: "a message must be a request or a response",
            }))
        })
    }

    /// Defines a protocol with further messages, such as those of its own handshake.
    ///
    /// `run` is called for each peer, and calls [`BeforeRequests::ready`] to allow requests. Until
    /// then, requests to the peer wait.
    pub fn protocol_with<F, Fut>(&self, definition: ProtocolBuilder<M>, run: F) -> Protocol
    where
        F: Fn(Peer, BeforeRequests<M>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), ProtocolError>> + Send + 'static,
    {
        let requests = self.clone();
        definition.run(move |peer, conn| {
            let messages = Arc::new(Messages::new());
            let before = BeforeRequests {
                requests: requests.clone(),
                messages: Arc::clone(&messages),
                listed: requests.0.registry.begin(&peer),
                peer: peer.clone(),
                conn,
            };
            messages.run(run(peer, before))
        })
    }

    /// Sends a request to a peer and waits for its response, within the configured limits.
    ///
    /// If the peer has gone, the call returns once the connection has ended, so that the error
    /// contains the [reason](RequestError::outcome). Only a call within a function of this peer
    /// fails at once, because the connection waits for that function.
    ///
    /// # Errors
    /// [`RequestError`] if there is no response; its variants name the causes.
    ///
    /// # Cancel safety
    /// Dropping the call cancels the request: the request's slot is freed, and a late response is
    /// dropped.
    pub async fn request<R>(&self, peer: &NodeId, request: R) -> Result<R::Response, RequestError>
    where
        R: Request<Messages = M>,
    {
        self.request_with(peer, request, &self.0.config).await
    }

    /// Like [`request`](Self::request), with a different configuration for this request.
    ///
    /// Of `config`, only the time limit, the largest response, and whether to wait for a free slot
    /// are used.
    ///
    /// # Errors
    /// Same as [`request`](Self::request).
    pub async fn request_with<R>(
        &self,
        peer: &NodeId,
        request: R,
        config: &RequestConfig,
    ) -> Result<R::Response, RequestError>
    where
        R: Request<Messages = M>,
    {
        let deadline = after(Instant::now(), config.timeout());
        let response = self.request_until(deadline, peer, request, config).await;
        if let Err(error) = &response {
            error.settled(deadline).await;
        }
        response
    }

    /// Like [`request_with`](Self::request_with), but does not wait for the reason why a peer has
    /// gone.
    pub(super) async fn request_until<R>(
        &self,
        deadline: Instant,
        peer: &NodeId,
        request: R,
        config: &RequestConfig,
    ) -> Result<R::Response, RequestError>
    where
        R: Request<Messages = M>,
    {
        let mut asked = None;
        let ask = async {
            let not_connected = RequestError::NotConnected {
                peer: *peer,
                request: R::NAME,
            };
            let remote = self.0.registry.ready(peer).await.ok_or(not_connected)?;
            let place = place::<R>(&remote, config).await?;
            ask(&remote, request, config, &mut asked, place).await
        };
        match timeout_at(deadline, ask).await {
            Ok(result) => result,
            Err(_) => {
                if let Some(asked) = &mut asked {
                    asked.ends = GivenUp::TimedOut;
                }
                Err(RequestError::TimedOut {
                    peer: *peer,
                    request: R::NAME,
                    limit: config.timeout(),
                })
            }
        }
    }

    /// Returns the peers that can be asked now: those that have completed the protocol's handshake.
    ///
    /// A peer may be missing right after the connection is made. [`request`](Self::request) and
    /// [`any`](Self::any) wait for such a peer.
    #[must_use]
    pub fn peers(&self) -> Vec<Peer> {
        let all = self.0.registry.all().into_iter();
        all.map(|remote| remote.peer.clone()).collect()
    }

    /// Returns how fast a peer has answered requests of type `R` so far.
    ///
    /// `None` before the first response or timeout, or if the protocol does not run with the peer.
    #[must_use]
    pub fn estimate<R: Request<Messages = M>>(&self, peer: &NodeId) -> Option<Estimate> {
        self.0.registry.get(peer)?.estimate(R::CODE)
    }

    /// Returns how many bytes to request so that the response takes about `target`.
    ///
    /// The result is at least 1. For a peer that has not answered yet, the result is 1.
    #[must_use]
    pub fn capacity<R: Request<Messages = M>>(&self, peer: &NodeId, target: Duration) -> usize {
        let estimate = self.estimate::<R>(peer).unwrap_or(Estimate::NONE);
        estimate.capacity(target)
    }

    /// Returns counts of the requests to and from a peer.
    ///
    /// Returns `None` if the protocol does not run with the peer.
    #[must_use]
    pub fn stats(&self, peer: &NodeId) -> Option<RequestStats> {
        Some(self.0.registry.get(peer)?.stats())
    }

    pub(super) fn config(&self) -> &RequestConfig {
        &self.0.config
    }

    pub(super) fn remotes(&self) -> Vec<Arc<Remote<M>>> {
        self.0.registry.all()
    }

    pub(super) fn unready(&self) -> Vec<Peer> {
        self.0.registry.unready()
    }

    fn attach(&self, before: BeforeRequests<M>) -> RequestConn<M> {
        let BeforeRequests {
            messages,
            mut listed,
            peer,
            conn,
            ..
        } = before;
        let config = &self.0.config;
        let (sender, receiver) = conn.split();
        let remote = Arc::new(Remote::new(peer, sender, config.max_open()));
        let serving = Serving::new(Arc::clone(&self.0.answers), Arc::clone(&remote), config);
        messages.begin(Incoming::new(
            receiver,
            Arc::clone(&remote),
            serving,
            config,
        ));
        listed.ready(Arc::clone(&remote));
        RequestConn::new(messages, remote, listed)
    }
}

/// Takes a slot for an open request. If no slot is free, waits or fails as configured.
async fn place<'a, R: Request>(
    remote: &'a Remote<R::Messages>,
    config: &RequestConfig,
) -> Result<SemaphorePermit<'a>, RequestError> {
    let place = match config.when_open() {
        WhenOpen::Wait => remote.places.acquire().await.ok(),
        WhenOpen::Refuse => match remote.places.try_acquire() {
            Ok(place) => Some(place),
            Err(TryAcquireError::Closed) => None,
            Err(TryAcquireError::NoPermits) => {
                return Err(RequestError::TooManyOpen {
                    peer: remote.peer.id(),
                    request: R::NAME,
                    limit: remote.max_open,
                });
            }
        },
    };
    place.ok_or_else(|| gone::<R>(remote))
}

fn gone<R: Request>(remote: &Remote<R::Messages>) -> RequestError {
    RequestError::Gone {
        peer: remote.peer.clone(),
        request: R::NAME,
    }
}

async fn ask<'a, R: Request>(
    remote: &Arc<Remote<R::Messages>>,
    request: R,
    config: &RequestConfig,
    asked: &mut Option<Asked<R::Messages>>,
    _place: SemaphorePermit<'a>,
) -> Result<R::Response, RequestError> {
    let (answer, answered) = oneshot::channel();
    let open = Open {
        request: R::CODE,
        response: R::Response::CODE,
        max_response: config.max_response(),
        since: Instant::now(),
        answer,
    };
    let id = remote.open(open).ok_or_else(|| gone::<R>(remote))?;
    let asked = asked.insert(Asked {
        remote: Arc::clone(remote),
        id,
        ends: GivenUp::Unsent,
    });
    let peer = remote.peer.id();
    match remote.sender.send(&request.into_message(id)).await {
        Ok(()) => asked.ends = GivenUp::Cancelled,
        Err(error) if error.is_shutting_down() => return Err(gone::<R>(remote)),
        Err(source) => {
            return Err(RequestError::Send {
                peer,
                request: R::NAME,
                source,
            });
        }
    }
    let response = match answered.await {
        Ok(Ok(Answer { message, .. })) => {
            let code = message.code();
            R::Response::from_message(message).ok_or(Wrong::Code(code))
        }
        Ok(Err(wrong)) => Err(wrong),
        Err(_) => return Err(gone::<R>(remote)),
    };
    match response {
        Ok((_, response)) => Ok(response),
        Err(Wrong::Code(code)) => Err(RequestError::WrongResponse {
            peer,
            request: R::NAME,
            code,
        }),
        Err(Wrong::Size(size)) => Err(RequestError::TooLarge {
            peer,
            request: R::NAME,
            size,
            limit: config.max_response(),
        }),
    }
}

/// A request that may be open. Dropping this value closes the request.
struct Asked<M: RequestMessages> {
    remote: Arc<Remote<M>>,
    id: u64,
    ends: GivenUp,
}

impl<M: RequestMessages> Drop for Asked<M> {
    fn drop(&mut self) {
        self.remote.give_up(self.id, self.ends);
    }
}

/// A protocol's channel to a peer before requests begin, for the protocol's own handshake.
pub struct BeforeRequests<M: RequestMessages> {
    requests: Requests<M>,
    messages: Arc<Messages<M>>,
    listed: Listed<M>,
    peer: Peer,
    conn: ProtocolConn<M>,
}

impl<M: RequestMessages> BeforeRequests<M> {
    /// Returns the channel, which sends and receives the messages of the handshake.
    pub fn conn(&mut self) -> &mut ProtocolConn<M> {
        &mut self.conn
    }

    /// Starts requests in both directions.
    ///
    /// The requests that have been waiting are sent. The returned channel receives all messages of
    /// the peer that have not been read yet.
    #[must_use = "requests are answered until the channel is dropped"]
    pub fn ready(self) -> RequestConn<M> {
        let requests = self.requests.clone();
        requests.attach(self)
    }
}

impl<M: RequestMessages> Clone for Requests<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M: RequestMessages> fmt::Debug for Requests<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Requests");
        out.field("peers", &self.0.registry.all().len());
        out.finish_non_exhaustive()
    }
}

impl<M: RequestMessages> fmt::Debug for BeforeRequests<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("BeforeRequests");
        out.field("peer", &self.peer.id());
        out.finish_non_exhaustive()
    }
}
