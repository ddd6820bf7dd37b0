use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use peermux::{Bytes, MessageError, ProtocolSender};
use tokio::sync::Mutex as Turn;

use super::BenchMessage;
use crate::Totals;
use crate::client::{Connection, Question};
use crate::mutex::Mutex;

/// The state of `bench/1` on one connection, shared by its server and its clients.
#[derive(Debug)]
pub(super) struct BenchConnection {
    pub(super) sender: ProtocolSender<BenchMessage>,
    /// A lock that is held while Data is sent. So this side's own Data never mixes with Data that
    /// answers an Ask.
    pub(super) data: Turn<()>,
    pub(super) ask: Question<Arriving, Answer>,
    pub(super) echo: Question<(), Bytes>,
    pub(super) flush: Question<(), Totals>,
    /// Data to report in the next Stats.
    counted: Mutex<Totals>,
    /// The number of Data received so far. While it grows, the peer is still sending.
    arrived: AtomicU64,
}

/// Data received while an Ask is open, since the last Flush.
///
/// If a Done follows, these Data answer the Ask. If a Flush follows, they come from a measurement
/// by the remote.
#[derive(Debug)]
pub(super) struct Arriving {
    pub(super) size: usize,
    since: Totals,
    wrong: u64,
    /// The client's counter of completed messages and round trips.
    done: Arc<AtomicU64>,
}

impl Arriving {
    pub(super) fn of(size: usize, done: Arc<AtomicU64>) -> Self {
        Self {
            size,
            since: Totals::default(),
            wrong: 0,
            done,
        }
    }
}

/// The answer to an Ask.
#[derive(Debug)]
pub(super) struct Answer {
    /// The totals that the remote reports in Done.
    pub(super) told: Totals,
    /// The totals that this side counted.
    pub(super) got: Totals,
    /// The number of Data whose length is not the requested length.
    pub(super) wrong: u64,
}

impl BenchConnection {
    pub(super) fn new(sender: ProtocolSender<BenchMessage>) -> Self {
        Self {
            sender,
            data: Turn::default(),
            ask: Question::new(),
            echo: Question::new(),
            flush: Question::new(),
            counted: Mutex::default(),
            arrived: AtomicU64::new(0),
        }
    }

    /// Returns the number of Data received so far.
    pub(super) fn arrived(&self) -> u64 {
        self.arrived.load(Ordering::Relaxed)
    }

    pub(super) fn on_data(&self, size: usize) {
        self.arrived.fetch_add(1, Ordering::Relaxed);
        let asked = self.ask.with_open(|arriving| {
            arriving.since.add(size);
            arriving.wrong += u64::from(size != arriving.size);
            arriving.done.fetch_add(1, Ordering::Relaxed);
        });
        if asked.is_none() {
            self.with_counted(|counted| counted.add(size));
        }
    }

    /// Returns the totals for Stats and resets the counters.
    pub(super) fn on_flush(&self) -> Totals {
        let undecided = self.ask.with_open(|arriving| {
            arriving.wrong = 0;
            std::mem::take(&mut arriving.since)
        });
        let mut counted = self.with_counted(std::mem::take);
        counted.merge(undecided.unwrap_or_default());
        counted
    }

    pub(super) fn on_done(&self, told: Totals) -> Result<(), MessageError> {
        let asked = self
            .ask
            .take()
            .ok_or_else(|| unasked(0x02, "a Done without an Ask"))?;
        let answer = Answer {
            told,
            got: asked.progress.since,
            wrong: asked.progress.wrong,
        };
        asked.answer(answer);
        Ok(())
    }

    pub(super) fn on_echoed(&self, content: Bytes) -> Result<(), MessageError> {
        let asked = self.echo.take();
        asked
            .ok_or_else(|| unasked(0x04, "an Echoed without an Echo"))?
            .answer(content);
        Ok(())
    }

    pub(super) fn on_stats(&self, told: Totals) -> Result<(), MessageError> {
        let asked = self.flush.take();
        asked
            .ok_or_else(|| unasked(0x06, "a Stats without a Flush"))?
            .answer(told);
        Ok(())
    }

    fn with_counted<R>(&self, f: impl FnOnce(&mut Totals) -> R) -> R {
        f(&mut self.counted.lock())
    }
}

fn unasked(code: u64, rule: &'static str) -> MessageError {
    MessageError::NotAllowed { code, rule }
}

impl Connection for BenchConnection {
    fn end(&self) {
        self.ask.end();
        self.echo.end();
        self.flush.end();
    }
}
