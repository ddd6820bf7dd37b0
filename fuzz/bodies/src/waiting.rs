//! Futures without a runtime, polled only when woken, so that lost wakeups are detected.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Wake, Waker};

use peermux::Bytes;

use super::input::Input;

/// Remembers whether a task was woken since the last check.
#[derive(Default)]
pub(super) struct Bell(AtomicBool);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Bell {
    pub(super) fn has_rung(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

/// A future that waits, and whether it was woken.
pub(super) struct Waiting<T> {
    future: Pin<Box<dyn Future<Output = T>>>,
    bell: Arc<Bell>,
}

impl<T> Waiting<T> {
    pub(super) fn new(future: impl Future<Output = T> + 'static) -> Self {
        let bell = Arc::new(Bell(AtomicBool::new(true)));
        Self {
            future: Box::pin(future),
            bell,
        }
    }

    /// Polls the future if it was woken. Returns `None` if it was not.
    pub(super) fn poll_if_woken(&mut self) -> Option<Poll<T>> {
        if !self.bell.has_rung() {
            return None;
        }
        let waker = Waker::from(Arc::clone(&self.bell));
        let polled = self.future.as_mut().poll(&mut Context::from_waker(&waker));
        Some(polled)
    }
}

/// The largest size of a message.
const MOST: usize = 16 << 20;

/// Returns a payload whose size the input selects. All payloads share memory, so large ones are
/// cheap.
pub(super) fn payload(input: &mut Input<'_>) -> Bytes {
    static ZEROS: LazyLock<Bytes> = LazyLock::new(|| vec![0; MOST].into());
    ZEROS.slice(..size(input))
}

/// Returns a small or a large size, rarely one in between.
pub(super) fn size(input: &mut Input<'_>) -> usize {
    let shift = input.byte() % 9;
    (input.u16() << shift).min(MOST)
}
