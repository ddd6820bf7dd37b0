//! The task that writes a book to its store.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tracing::warn;

use super::rows;
use super::shared::Shared;
use super::store::{Change, Store, StoreError};
use crate::time::after;

/// The maximum number of changes in one commit. This bounds the memory for a commit, and the time
/// under the lock.
const BATCH: usize = 1024;

/// How many calls of [`AddressBook::flush`](super::AddressBook::flush) the writer's queue holds.
pub(super) const WAITING: usize = 16;

pub(super) type FlushRequest = oneshot::Sender<Result<(), FlushError>>;

/// Why changes are not on disk.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum FlushError {
    /// The [`Persistence`] is no longer running.
    #[error("the address book's writer has stopped")]
    Stopped,
    /// The store failed. The changes are kept, and will be written again.
    #[error("the address book was not written")]
    Store(#[source] Arc<StoreError>),
}

/// Writes the changes of an [`AddressBook`](super::AddressBook) to its store.
///
/// It writes at an interval, on request, and at the end. Nothing is written unless
/// [`run`](Self::run) is running.
#[must_use = "nothing is written unless it runs"]
#[derive(Debug)]
pub struct Persistence {
    pub(super) shared: Arc<Shared>,
    pub(super) store: Box<dyn Store>,
    pub(super) requests: mpsc::Receiver<FlushRequest>,
    pub(super) every: Duration,
}

impl Persistence {
    /// Writes until `stop` completes or all handles are gone, then writes the rest.
    ///
    /// A failed write is logged, and its changes are retried with the next write.
    ///
    /// # Errors
    /// [`StoreError`] if the last write failed.
    ///
    /// # Cancel safety
    /// If this future is dropped, a commit that has begun still completes, but changes that were
    /// not part of that commit are lost.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> Result<(), Arc<StoreError>> {
        let mut stop = std::pin::pin!(stop);
        let mut ticks = interval_at(after(Instant::now(), self.every), self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let request = tokio::select! {
                // The stop is checked first. Requests come before ticks, because the write for a
                // request makes the one for a tick unnecessary.
                biased;
                () = &mut stop => return self.flush().await,
                request = self.requests.recv() => match request {
                    Some(request) => Some(request),
                    None => return self.flush().await,
                },
                _ = ticks.tick() => None,
            };
            let result = self.flush().await;
            if let Err(error) = &result {
                warn!(
                    error = error.as_ref() as &dyn std::error::Error,
                    "address book not written"
                );
            }
            if let Some(request) = request {
                // The call of `flush` may have been dropped.
                let _ = request.send(result.map_err(FlushError::Store));
            }
        }
    }

    /// Writes all changes made so far, in batches.
    async fn flush(&mut self) -> Result<(), Arc<StoreError>> {
        let mut pending = self.shared.take_pending();
        loop {
            let changes = self.shared.next_changes(&mut pending, BATCH);
            if changes.is_empty() {
                return Ok(());
            }
            let (changes, result) = self.commit(changes).await;
            if let Err(error) = result {
                self.shared.put_back(&changes, pending);
                return Err(Arc::new(error));
            }
        }
    }

    async fn commit(&mut self, changes: Vec<Change>) -> (Arc<[Change]>, Result<(), StoreError>) {
        let changes: Arc<[Change]> = changes.into();
        let lost = Lost(self.store.path().to_owned());
        let mut store = std::mem::replace(&mut self.store, Box::new(lost));
        let batch = Arc::clone(&changes);
        let commit = tokio::task::spawn_blocking(move || {
            let result = store.commit(&batch);
            (store, result)
        });
        let result = match commit.await {
            Ok((store, result)) => {
                self.store = store;
                result
            }
            Err(_) => Err(Lost(self.store.path().to_owned()).error()),
        };
        (changes, result)
    }
}

/// Replaces a store that panicked.
#[derive(Debug)]
struct Lost(PathBuf);

impl Store for Lost {
    fn load(&mut self) -> Result<Vec<super::Row>, StoreError> {
        Err(self.error())
    }

    fn commit(&mut self, _: &[Change]) -> Result<(), StoreError> {
        Err(self.error())
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Lost {
    fn error(&self) -> StoreError {
        StoreError::Io {
            path: self.0.clone(),
            doing: "write",
            source: std::io::Error::other("the store panicked"),
        }
    }
}

/// If a store is empty, writes the rows that it needs before all others.
pub(super) fn begin(
    store: &mut dyn Store,
    meta: &[Change],
    is_new: bool,
) -> Result<(), StoreError> {
    if is_new { store.commit(meta) } else { Ok(()) }
}

/// Turns an error in the rows of the store at `path` into a [`StoreError`].
pub(super) fn bad_rows(bad: rows::BadRows, path: &Path) -> StoreError {
    let path = path.to_owned();
    match bad {
        rows::BadRows::Newer { found } => StoreError::Newer {
            path,
            found,
            supported: rows::VERSION,
        },
        rows::BadRows::Damaged(what) => StoreError::Damaged {
            path,
            what,
            kept: None,
        },
    }
}
