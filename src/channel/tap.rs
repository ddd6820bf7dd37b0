use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::meters::{MessageMeters, Meters};
use crate::p2p::Capability;

/// The wait of one in this many received messages is measured.
///
/// Not every message is timed, because reading the clock takes longer than counting a message.
const TIMED_EVERY: u64 = 16;

/// Which way a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Traffic {
    /// The message was handed to the socket.
    Sent,
    /// A handler received the message.
    Received,
}

/// A function that is called for each message of one protocol on one connection.
///
/// The arguments are the direction, the code relative to the protocol, the payload's size in bytes,
/// and the time when the message was handed to the socket or completely received.
pub(crate) type Observer = dyn Fn(Traffic, u64, usize, Instant) + Send + Sync;

/// Counts one protocol's messages on one connection, and reports them to an observer.
#[derive(Clone)]
pub(crate) struct MessageTap(Option<Arc<Tap>>);

struct Tap {
    meters: Arc<MessageMeters>,
    passed: Passed,
    observer: Option<Box<Observer>>,
}

/// The traffic so far.
#[derive(Debug, Default)]
struct Passed {
    sent: AtomicU64,
    sent_bytes: AtomicU64,
    received: AtomicU64,
    received_bytes: AtomicU64,
    dropped: AtomicU64,
}

/// A snapshot of [`Passed`].
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PassedStats {
    pub(crate) sent: u64,
    pub(crate) sent_bytes: u64,
    pub(crate) received: u64,
    pub(crate) received_bytes: u64,
    pub(crate) dropped: u64,
}

impl MessageTap {
    /// A tap that counts nothing.
    pub(crate) fn silent() -> Self {
        Self(None)
    }

    pub(crate) fn new(
        meters: &Meters,
        capability: &Capability,
        observer: Option<Box<Observer>>,
    ) -> Self {
        Self(Some(Arc::new(Tap {
            meters: meters.of_protocol(capability),
            passed: Passed::default(),
            observer,
        })))
    }

    /// Returns the traffic so far.
    pub(crate) fn passed(&self) -> PassedStats {
        let Some(tap) = &self.0 else {
            return PassedStats::default();
        };
        let of = |sum: &AtomicU64| sum.load(Ordering::Relaxed);
        PassedStats {
            sent: of(&tap.passed.sent),
            sent_bytes: of(&tap.passed.sent_bytes),
            received: of(&tap.passed.received),
            received_bytes: of(&tap.passed.received_bytes),
            dropped: of(&tap.passed.dropped),
        }
    }

    /// Counts a message that was handed to the socket.
    pub(crate) fn sent(&self, code: u64, size: usize) {
        if let Some(tap) = &self.0 {
            tap.meters.sent(size);
            add(&tap.passed.sent, 1);
            add(&tap.passed.sent_bytes, size as u64);
            tap.observe(Traffic::Sent, code, size, Instant::now);
        }
    }

    /// Records how long a message waited at the write gate.
    pub(crate) fn gate_waited_for(&self, time: Duration) {
        if let Some(tap) = &self.0 {
            tap.meters.gate_waited_for(time);
        }
    }

    /// Counts a received message that was dropped.
    pub(crate) fn dropped(&self) {
        if let Some(tap) = &self.0 {
            tap.meters.dropped();
            add(&tap.passed.dropped, 1);
        }
    }

    /// Counts a message that a handler received. The message was completely received at `at`.
    pub(crate) fn received(&self, code: u64, size: usize, at: Instant) {
        if let Some(tap) = &self.0 {
            tap.meters.received(size);
            let before = add(&tap.passed.received, 1);
            if cfg!(feature = "metrics") && before.is_multiple_of(TIMED_EVERY) {
                tap.meters.queued_for(at.elapsed());
            }
            add(&tap.passed.received_bytes, size as u64);
            tap.observe(Traffic::Received, code, size, || at);
        }
    }
}

/// Adds to a counter that only one task writes. Returns the previous value.
fn add(sum: &AtomicU64, more: u64) -> u64 {
    let before = sum.load(Ordering::Relaxed);
    sum.store(before.wrapping_add(more), Ordering::Relaxed);
    before
}

impl Tap {
    fn observe(&self, traffic: Traffic, code: u64, size: usize, at: impl FnOnce() -> Instant) {
        if let Some(observer) = &self.observer {
            observer(traffic, code, size, at());
        }
    }
}

impl fmt::Debug for MessageTap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MessageTap")
    }
}
