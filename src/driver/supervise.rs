//! Supervises the tasks of a running peer, and ends them all when one ends.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, warn};

use crate::channel::{EndAccount, Inbox, WriteGate};
use crate::p2p::{Capability, DisconnectReason};
use crate::peer::{EndRequest, Liveness, LivenessAction, Peer, PeerError, ProtocolError};
use crate::setup::{DISCONNECT_TIMEOUT, LINGER_BYTES, drain};
use crate::time::after;
use crate::transport::Transport;

/// How long to wait for an aborted task. A task that never yields takes longer to end.
const ABORT_TIMEOUT: Duration = Duration::from_secs(1);

/// Maximum time for the message in progress, the Disconnect and closing the sending side.
///
/// This time starts when all other messages have been written or dropped.
const LAST_FRAMES: Duration = DISCONNECT_TIMEOUT.saturating_mul(2);

/// How long to wait for the remote's Disconnect after a failed write. It may already have arrived.
const LAST_WORDS: Duration = Duration::from_secs(1);

type ReadEnd<T> = (<T as Transport>::Reader, Option<PeerError>);
type ProtocolEnd = Result<(Id, Result<(), ProtocolError>), JoinError>;

/// The tasks of one peer. Dropping this aborts the tasks, which closes the connection.
pub(crate) struct Tasks<T: Transport> {
    /// `None` once it has ended.
    pub(crate) reader: Option<AbortOnDropHandle<ReadEnd<T>>>,
    /// The reading half, once the read loop has ended.
    pub(crate) read_half: Option<T::Reader>,
    /// `None` once it has ended.
    pub(crate) writer: Option<AbortOnDropHandle<Result<(), PeerError>>>,
    pub(crate) protocols: JoinSet<Result<(), ProtocolError>>,
    pub(crate) running: Vec<Running>,
    pub(crate) gate: Arc<WriteGate>,
    pub(crate) budget: EndAccount,
    pub(crate) stop_reading: CancellationToken,
    /// How long to wait for protocols to return and for queued messages to be written.
    pub(crate) grace_period: Duration,
    /// How long the remote may take to close the connection after the Disconnect.
    pub(crate) linger: Duration,
}

/// One protocol's task and its inbox.
pub(crate) struct Running {
    pub(crate) id: Id,
    pub(crate) capability: Capability,
    pub(crate) inbox: Inbox,
}

impl<T: Transport> Tasks<T> {
    /// Waits for the first cause to end the connection.
    ///
    /// Of simultaneous causes it returns the one with the lowest rank. If the cause is a request to
    /// write all queued messages first, it also returns the time at which to drop those that are
    /// still queued.
    pub(crate) async fn first_cause(&mut self, peer: &Peer) -> (PeerError, Option<Instant>) {
        let gate = Arc::clone(&self.gate);
        let requested = peer.control().requested();
        let silent = ping_loop(peer, &gate);
        let budget = Arc::clone(&self.budget.0);
        let evicted = budget.evicted();
        tokio::pin!(requested, silent, evicted);
        let mut drain_until = None;
        let error = poll_fn(|cx| {
            let request = poll(requested.as_mut(), cx);
            let causes = [
                self.poll_reader(cx),
                request.map(|request: EndRequest| {
                    drain_until = request.drain.then_some(request.give_up);
                    PeerError::from(request.cause)
                }),
                self.poll_protocols(cx),
                self.poll_writer(cx),
                poll(silent.as_mut(), cx),
                poll(evicted.as_mut(), cx).map(|()| PeerError::Evicted),
            ];
            let first = causes.into_iter().flatten().min_by_key(PeerError::rank);
            first.map_or(Poll::Pending, Poll::Ready)
        })
        .await;
        // Boxed, because few connections end with a failed write and the others need no memory for
        // this wait.
        (Box::pin(self.or_last_words(error)).await, drain_until)
    }

    fn poll_reader(&mut self, cx: &mut Context<'_>) -> Option<PeerError> {
        let ended = poll(Pin::new(self.reader.as_mut()?), cx)?;
        self.reader = None;
        match ended {
            Ok((half, error)) => {
                self.read_half = Some(half);
                error
            }
            Err(_) => Some(PeerError::Internal("read")),
        }
    }

    fn poll_writer(&mut self, cx: &mut Context<'_>) -> Option<PeerError> {
        let ended = poll(Pin::new(self.writer.as_mut()?), cx)?;
        self.writer = None;
        Some(match ended {
            Ok(Err(error)) => error,
            _ => PeerError::Internal("write"),
        })
    }

    fn poll_protocols(&mut self, cx: &mut Context<'_>) -> Option<PeerError> {
        match self.protocols.poll_join_next_with_id(cx) {
            Poll::Ready(Some(ended)) => self.protocol_cause(ended),
            _ => None,
        }
    }

    /// Returns why the connection must end, given how a protocol ended.
    fn protocol_cause(&self, ended: ProtocolEnd) -> Option<PeerError> {
        let (id, result) = match ended {
            Ok((id, result)) => (id, result),
            Err(error) => (error.id(), Err(ProtocolError::Panicked)),
        };
        let capability = name_of(&self.running, id)?.clone();
        Some(match result {
            Ok(()) => PeerError::ProtocolReturned(capability),
            Err(source) => PeerError::Protocol { capability, source },
        })
    }

    /// Prefers the remote's Disconnect to a failed write.
    ///
    /// When the remote has closed the connection, a write fails, but the remote's Disconnect may
    /// still be unread.
    async fn or_last_words(&mut self, error: PeerError) -> PeerError {
        let failed_write = matches!(error, PeerError::Write(_) | PeerError::SlowWrite(_));
        let Some(reader) = self.reader.as_mut().filter(|_| failed_write) else {
            return error;
        };
        match timeout(LAST_WORDS, reader).await {
            Ok(Ok((half, last))) => {
                self.reader = None;
                self.read_half = Some(half);
                last.filter(PeerError::remote_requested).unwrap_or(error)
            }
            Ok(Err(_)) => {
                self.reader = None;
                error
            }
            Err(_) => error,
        }
    }

    /// Ends all tasks within a limited time, and returns the number of unwritten messages.
    pub(crate) async fn wind_down(
        &mut self,
        peer: &Peer,
        error: &PeerError,
        drain_until: Option<Instant>,
    ) -> usize {
        self.stop_reading.cancel();
        for protocol in &self.running {
            protocol.inbox.close(error.keeps_received());
        }
        let drain = drain_until.is_some() || matches!(error, PeerError::ProtocolReturned(_));
        let reason = error.reason_to_send();
        match error.write_failure() {
            Some(failure) => self.gate.fail(failure),
            None => self.gate.finish(drain, reason),
        }
        let now = Instant::now();
        let give_up = match drain_until {
            Some(at) => at,
            None if drain => after(now, self.grace_period),
            None => now,
        };
        let wire = Closing::<T> {
            reader: self.reader.take(),
            read_half: self.read_half.take(),
            writer: self.writer.take(),
            gate: Arc::clone(&self.gate),
            reason,
        };
        let protocols = end_protocols(&mut self.protocols, &self.running, self.grace_period);
        let given_up = peer.control().give_up(give_up);
        tokio::join!(wire.close(given_up, self.linger), protocols);
        self.gate.close()
    }
}

impl<T: Transport> Drop for Tasks<T> {
    fn drop(&mut self) {
        // Other tasks may still hold senders, which must fail from now on.
        self.gate.close();
    }
}

/// The halves of a connection that is being closed.
struct Closing<T: Transport> {
    reader: Option<AbortOnDropHandle<ReadEnd<T>>>,
    read_half: Option<T::Reader>,
    writer: Option<AbortOnDropHandle<Result<(), PeerError>>>,
    gate: Arc<WriteGate>,
    /// The reason in our Disconnect, if one is sent. The remote should be able to read it.
    reason: Option<DisconnectReason>,
}

impl<T: Transport> Closing<T> {
    /// Waits for the write loop to finish, then for the remote to close.
    ///
    /// If a Disconnect is sent, all input is read and discarded in the meantime: a remote that
    /// cannot send might not read either, and unread input would turn the close into a reset.
    /// Messages that are still queued when `given_up` completes are dropped.
    async fn close(self, given_up: impl Future<Output = ()>, linger: Duration) {
        let mut half = match self.reader {
            Some(reader) => reader.await.ok().map(|(half, _)| half),
            None => self.read_half,
        };
        let Some(mut writer) = self.writer else {
            return;
        };
        let written = {
            let forget = async {
                match half.as_mut().filter(|_| self.reason.is_some()) {
                    Some(half) => drain(half, usize::MAX).await,
                    None => std::future::pending().await,
                }
            };
            let finished = async {
                tokio::select! {
                    // A finished write takes precedence over giving up.
                    biased;
                    written = &mut writer => return Ok(written),
                    () = given_up => {}
                }
                self.gate.finish(false, self.reason);
                timeout(LAST_FRAMES, &mut writer).await
            };
            tokio::pin!(finished, forget);
            tokio::select! {
                // The end of the write loop is polled first, since only its result counts.
                biased;
                finished = &mut finished => finished,
                // The remote has closed; the write loop will notice.
                _ = &mut forget => finished.await,
            }
        };
        match (written, half) {
            (Ok(Ok(Ok(()))), Some(mut half)) if self.reason.is_some() => {
                // If the remote does not close in time, nothing more can be done.
                let _ = timeout(linger, drain(&mut half, LINGER_BYTES)).await;
            }
            (Err(_), _) => {
                writer.abort();
                // Wait for the write loop, because until it ends it might still write messages that
                // are counted as unsent.
                let _ = timeout(ABORT_TIMEOUT, writer).await;
            }
            _ => {}
        }
    }
}

fn name_of(running: &[Running], id: Id) -> Option<&Capability> {
    let protocol = running.iter().find(|protocol| protocol.id == id);
    protocol.map(|protocol| &protocol.capability)
}

/// Waits for all protocols, and aborts those that have not returned after `grace`.
async fn end_protocols(
    protocols: &mut JoinSet<Result<(), ProtocolError>>,
    running: &[Running],
    grace: Duration,
) {
    let all = async {
        while let Some(ended) = protocols.join_next_with_id().await {
            if let Ok((id, Err(error))) = ended
                && !error.is_shutting_down()
            {
                debug!(protocol = ?name_of(running, id), %error, "protocol failed while the connection ended");
            }
        }
    };
    if timeout(grace, all).await.is_err() {
        warn!(
            left = protocols.len(),
            "protocols did not return within the grace period"
        );
        protocols.abort_all();
        let gone = async { while protocols.join_next().await.is_some() {} };
        if timeout(ABORT_TIMEOUT, gone).await.is_err() {
            warn!(
                left = protocols.len(),
                "protocols block their thread and cannot be aborted"
            );
            protocols.detach_all();
        }
    }
}

/// Sends Pings on schedule, and returns when the remote has been silent for too long.
async fn ping_loop(peer: &Peer, gate: &WriteGate) -> PeerError {
    loop {
        // Read the time under the lock, so that the ping loop and the read loop report times in
        // order.
        let next = |liveness: &mut Liveness| liveness.poll(Instant::now());
        match peer.control().with_liveness(next) {
            LivenessAction::SendPing => gate.ping(),
            LivenessAction::TimedOut(after) => return PeerError::Silent(after),
            LivenessAction::WaitUntil(at) => tokio::select! {
                // After either of these, poll again.
                biased;
                () = sleep_until(at) => {}
                () = peer.control().ping_wanted.notified() => {}
            },
        }
    }
}

fn poll<F: Future>(future: Pin<&mut F>, cx: &mut Context<'_>) -> Option<F::Output> {
    match future.poll(cx) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
