//! A mutex that a panic does not poison.

use std::sync::{MutexGuard, PoisonError};

/// Like [`std::sync::Mutex`], but locking never fails. No code that holds such a lock can panic
/// halfway through a change.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(std::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(std::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
