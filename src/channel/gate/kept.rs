//! Limits the payloads that waiting senders keep, since no budget counts these payloads.

use std::sync::atomic::{AtomicUsize, Ordering};

/// How many payload bytes a peer's senders may keep in total.
///
/// If no other payload is kept, one payload of any size may be kept.
pub(super) const MOST: usize = 256 << 10;

/// The payloads that the senders of one peer keep while they wait.
///
/// A sender that may not keep its payload encodes its message again when there is room.
#[derive(Debug, Default)]
pub(super) struct KeptPayloads(AtomicUsize);

/// Permission to keep a payload, until this is dropped.
#[derive(Debug)]
pub(super) struct Kept<'a> {
    all: &'a AtomicUsize,
    bytes: usize,
}

impl KeptPayloads {
    /// Returns permission to keep a payload of `bytes`, if there is room.
    pub(super) fn keep(&self, bytes: usize) -> Option<Kept<'_>> {
        let fits = |kept: usize| {
            let sum = kept.checked_add(bytes)?;
            (kept == 0 || sum <= MOST).then_some(sum)
        };
        let kept = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
        kept.ok().map(|_| Kept {
            all: &self.0,
            bytes,
        })
    }
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
