use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use peermux::Bytes;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::connection::{Answer, Arriving, BenchConnection};
use super::filler::Filler;
use super::run::send_data;
use super::{BenchMessage, Config};
use crate::{ClientError, Totals};

/// Room for this many round trips is reserved ahead.
const ROUND_TRIPS_AHEAD: u64 = 1 << 16;

/// Measures one peer. Cheap to clone; each of the three measurements can run beside the others,
/// and waits while one of its own kind is open.
#[derive(Debug, Clone)]
pub struct Client {
    connection: Arc<BenchConnection>,
    config: Config,
    /// Only ever added to.
    done: Arc<AtomicU64>,
}

/// A measurement, all of whose numbers were verified.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Measured {
    /// How many messages went in the measured direction, or how many round trips were made.
    pub count: u64,
    /// The bytes of each message's content.
    pub size: usize,
    /// From the first message to the last answer.
    pub elapsed: Duration,
    /// How long each round trip took, shortest first; empty for the other measurements.
    pub round_trips: Vec<Duration>,
}

impl Client {
    pub(super) fn new(connection: Arc<BenchConnection>, config: Config) -> Self {
        Self {
            connection,
            config,
            done: Arc::default(),
        }
    }

    /// How many messages and round trips this client and its clones have behind them.
    ///
    /// It grows while a call measures, so it says how far that is. A message is counted when it is
    /// queued to be sent, or has arrived; nothing of it is verified yet.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Sends `count` Data of `size` bytes and compares the Stats. A call that is dropped may have
    /// sent some of them, which count in the next call's Stats.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn sink(&self, count: u64, size: usize) -> Result<Measured, ClientError> {
        check("a message's size", size as u64, Config::MAX_SIZE as u64)?;
        let BenchConnection { data, flush, .. } = &*self.connection;
        let turn = data.lock().await;
        let started = Instant::now();
        let sent = || {
            self.done.fetch_add(1, Ordering::Relaxed);
        };
        send_data(&self.connection, count, size, sent).await?;
        let flushed = self
            .within_limit(
                flush.ask(
                    (),
                    self.connection.sender.send_and_flush(&BenchMessage::Flush),
                ),
                size,
            )
            .await?;
        drop(turn);
        let told = self.answer(flushed, size).await?;
        let elapsed = started.elapsed();
        verify("the peer's Stats", told, Totals::of(count, size))?;
        Ok(Measured::new(count, size, elapsed))
    }

    /// Asks for `count` Data of `size` bytes and verifies their number, the length of each, and
    /// the Done. Cancel safe, though the answer to a dropped call still arrives in full.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn source(&self, count: u64, size: usize) -> Result<Measured, ClientError> {
        check("a message's size", size as u64, Config::MAX_SIZE as u64)?;
        let BenchConnection { ask, sender, .. } = &*self.connection;
        let message = BenchMessage::Ask {
            count,
            size: size as u64,
        };
        let mut started = Instant::now();
        let asked = ask.ask(Arriving::of(size, Arc::clone(&self.done)), async {
            started = Instant::now();
            sender.send(&message).await
        });
        let asked = self.within_limit(asked, size).await?;
        let Answer { told, got, wrong } = self.answer(asked, size).await?;
        let elapsed = started.elapsed();
        let expected = Totals::of(count, size);
        verify("Data received", got, expected)?;
        if wrong > 0 {
            return Err(ClientError::WrongLength { wrong, size });
        }
        verify("the peer's Done", told, expected)?;
        Ok(Measured::new(count, size, elapsed))
    }

    /// Makes `count` round trips one after the other and verifies each content.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn echo(&self, count: u64, size: usize) -> Result<Measured, ClientError> {
        check("a message's size", size as u64, Config::MAX_SIZE as u64)?;
        let mut filler = Filler::new(size);
        let mut round_trips = Vec::with_capacity(count.min(ROUND_TRIPS_AHEAD) as usize);
        let started = Instant::now();
        for _ in 0..count {
            round_trips.push(self.round_trip(filler.next()).await?);
            self.done.fetch_add(1, Ordering::Relaxed);
        }
        let elapsed = started.elapsed();
        round_trips.sort_unstable();
        Ok(Measured {
            round_trips,
            ..Measured::new(count, size, elapsed)
        })
    }

    async fn round_trip(&self, content: Bytes) -> Result<Duration, ClientError> {
        let BenchConnection { echo, sender, .. } = &*self.connection;
        let mut started = Instant::now();
        let asked = echo.ask((), async {
            started = Instant::now();
            sender.send(&BenchMessage::Echo(content.clone())).await
        });
        let asked = self.within_limit(asked, content.len()).await?;
        let echoed = self.answer(asked, content.len()).await?;
        let took = started.elapsed();
        if echoed != content {
            return Err(ClientError::WrongContent {
                got: echoed.len(),
                sent: content.len(),
            });
        }
        Ok(took)
    }

    /// Bounds the wait for a turn, which a lost answer would make endless.
    async fn within_limit<R>(
        &self,
        step: impl Future<Output = Result<R, ClientError>>,
        size: usize,
    ) -> Result<R, ClientError> {
        self.while_arriving(step, size).await?
    }

    async fn answer<A>(&self, answer: oneshot::Receiver<A>, size: usize) -> Result<A, ClientError> {
        let answer = self.while_arriving(answer, size).await?;
        answer.map_err(|_| ClientError::Ended)
    }

    /// Waits for as long as Data arrive, and for the answer timeout beyond the last of them. A message
    /// of `size` bytes gets the time that it needs at the slowest rate a peer is granted.
    async fn while_arriving<F: Future>(
        &self,
        step: F,
        size: usize,
    ) -> Result<F::Output, ClientError> {
        tokio::pin!(step);
        let transfer = Duration::from_millis((size as u64).saturating_mul(1000) / SLOWEST_RATE);
        let limit = self.config.answer_timeout.saturating_add(transfer);
        let mut arrived = self.connection.arrived();
        loop {
            if let Ok(output) = timeout(limit, step.as_mut()).await {
                return Ok(output);
            }
            match self.connection.arrived() {
                same if same == arrived => return Err(ClientError::TimedOut(limit)),
                more => arrived = more,
            }
        }
    }
}

impl Measured {
    fn new(count: u64, size: usize, elapsed: Duration) -> Self {
        Self {
            count,
            size,
            elapsed,
            round_trips: Vec::new(),
        }
    }

    /// Messages, or round trips, a second.
    #[must_use]
    pub fn messages_per_second(&self) -> f64 {
        self.count as f64 / self.seconds()
    }

    /// Megabytes (10^6 bytes) of content a second; those of a round trip count once.
    #[must_use]
    pub fn megabytes_per_second(&self) -> f64 {
        self.messages_per_second() * self.size as f64 / 1e6
    }

    /// What the given part of the round trips, from 0 to 1, did not exceed; `None` without any.
    #[must_use]
    pub fn percentile(&self, part: f64) -> Option<Duration> {
        let last = self.round_trips.len().checked_sub(1)?;
        let at = (part.clamp(0.0, 1.0) * last as f64).round() as usize;
        self.round_trips.get(at).copied()
    }

    /// Never zero, whatever the clock says.
    fn seconds(&self) -> f64 {
        self.elapsed.as_secs_f64().max(1e-9)
    }
}

/// Bytes a second at which a peer may still take or send a message.
const SLOWEST_RATE: u64 = 64 << 10;

fn check(what: &'static str, got: u64, limit: u64) -> Result<(), ClientError> {
    match got > limit {
        true => Err(ClientError::TooLarge { what, got, limit }),
        false => Ok(()),
    }
}

fn verify(what: &'static str, got: Totals, expected: Totals) -> Result<(), ClientError> {
    match got == expected {
        true => Ok(()),
        false => Err(ClientError::Mismatch {
            what,
            got,
            expected,
        }),
    }
}
