use std::fmt;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::{Instant, sleep};

use super::config::RequestConfig;
use super::error::RequestError;
use super::handle::Requests;
use super::remote::Remote;
use crate::message::{Request, RequestMessages};
use crate::node::NodeId;
use crate::peer::Peer;
use crate::time::after;

type Filter = Box<dyn Fn(&Peer) -> bool + Send + Sync>;
/// Why a try failed, and when its time limit passes.
type Failed = (RequestError, Instant);
type Accept<R> = Box<dyn Fn(&Peer, &R) -> bool + Send + Sync>;

/// A request that any of several peers may answer, made by [`Requests::any`].
#[must_use = "nothing is sent before `send`"]
pub struct AnyPeer<'a, R: Request> {
    requests: &'a Requests<R::Messages>,
    request: R,
    config: RequestConfig,
    among: Filter,
    accept: Accept<R::Response>,
    tries: usize,
    hedge: Option<Duration>,
}

impl<M: RequestMessages> Requests<M> {
    /// Returns a request that is sent to one peer after another until one answers.
    ///
    /// Peers with a free slot come before others, then those with fewer timeouts in a row, then
    /// those that answer faster. A peer that has not been asked before counts as fast. If no other
    /// peer is left, a peer whose protocol is still in its handshake is asked. Like
    /// [`request`](Self::request), the request then waits for the handshake.
    pub fn any<R: Request<Messages = M> + Clone>(&self, request: R) -> AnyPeer<'_, R> {
        AnyPeer {
            requests: self,
            request,
            config: *self.config(),
            among: Box::new(|_| true),
            accept: Box::new(|_, _| true),
            tries: 3,
            hedge: None,
        }
    }
}

impl<R: Request + Clone> AnyPeer<'_, R> {
    /// Asks only peers for which `among` returns true.
    pub fn among(mut self, among: impl Fn(&Peer) -> bool + Send + Sync + 'static) -> Self {
        self.among = Box::new(among);
        self
    }

    /// Asks the next peer if `accept` rejects a peer's response, for example an empty one.
    ///
    /// For a response that no honest peer sends, `accept` can also
    /// [penalise](Peer::penalise) the peer.
    pub fn accept(
        mut self,
        accept: impl Fn(&Peer, &R::Response) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.accept = Box::new(accept);
        self
    }

    /// Asks at most this many peers, each of them only once.
    ///
    /// Default: 3.
    pub fn tries(mut self, tries: usize) -> Self {
        self.tries = tries;
        self
    }

    /// Also asks the next peer whenever there is no response after this time.
    ///
    /// So one more peer is asked each time this time passes, up to the number of
    /// [tries](Self::tries). The first accepted response counts, and the other requests are
    /// cancelled. Default: never.
    pub fn hedge_after(mut self, wait: Duration) -> Self {
        self.hedge = Some(wait);
        self
    }

    /// Sets the time limit of each try, and the other settings of [`Requests::request_with`].
    pub fn config(mut self, config: RequestConfig) -> Self {
        self.config = config;
        self
    }

    /// Sends the request, and returns the peer that answered and its response.
    ///
    /// # Errors
    /// [`RequestError::Nobody`] with the last failure, if no peer's response was accepted.
    ///
    /// # Cancel safety
    /// Same as [`Requests::request`].
    pub async fn send(self) -> Result<(Peer, R::Response), RequestError> {
        let mut tried: Vec<NodeId> = Vec::new();
        let mut last = None;
        let mut open = FuturesUnordered::new();
        loop {
            let next = if tried.len() < self.tries {
                self.next(&tried)
            } else {
                None
            };
            // If there is no other peer to ask, the loop only waits for responses.
            let hedge = self.hedge.filter(|_| next.is_some());
            if let Some(peer) = next {
                tried.push(peer.id());
                open.push(self.ask(peer));
            } else if open.is_empty() {
                return Err(nobody::<R>(tried.len(), last).await);
            }
            let hedge = wait(hedge);
            tokio::pin!(hedge);
            tokio::select! {
                // Responses are polled first, so that no other peer is asked once a response has
                // arrived.
                biased;
                Some((peer, result)) = open.next() => match result {
                    Ok(response) => return Ok((peer, response)),
                    Err(failed) => last = Some(failed),
                },
                () = &mut hedge => {}
            }
        }
    }

    /// Asks a peer. If the peer has gone, this does not wait for the reason, because the next peer
    /// can be asked at once.
    async fn ask(&self, peer: Peer) -> (Peer, Result<R::Response, Failed>) {
        let (id, request) = (peer.id(), self.request.clone());
        let deadline = after(Instant::now(), self.config.timeout());
        let asked = self
            .requests
            .request_until(deadline, &id, request, &self.config);
        let result = match asked.await {
            Ok(response) if (self.accept)(&peer, &response) => Ok(response),
            Ok(_) => Err(RequestError::Rejected {
                peer: id,
                request: R::NAME,
            }),
            Err(error) => Err(error),
        };
        (peer, result.map_err(|error| (error, deadline)))
    }

    /// Returns the peer to ask next. Peers whose handshake is under way come last, because a
    /// request to such a peer waits for the handshake.
    fn next(&self, tried: &[NodeId]) -> Option<Peer> {
        self.next_ready(tried).or_else(|| {
            let unready = self.requests.unready().into_iter();
            let left = unready.filter(|peer| !tried.contains(&peer.id()));
            left.filter(|peer| (self.among)(peer)).min_by_key(Peer::id)
        })
    }

    fn next_ready(&self, tried: &[NodeId]) -> Option<Peer> {
        let remotes = self.requests.remotes().into_iter();
        let left = remotes.filter(|remote| !tried.contains(&remote.peer.id()));
        let wanted = left.filter(|remote| (self.among)(&remote.peer));
        let rank = |remote: &Arc<Remote<R::Messages>>| {
            let estimate = remote.estimate(R::CODE);
            let timed_out = estimate.map_or(0, |estimate| estimate.timed_out_in_row());
            let round_trip = estimate.map_or(Duration::ZERO, |estimate| estimate.round_trip());
            let full = remote.places.available_permits() == 0;
            (full, timed_out, round_trip, remote.peer.id())
        };
        Some(wanted.min_by_key(rank)?.peer.clone())
    }
}

/// Returns the error when no peer is left, with the last failure.
async fn nobody<R: Request>(tried: usize, last: Option<Failed>) -> RequestError {
    if let Some((error, deadline)) = &last {
        error.settled(*deadline).await;
    }
    RequestError::Nobody {
        request: R::NAME,
        tried,
        last: last.map(|(error, _)| Box::new(error)),
    }
}

async fn wait(time: Option<Duration>) {
    match time {
        Some(time) => sleep(time).await,
        None => pending().await,
    }
}

impl<R: Request + fmt::Debug> fmt::Debug for AnyPeer<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyPeer")
            .field("request", &self.request)
            .field("tries", &self.tries)
            .finish_non_exhaustive()
    }
}
