//! The quotas of a protocol on one connection, and the waits for them.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use tokio::time::Instant;

use super::Quota;
use super::quota::TokenBucket;
use crate::mutex::Mutex;

/// A function that is called when a wait for a quota ends.
///
/// The arguments are the current time and the duration of the wait. The function must return
/// quickly, because the caller may hold a lock.
pub(crate) type HoldObserver = dyn Fn(Instant, Duration) + Send + Sync;

/// Limits how fast messages may be received.
pub(super) struct ReceivePace {
    bucket: TokenBucket,
    /// The start of the current wait, if a message is held back.
    held_since: Option<Instant>,
    /// The end of the current or last wait.
    held_until: Option<Instant>,
    observer: Option<Box<HoldObserver>>,
}

impl ReceivePace {
    /// Returns `None` if the quota has no bound.
    pub(super) fn new(quota: Quota) -> Option<Box<Self>> {
        let bucket = TokenBucket::new(quota)?;
        Some(Box::new(Self {
            bucket,
            held_since: None,
            held_until: None,
            observer: None,
        }))
    }

    pub(super) fn observe(&mut self, observer: Box<HoldObserver>) {
        self.observer = Some(observer);
    }

    /// Counts a message of `bytes`. Returns false if the message exceeds the quota.
    pub(super) fn admit(&mut self, bytes: usize) -> bool {
        self.bucket.take(bytes, Instant::now()).is_ok()
    }

    /// Counts a message that is about to be taken. Fails with the time at which to try again.
    pub(super) fn take_or_hold(&mut self, bytes: usize) -> Result<(), Instant> {
        let now = Instant::now();
        let Err(until) = self.bucket.take(bytes, now) else {
            self.end_hold(now);
            return Ok(());
        };
        self.held_since.get_or_insert(now);
        self.held_until = Some(until);
        Err(until)
    }

    /// Reports the current wait, if there is one.
    ///
    /// The reported wait ends when the quota allows the message, not when the handler takes it,
    /// which may happen later or never.
    pub(super) fn end_hold(&mut self, now: Instant) {
        let until = self.held_until.map_or(now, |until| until.min(now));
        if let Some(since) = self.held_since.take()
            && let Some(observer) = &self.observer
        {
            observer(now, until.saturating_duration_since(since));
        }
    }

    /// The time until which the quota holds messages back.
    ///
    /// Until then it is not the handler's fault that no message is taken.
    pub(super) fn held_until(&self) -> Option<Instant> {
        self.held_until
    }
}

impl fmt::Debug for ReceivePace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReceivePace").field(&self.bucket).finish()
    }
}

/// The send quota of each lane, if the lane has one.
pub(super) struct SendPaces(Box<[Option<Box<SendPace>>]>);

struct SendPace {
    bucket: Mutex<TokenBucket>,
    observer: OnceLock<Box<HoldObserver>>,
}

impl SendPaces {
    pub(super) fn new(quotas: impl Iterator<Item = Quota>) -> Self {
        let pace = |quota| {
            let bucket = Mutex::new(TokenBucket::new(quota)?);
            let observer = OnceLock::new();
            Some(Box::new(SendPace { bucket, observer }))
        };
        Self(quotas.map(pace).collect())
    }

    /// Sets the observer of a lane from `make`, if the lane has none yet.
    ///
    /// Without a quota nothing happens, since there are no waits to observe.
    pub(super) fn observe(&self, lane: usize, make: impl FnOnce() -> Box<HoldObserver>) {
        if let Some(pace) = &self.0[lane] {
            pace.observer.get_or_init(make);
        }
    }

    /// Counts a message against its lane's quota. Fails with the time at which to try again.
    pub(super) fn take(&self, lane: usize, bytes: usize) -> Result<(), Instant> {
        match &self.0[lane] {
            Some(pace) => pace.bucket.lock().take(bytes, Instant::now()),
            None => Ok(()),
        }
    }

    /// Begins a wait for a lane's quota; dropping the result reports the wait.
    pub(super) fn hold(&self, lane: usize) -> SendHold<'_> {
        let pace = self.0[lane].as_ref();
        SendHold {
            observer: pace.and_then(|pace| pace.observer.get()).map(|it| &**it),
            since: Instant::now(),
        }
    }
}

impl fmt::Debug for SendPaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendPaces").finish_non_exhaustive()
    }
}

/// Represents a call of `send` that waits for a quota.
pub(super) struct SendHold<'a> {
    observer: Option<&'a HoldObserver>,
    since: Instant,
}

impl Drop for SendHold<'_> {
    fn drop(&mut self) {
        if let Some(observer) = self.observer {
            let now = Instant::now();
            observer(now, now.saturating_duration_since(self.since));
        }
    }
}
