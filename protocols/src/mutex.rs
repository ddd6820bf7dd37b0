//! A mutex that a panic does not poison.

use std::sync::{MutexGuard, PoisonError};

/// Like [`std::sync::Mutex`], but locking never fails. So code that may panic while it holds this
/// lock must not leave a change half done.
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
