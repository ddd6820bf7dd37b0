//! The write loop: messages → frames → socket.
//!
//! Only this loop takes messages out of the write gate, since it alone holds the sealing half of
//! the session.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::trace;

use super::SILENCE;
use super::gather::Gather;
use crate::channel::{Batch, Flushed, MessageTap, Next, Payload, WriteGate};
use crate::p2p::{DisconnectReason, ids};
use crate::peer::{Patience, Peer, PeerError, Transfer};
use crate::recorder::{Notes, PingNote, RecordedEvent};
use crate::rlpx::{Egress, Prepared, SealError};
use crate::setup::DISCONNECT_TIMEOUT;
use crate::transport::Transport;

/// A message larger than this is sealed in pieces of this size. Each piece is written before the
/// next one is sealed.
const PIECE: usize = 64 << 10;

/// Like `PIECE`, for a message that is sent to many peers.
///
/// The peers share the message's payload, so each peer needs memory only for one piece.
const SHARED_PIECE: usize = 16 << 10;

/// The recorder notes a write that takes longer than this.
const SLOW: Duration = Duration::from_millis(100);

/// Writes one connection until the gate closes or a write fails.
pub(crate) struct WriteLoop<T: Transport> {
    pub(crate) writer: T::Writer,
    pub(crate) egress: Egress,
    pub(crate) gate: Arc<WriteGate>,
    /// For each lane its first message id and its tap.
    pub(crate) taps: Vec<(u64, MessageTap)>,
    pub(crate) notes: Notes,
    pub(crate) peer: Peer,
    pub(crate) patience: Patience,
    pub(crate) gather: Gather,
    /// Whether anything was written since memory was last freed.
    pub(crate) used: bool,
}

impl<T: Transport> WriteLoop<T> {
    /// Runs to the end.
    ///
    /// Returns `Ok` once the final frame has been written and the sending side is closed, or if the
    /// gate was closed before that.
    pub(crate) async fn run(mut self: Box<Self>) -> Result<(), PeerError> {
        let mut batch = Batch::default();
        let mut out = BytesMut::new();
        loop {
            match self.next(&mut batch, &mut out).await {
                Next::Batch => self.write(&mut batch, &mut out).await?,
                Next::Finish(reason) => {
                    return self.finish(reason, out).await.map_err(PeerError::Write);
                }
                Next::Stop => return Ok(()),
            }
        }
    }

    /// Waits for something to write.
    ///
    /// If there is nothing to write for [`SILENCE`], it frees memory and continues to wait.
    async fn next(&mut self, batch: &mut Batch, out: &mut BytesMut) -> Next {
        let limit = self.gather.limit();
        if self.used {
            if let Ok(next) = timeout(SILENCE, self.gate.next(batch, limit)).await {
                return next;
            }
            self.used = false;
            *out = BytesMut::new();
            *batch = Batch::default();
            self.egress.shrink();
            self.gate.budget().set_sealing(self.egress.sealing(0));
            self.gate.shrink();
            self.notes.shrink();
            self.gate.spare.clear();
        }
        self.gate.next(batch, limit).await
    }

    /// Seals a batch and writes it. Unless the batch is large, one call writes all of it.
    ///
    /// No message is sealed twice, because an error here ends the connection. If the gate begins to
    /// drop messages in the meantime, those whose writing has not started stay in the batch.
    async fn write(&mut self, batch: &mut Batch, out: &mut BytesMut) -> Result<(), PeerError> {
        self.used = true;
        let (bytes, started) = (batch.bytes(), Instant::now());
        let written = self.write_frames(batch, out, started).await?;
        let at = Instant::now();
        let took = at.saturating_duration_since(started);
        self.gather.on_written(bytes, took);
        if bytes > PIECE {
            self.settle();
        }
        self.tell_written(batch, written, at);
        if took > SLOW {
            let size = bytes as u64;
            self.notes
                .note(at, || RecordedEvent::SlowWrite { size, took });
        }
        self.notes.hand_over(at);
        Ok(())
    }

    /// Frees the memory used to seal a large message. If the node has plenty of memory, this keeps
    /// it for the next message.
    fn settle(&mut self) {
        if !self.gate.budget().is_plentiful() {
            self.egress.shrink();
        }
        self.gate.budget().set_sealing(self.egress.sealing(0));
    }

    /// Writes the frames of a batch, and returns the number of messages written.
    async fn write_frames(
        &mut self,
        batch: &Batch,
        out: &mut BytesMut,
        started: Instant,
    ) -> Result<usize, PeerError> {
        let mut written = 0;
        let mut sending = Sending {
            transfer: self.patience.begin(started),
            done: 0,
            size: batch.bytes(),
        };
        for (_, frame) in batch.messages() {
            let is_whole = match &frame.payload {
                Payload::Own(payload) => payload.len() <= PIECE,
                Payload::Shared(shared) => shared.data().plain().len() <= SHARED_PIECE,
            };
            if !is_whole {
                sending.write_all(&mut self.writer, out).await?;
                out.clear();
                // Once started, a frame must be finished before a Disconnect can be sent, so start
                // no more.
                if self.gate.is_dropping() {
                    break;
                }
            }
            match &frame.payload {
                Payload::Own(payload) if is_whole => {
                    let sealed = self.egress.seal(frame.id, payload, out);
                    sealed.map_err(unsealed)?;
                }
                Payload::Own(payload) => {
                    self.write_large(frame.id, payload, &mut sending).await?;
                }
                Payload::Shared(shared) => {
                    self.write_shared(frame.id, shared.data(), out, &mut sending)
                        .await?;
                }
            }
            written += 1;
        }
        sending.write_all(&mut self.writer, out).await?;
        out.clear();
        sending.in_time(self.writer.flush()).await?;
        Ok(written)
    }

    async fn write_large(
        &mut self,
        id: u64,
        payload: &[u8],
        sending: &mut Sending,
    ) -> Result<(), PeerError> {
        let sealing = self.egress.sealing(payload.len());
        self.gate.budget().set_sealing(sealing);
        let mut pieces = self.egress.begin(id, payload).map_err(unsealed)?;
        while let Some(piece) = self.egress.next_piece(&mut pieces, PIECE) {
            sending.write_all(&mut self.writer, piece).await?;
        }
        Ok(())
    }

    /// Writes a shared message, except its last piece.
    ///
    /// The last piece stays in `out`, to be written together with the next message of the batch.
    async fn write_shared(
        &mut self,
        id: u64,
        data: &Prepared,
        out: &mut BytesMut,
        sending: &mut Sending,
    ) -> Result<(), PeerError> {
        let mut pieces = self.egress.begin_prepared(id, data).map_err(unsealed)?;
        while self.egress.append_piece(&mut pieces, SHARED_PIECE, out) {
            if out.len() >= SHARED_PIECE {
                sending.write_all(&mut self.writer, out).await?;
                out.clear();
            }
        }
        Ok(())
    }

    /// Reports that the first `written` messages of a batch were written by `at`.
    fn tell_written(&mut self, batch: &mut Batch, written: usize, at: Instant) {
        let waiting = u16::try_from(batch.left()).unwrap_or(u16::MAX);
        for (lane, waited) in batch.waits() {
            if let Some((_, tap)) = self.taps.get(*lane) {
                tap.gate_waited_for(*waited);
            }
        }
        batch.counted(written, |lane, frames| {
            self.gate.count_written(lane, frames);
        });
        for (lane, frame) in batch.drain(written) {
            let lane = lane.and_then(|lane| Some((lane, self.taps.get(lane)?)));
            if let Some((lane, (offset, tap))) = lane {
                let (code, size) = (frame.id - offset, frame.payload.len());
                let protocols = self.peer.shared_capabilities();
                trace!(
                    protocol = protocols.get(lane).map(|one| display(&one.capability)),
                    code, size, waiting, "sent"
                );
                tap.sent(code, size);
                self.notes.note(at, || RecordedEvent::Sent {
                    protocol: u16::try_from(lane).unwrap_or(u16::MAX),
                    code,
                    size: u32::try_from(size).unwrap_or(u32::MAX),
                    waiting,
                });
            } else if frame.id == ids::PING {
                self.peer
                    .control()
                    .with_liveness(|liveness| liveness.on_ping_written(at));
                self.notes.ping(at, PingNote::Sent);
            }
            if let Payload::Own(payload) = frame.payload {
                self.gate.spare.keep(payload);
            }
            if let Some(Flushed::One(flushed)) = frame.flushed {
                // The sender may have stopped waiting.
                let _ = flushed.send(());
            }
        }
    }

    async fn finish(
        mut self: Box<Self>,
        reason: Option<DisconnectReason>,
        mut out: BytesMut,
    ) -> io::Result<()> {
        if let Some(reason) = reason {
            self.egress
                .seal(ids::DISCONNECT, &reason.encode(), &mut out)
                .map_err(io::Error::other)?;
            let write = self.writer.write_all(&out);
            timeout(DISCONNECT_TIMEOUT, write)
                .await
                .map_err(timed_out)??;
            let at = Instant::now();
            self.notes
                .note(at, || RecordedEvent::DisconnectSent { reason });
            self.notes.hand_over(at);
        }
        let close = self.writer.shutdown();
        timeout(DISCONNECT_TIMEOUT, close)
            .await
            .map_err(timed_out)?
    }
}

/// A batch that is being written, with its deadline.
struct Sending {
    transfer: Transfer,
    done: usize,
    size: usize,
}

impl Sending {
    async fn write_all<W>(&mut self, writer: &mut W, mut bytes: &[u8]) -> Result<(), PeerError>
    where
        W: AsyncWrite + Unpin,
    {
        while !bytes.is_empty() {
            let written = self.in_time(writer.write(bytes)).await?;
            bytes = bytes.get(written..).unwrap_or_default();
            self.done += written;
            if written == 0 {
                return Err(PeerError::Write(io::ErrorKind::WriteZero.into()));
            }
        }
        Ok(())
    }

    /// Waits until the socket has accepted the bytes or the deadline has passed. Most writes
    /// complete at once, so the clock is read only if the write must wait.
    async fn in_time<R>(
        &mut self,
        io: impl Future<Output = io::Result<R>>,
    ) -> Result<R, PeerError> {
        let mut io = pin!(io);
        let ready = match poll_fn(|cx| Poll::Ready(io.as_mut().poll(cx))).await {
            Poll::Ready(done) => done,
            Poll::Pending => {
                // All bytes before this write have just been written.
                self.transfer.progress(Instant::now());
                let until = self.transfer.until(self.size);
                let done = timeout_at(until, io).await;
                done.map_err(|_| {
                    PeerError::SlowWrite(self.transfer.too_slow(self.done, self.size))
                })?
            }
        };
        ready.map_err(PeerError::Write)
    }
}

impl<T: Transport> Drop for WriteLoop<T> {
    fn drop(&mut self) {
        self.gate.budget().set_sealing(0);
        // Free the spare memory, because this may have been the last connection that used it.
        self.gate.spare.clear();
    }
}

fn unsealed(error: SealError) -> PeerError {
    PeerError::Write(io::Error::other(error))
}

fn timed_out(_: tokio::time::error::Elapsed) -> io::Error {
    io::ErrorKind::TimedOut.into()
}
