//! The read loop: socket → frames → messages.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::io::AsyncReadExt;
use tokio::task::yield_now;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::SILENCE;
use super::busy_poll::BusyPoll;
use super::dispatch::Dispatch;
use super::pause::cause_over;
use crate::channel::{OverBudget, PeerBudget};
use crate::peer::{Patience, Peer, PeerError, Transfer};
use crate::rlpx::{Ingress, Opened, ReadBuffer};
use crate::transport::Transport;

/// Reads one connection until it ends.
pub(crate) struct ReadLoop<T: Transport> {
    pub(crate) reader: T::Reader,
    pub(crate) ingress: Ingress,
    pub(crate) buffer: ReadBuffer,
    pub(crate) dispatch: Dispatch,
    pub(crate) busy_poll: BusyPoll,
    pub(crate) budget: Arc<PeerBudget>,
    pub(crate) peer: Peer,
    pub(crate) patience: Patience,
    pub(crate) stop: CancellationToken,
    /// How many bytes of the buffer are charged to the budget.
    pub(crate) charged: usize,
    /// The message whose first bytes have arrived.
    pub(crate) arriving: Option<Transfer>,
    /// When the last bytes in the buffer were read.
    pub(crate) read_at: Instant,
}

impl<T: Transport> ReadLoop<T> {
    /// Runs until the connection ends or the loop is stopped.
    ///
    /// Returns the error that ended the connection, or `None` if the loop was stopped. It always
    /// returns the reading half, so that the connection can be closed cleanly.
    pub(crate) async fn run(mut self: Box<Self>) -> (T::Reader, Option<PeerError>) {
        let stop = self.stop.clone();
        let error = tokio::select! {
            // Reading is polled before the stop, since it may still return the remote's Disconnect.
            biased;
            error = self.read() => Some(error),
            () = stop.cancelled() => None,
        };
        self.budget.release(self.charged);
        (self.reader, error)
    }

    async fn read(&mut self) -> PeerError {
        loop {
            if let Err(error) = self.step().await {
                self.dispatch.hand_over(self.read_at);
                return error;
            }
        }
    }

    /// Handles one complete message, or reads more bytes.
    async fn step(&mut self) -> Result<(), PeerError> {
        match self.ingress.open(self.buffer.filled())? {
            Opened::Frame { frame, consumed } => {
                self.dispatch.handle(&frame, self.read_at).await?;
                self.buffer.consume(consumed);
                self.arriving = None;
                if !self.buffer.is_empty() {
                    self.busy_poll.on_bulk();
                }
                Ok(())
            }
            Opened::NeedMore { total } => {
                self.dispatch.hand_over(self.read_at);
                if self.buffer.is_empty() {
                    self.shrink();
                }
                self.fill(total).await
            }
        }
    }

    /// Reads once.
    async fn fill(&mut self, total: usize) -> Result<(), PeerError> {
        self.charge(total).await?;
        let read = if self.buffer.is_empty() {
            self.first(total).await
        } else {
            self.rest(total).await?
        };
        match read {
            Ok(0) => Err(PeerError::Closed),
            Ok(_) => {
                let now = Instant::now();
                self.read_at = now;
                if let Some(arriving) = &mut self.arriving {
                    arriving.progress(now);
                }
                self.peer
                    .control()
                    .with_liveness(|liveness| liveness.on_bytes(now));
                Ok(())
            }
            Err(error) => Err(PeerError::Read(error)),
        }
    }

    /// Reads the first bytes of a message and notes their arrival.
    async fn first(&mut self, total: usize) -> io::Result<usize> {
        let looked = self.look(total).await;
        let found = looked.is_some();
        let read = match looked {
            Some(read) => read,
            None => self.wait(total).await,
        };
        let now = Instant::now();
        self.busy_poll.on_arrival(found, now);
        self.arriving = Some(self.patience.begin(now));
        read
    }

    /// Reads more bytes of a message, or fails at the message's deadline.
    async fn rest(&mut self, total: usize) -> Result<io::Result<usize>, PeerError> {
        self.busy_poll.on_bulk();
        let held = self.buffer.len();
        // The first bytes may have arrived together with the previous message.
        let patience = self.patience;
        let arriving = *self
            .arriving
            .get_or_insert_with(|| patience.begin(Instant::now()));
        let read = self.reader.read_buf(self.buffer.prepare(total));
        let read = timeout_at(arriving.until(total), read).await;
        read.map_err(|_| PeerError::SlowMessage(arriving.too_slow(held, total)))
    }

    /// Polls for a few turns of the runtime, if this may find the next message.
    async fn look(&mut self, total: usize) -> Option<io::Result<usize>> {
        for _ in 0..self.busy_poll.turns() {
            let mut read = pin!(self.reader.read_buf(self.buffer.prepare(total)));
            if let Poll::Ready(read) = poll_fn(|cx| Poll::Ready(read.as_mut().poll(cx))).await {
                return Some(read);
            }
            yield_now().await;
        }
        None
    }

    /// Sleeps until the first bytes of a message arrive.
    ///
    /// If nothing arrives for [`SILENCE`], it frees memory and continues to wait.
    async fn wait(&mut self, total: usize) -> io::Result<usize> {
        let read = self.reader.read_buf(self.buffer.prepare(total));
        if let Ok(read) = timeout(SILENCE, read).await {
            return read;
        }
        self.buffer.shrink_idle();
        self.settle();
        self.dispatch.shrink();
        self.reader.read_buf(self.buffer.prepare(total)).await
    }

    /// Charges the buffer's next growth to the budget; waits while a budget has no room.
    async fn charge(&mut self, total: usize) -> Result<(), PeerError> {
        let capacity = self.buffer.next_capacity(total);
        let more = capacity.saturating_sub(self.charged);
        if more == 0 {
            return Ok(());
        }
        if let Err(over) = self.budget.try_charge(more) {
            // Boxed, so that idle connections reserve no memory for this.
            Box::pin(self.charge_when_freed(more, over)).await?;
        }
        self.charged = capacity;
        Ok(())
    }

    async fn charge_when_freed(&mut self, more: usize, over: OverBudget) -> Result<(), PeerError> {
        let from = Instant::now();
        let pause = self.dispatch.pause(cause_over(over));
        let charged = self.budget.when_freed(|| self.budget.try_charge(more));
        let charged = timeout(self.patience.base, charged).await;
        charged.map_err(|_| PeerError::Evicted)?;
        pause.end();
        if let Some(arriving) = &mut self.arriving {
            arriving.skip(from, Instant::now());
        }
        Ok(())
    }

    /// Frees memory once all input is handled.
    ///
    /// While the node has plenty of memory, little is freed, since messages of the same size may
    /// follow.
    fn shrink(&mut self) {
        if self.budget.is_plentiful() {
            self.buffer.shrink_large();
        } else {
            self.buffer.shrink();
        }
        self.settle();
    }

    /// Reduces the charge to the buffer's capacity.
    fn settle(&mut self) {
        let surplus = self.charged.saturating_sub(self.buffer.capacity());
        if surplus > 0 {
            self.budget.release(surplus);
            self.charged -= surplus;
        }
    }
}
