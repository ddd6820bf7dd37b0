//! The functions that answer requests.

use std::future::Future;
use std::pin::Pin;

use crate::channel::{Charge, Received};
use crate::message::{Request, RequestMessages, Response};
use crate::peer::{Peer, ProtocolError};

/// The future of a response. The response contains the id of the request that it answers.
pub(super) type Answering<M> = Pin<Box<dyn Future<Output = Result<M, ProtocolError>> + Send>>;

type AnswerFn<M> = dyn Fn(&Peer, M, &Charge) -> Option<Answering<M>> + Send + Sync;
type BusyFn<M> = dyn Fn(M) -> Option<M> + Send + Sync;

/// The functions that answer the requests of a message set, by request code.
pub(super) struct Answers<M>(Vec<Entry<M>>);

struct Entry<M> {
    code: u64,
    answer: Option<Box<AnswerFn<M>>>,
    busy: Option<Box<BusyFn<M>>>,
}

impl<M: RequestMessages> Answers<M> {
    pub(super) const fn none() -> Self {
        Self(Vec::new())
    }

    pub(super) fn set<R, F, Fut>(&mut self, answer: F)
    where
        R: Request<Messages = M>,
        F: Fn(Peer, Received<R>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R::Response, ProtocolError>> + Send + 'static,
    {
        self.entry(R::CODE).answer = Some(Box::new(move |peer, message, charge| {
            let (id, request) = R::from_message(message)?;
            let request = Received::new(request, charge.without_room());
            let response = answer(peer.clone(), request);
            Some(Box::pin(
                async move { Ok(response.await?.into_message(id)) },
            ))
        }));
    }

    pub(super) fn set_busy<R: Request<Messages = M>>(
        &mut self,
        answer: impl Fn(R) -> R::Response + Send + Sync + 'static,
    ) {
        self.entry(R::CODE).busy = Some(Box::new(move |message| {
            let (id, request) = R::from_message(message)?;
            Some(answer(request).into_message(id))
        }));
    }

    /// Begins to answer a request. Returns `None` if no function answers requests of its type.
    ///
    /// The caller keeps the request's charge until the answer is sent.
    pub(super) fn begin(&self, peer: &Peer, request: M, charge: &Charge) -> Option<Answering<M>> {
        let mut entries = self.0.iter();
        let entry = entries.find(|entry| entry.code == request.code())?;
        entry.answer.as_ref()?(peer, request, charge)
    }

    /// Returns whether requests with this code have a busy answer.
    pub(super) fn has_busy(&self, code: u64) -> bool {
        let mut entries = self.0.iter();
        entries.any(|entry| entry.code == code && entry.busy.is_some())
    }

    /// Returns the answer to a request that arrives while the limits are reached.
    pub(super) fn busy(&self, request: M) -> Option<M> {
        let mut entries = self.0.iter();
        let entry = entries.find(|entry| entry.code == request.code())?;
        entry.busy.as_ref()?(request)
    }

    fn entry(&mut self, code: u64) -> &mut Entry<M> {
        let place = self.0.iter().position(|entry| entry.code == code);
        let place = place.unwrap_or_else(|| {
            self.0.push(Entry {
                code,
                answer: None,
                busy: None,
            });
            self.0.len() - 1
        });
        &mut self.0[place]
    }
}
