//! A mutex that a panic does not poison.

use std::sync::{MutexGuard, PoisonError};

/// As [`std::sync::Mutex`]; locking never fails. Nothing that is changed under these locks is half
/// done where a panic can come from.
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
