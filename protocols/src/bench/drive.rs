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

/// The maximum number of round trips for which `echo` reserves memory in advance.
const ROUND_TRIPS_AHEAD: u64 = 1 << 16;

/// Measures one peer.
///
/// Cheap to clone. The three kinds of measurement can run concurrently; a second measurement of the
/// same kind waits for the first.
#[derive(Debug, Clone)]
pub struct Client {
    connection: Arc<BenchConnection>,
    config: Config,
    /// The number of completed messages and round trips; it never decreases.
    done: Arc<AtomicU64>,
}

/// The verified result of a measurement.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Measured {
    /// The number of messages in the measured direction, or of round trips.
    pub count: u64,
    /// The length of each message's content in bytes.
    pub size: usize,
    /// The time from the first message to the last answer.
    pub elapsed: Duration,
    /// The duration of each round trip, shortest first; empty if no round trips were measured.
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

    /// Returns the number of messages and round trips completed by all clones.
    ///
    /// The number grows during a call, so it shows the call's progress. A message is counted when
    /// it is queued for sending or when it arrives, before it is verified.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Sends `count` Data of `size` bytes and verifies the peer's Stats.
    ///
    /// # Cancel safety
    /// If a call is dropped, the Data that it has sent can appear in the Stats for the next call,
    /// which then fails.
    ///
    /// # Errors
    /// [`ClientError`] if the size is too large, or if the peer disconnects, does not answer in
    /// time or reports other totals.
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

    /// Asks for `count` Data of `size` bytes and verifies the answer.
    ///
    /// The number of Data, the length of each, and the totals in Done are checked.
    ///
    /// # Cancel safety
    /// Cancel safe, but the answer to a dropped call still arrives in full.
    ///
    /// # Errors
    /// [`ClientError`] if the size is too large, or if the peer disconnects, does not answer in
    /// time or answers with other messages.
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

    /// Makes `count` round trips, one after the other, and verifies each content.
    ///
    /// # Errors
    /// [`ClientError`] if the size is too large, or if the peer disconnects, does not answer in
    /// time or answers with other bytes.
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

    /// Runs `step`, which waits for a turn and sends a request, with a time limit. Without the
    /// limit it would wait forever if the answer to the previous request were lost.
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

    /// Waits for `step` as long as Data keep arriving. Fails if none arrives within the answer
    /// timeout, extended by the time for `size` bytes at the slowest accepted rate.
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

    /// Returns the number of messages or round trips per second.
    #[must_use]
    pub fn messages_per_second(&self) -> f64 {
        self.count as f64 / self.seconds()
    }

    /// Returns the content rate in megabytes (10^6 bytes) per second.
    ///
    /// The content of a round trip counts once.
    #[must_use]
    pub fn megabytes_per_second(&self) -> f64 {
        self.messages_per_second() * self.size as f64 / 1e6
    }

    /// Returns the round trip time at quantile `part`, from 0 to 1.
    ///
    /// Returns `None` if no round trips were measured.
    #[must_use]
    pub fn percentile(&self, part: f64) -> Option<Duration> {
        let last = self.round_trips.len().checked_sub(1)?;
        let at = (part.clamp(0.0, 1.0) * last as f64).round() as usize;
        self.round_trips.get(at).copied()
    }

    /// Returns the elapsed seconds, never zero.
    fn seconds(&self) -> f64 {
        self.elapsed.as_secs_f64().max(1e-9)
    }
}

/// The slowest rate at which a peer may take or send a message, in bytes/s.
const SLOWEST_RATE: u64 = 64 << 10;

fn check(what: &'static str, got: u64, limit: u64) -> Result<(), ClientError> {
    if got > limit {
        return Err(ClientError::TooLarge { what, got, limit });
    }
    Ok(())
}

fn verify(what: &'static str, got: Totals, expected: Totals) -> Result<(), ClientError> {
    if got != expected {
        return Err(ClientError::Mismatch {
            what,
            got,
            expected,
        });
    }
    Ok(())
}
