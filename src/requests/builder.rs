use std::fmt;
use std::future::Future;

use super::answers::Answers;
use super::config::RequestConfig;
use super::handle::Requests;
use crate::channel::Received;
use crate::message::{Request, RequestMessages};
use crate::peer::{Peer, ProtocolError};

/// Builds [`Requests`] from a configuration and answer functions.
#[must_use]
pub struct RequestsBuilder<M> {
    config: RequestConfig,
    answers: Answers<M>,
}

impl<M: RequestMessages> Requests<M> {
    /// Returns a handle with the default configuration and no answer functions.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Returns a builder with the default configuration and no answer functions.
    pub fn builder() -> RequestsBuilder<M> {
        RequestsBuilder {
            config: RequestConfig::default(),
            answers: Answers::none(),
        }
    }
}

impl<M: RequestMessages> Default for Requests<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: RequestMessages> RequestsBuilder<M> {
    /// Sets the limits.
    pub fn config(mut self, config: RequestConfig) -> Self {
        self.config = config;
        self
    }

    /// Sets the function that answers requests of one type.
    ///
    /// The function runs in the task of the protocol, and must not block the task's thread. Up to
    /// [`answering`](RequestConfig::with_answering) calls run at a time for each peer. If the
    /// function returns an error, the peer is disconnected, as after an error of the protocol's own
    /// function. The same happens if the response is larger than its message's `max_size`. If the
    /// requested data is missing, return a response that says so.
    pub fn answer<R, F, Fut>(self, answer: F) -> Self
    where
        R: Request<Messages = M>,
        F: Fn(Peer, R) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R::Response, ProtocolError>> + Send + 'static,
    {
        self.answer_received(move |peer, request: Received<R>| answer(peer, request.into_inner()))
    }

    /// Like [`answer`](Self::answer), for a function that needs to know when the request arrived.
    ///
    /// [`Received::received_at`] is the time at which the request was read, before it waited for
    /// others to be answered. The room of the request is released after the answer, no matter what
    /// the function does with it.
    pub fn answer_received<R, F, Fut>(mut self, answer: F) -> Self
    where
        R: Request<Messages = M>,
        F: Fn(Peer, Received<R>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R::Response, ProtocolError>> + Send + 'static,
    {
        self.answers.set(answer);
        self
    }

    /// Sets the function that answers requests of one type while the limits are reached.
    ///
    /// A limited number of a peer's requests [are answered](RequestConfig::with_answering) at a
    /// time, and a limited number [wait](RequestConfig::with_waiting). Each request that arrives
    /// while both limits are reached gets this busy answer.
    pub fn when_busy<R: Request<Messages = M>>(
        mut self,
        answer: impl Fn(R) -> R::Response + Send + Sync + 'static,
    ) -> Self {
        self.answers.set_busy(answer);
        self
    }

    /// Builds the handle.
    #[must_use]
    pub fn build(self) -> Requests<M> {
        Requests::of(self.config, self.answers)
    }
}

impl<M> fmt::Debug for RequestsBuilder<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("RequestsBuilder");
        out.field("config", &self.config).finish_non_exhaustive()
    }
}
