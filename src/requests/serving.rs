//! The requests of one peer that are being answered, and those that wait.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::StreamExt;
use futures::stream::FuturesUnordered;

use super::answers::{Answering, Answers};
use super::config::RequestConfig;
use super::remote::Remote;
use crate::channel::{Charge, Received};
use crate::message::{MessageError, RequestMessages};
use crate::peer::ProtocolError;

type Running = Pin<Box<dyn Future<Output = Result<(), ProtocolError>> + Send>>;

pub(super) struct Serving<M: RequestMessages> {
    answers: Arc<Answers<M>>,
    remote: Arc<Remote<M>>,
    running: FuturesUnordered<Running>,
    waiting: VecDeque<(M, Charge)>,
    most_running: usize,
    most_waiting: usize,
}

impl<M: RequestMessages> Serving<M> {
    pub(super) fn new(
        answers: Arc<Answers<M>>,
        remote: Arc<Remote<M>>,
        config: &RequestConfig,
    ) -> Self {
        Self {
            answers,
            remote,
            running: FuturesUnordered::new(),
            waiting: VecDeque::new(),
            most_running: config.answering(),
            most_waiting: config.waiting(),
        }
    }

    /// Returns whether one more request can be answered or wait.
    pub(super) fn has_room(&self) -> bool {
        self.running.len() < self.most_running || self.waiting.len() < self.most_waiting
    }

    /// Answers a request immediately, lets it wait, or sends the busy answer.
    ///
    /// # Errors
    /// If the request has no answer function, or the answer fails.
    pub(super) fn take(
        &mut self,
        request: Received<M>,
        cx: &mut Context<'_>,
    ) -> Result<(), ProtocolError> {
        let (request, charge) = request.into_message_and_charge();
        if self.running.len() < self.most_running {
            return self.begin(request, charge, cx);
        }
        if self.waiting.len() < self.most_waiting {
            self.waiting.push_back((request, charge));
            return Ok(());
        }
        let busy = self.answers.busy(request);
        self.remote.count(|stats| stats.busy += 1);
        match busy {
            Some(busy) => self.run(self.reply(busy, charge), cx),
            None => Ok(()),
        }
    }

    /// Returns whether a further request with this code gets a busy answer.
    pub(super) fn answers_when_busy(&self, code: u64) -> bool {
        // The number of busy answers that wait to be sent is limited too.
        self.answers.has_busy(code)
            && self.running.len() < self.most_running.saturating_add(self.most_waiting)
    }

    /// Continues the answers in progress. Returns `Ready` with the error if an answer fails.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ProtocolError> {
        loop {
            match self.running.poll_next_unpin(cx) {
                Poll::Ready(Some(Err(error))) => return Poll::Ready(error),
                Poll::Ready(Some(Ok(()))) => {}
                Poll::Ready(None) | Poll::Pending => return Poll::Pending,
            }
            while self.running.len() < self.most_running
                && let Some((request, charge)) = self.waiting.pop_front()
            {
                if let Err(error) = self.begin(request, charge, cx) {
                    return Poll::Ready(error);
                }
            }
        }
    }

    fn begin(
        &mut self,
        request: M,
        charge: Charge,
        cx: &mut Context<'_>,
    ) -> Result<(), ProtocolError> {
        let code = request.code();
        let answering = self.answers.begin(&self.remote.peer, request, &charge);
        let answering = answering.ok_or(MessageError::NotAllowed {
            code,
            rule: "this side does not answer such requests",
        })?;
        let answered = self.answer(answering, charge);
        self.run(answered, cx)
    }

    /// Polls an answer once before queueing it. Most answers complete immediately, and therefore
    /// need no slot.
    fn run(&mut self, mut running: Running, cx: &mut Context<'_>) -> Result<(), ProtocolError> {
        match running.as_mut().poll(cx) {
            Poll::Ready(result) => result,
            Poll::Pending => {
                self.running.push(running);
                Ok(())
            }
        }
    }

    fn answer(&self, answering: Answering<M>, charge: Charge) -> Running {
        let remote = Arc::clone(&self.remote);
        Box::pin(async move {
            let response = answering.await?;
            send(&remote, &response).await?;
            remote.count(|stats| stats.served += 1);
            // The memory of the request is charged until the request is answered.
            drop(charge);
            Ok(())
        })
    }

    fn reply(&self, busy: M, charge: Charge) -> Running {
        let remote = Arc::clone(&self.remote);
        Box::pin(async move {
            send(&remote, &busy).await?;
            drop(charge);
            Ok(())
        })
    }
}

async fn send<M: RequestMessages>(remote: &Remote<M>, response: &M) -> Result<(), ProtocolError> {
    match remote.sender.send(response).await {
        // The end of the connection is not an error here, because the receiver reports it.
        Err(error) if error.is_shutting_down() => Ok(()),
        result => Ok(result?),
    }
}
