//! The dials in flight.

use std::collections::HashMap;
use std::future::Future;

use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

use super::error::ConnectError;
use super::request::ReqId;

/// One task per dial. If nobody takes the stream of a successful dial, it is dropped and thereby
/// closed.
pub(super) struct Dials<Io> {
    tasks: JoinSet<Result<Io, ConnectError>>,
    running: HashMap<Id, (ReqId, u32)>,
    aborts: HashMap<ReqId, AbortHandle>,
}

impl<Io> Default for Dials<Io> {
    fn default() -> Self {
        Self {
            tasks: JoinSet::new(),
            running: HashMap::new(),
            aborts: HashMap::new(),
        }
    }
}

impl<Io: Send + 'static> Dials<Io> {
    pub(super) fn start(
        &mut self,
        id: ReqId,
        generation: u32,
        dial: impl Future<Output = Result<Io, ConnectError>> + Send + 'static,
    ) {
        let task = self.tasks.spawn(dial);
        self.running.insert(task.id(), (id, generation));
        self.aborts.insert(id, task);
    }

    pub(super) fn cancel(&mut self, id: ReqId) {
        if let Some(task) = self.aborts.remove(&id) {
            task.abort();
        }
    }

    /// Returns the next dial that ended. Cancel safe.
    pub(super) async fn next(&mut self) -> Option<Dialed<Io>> {
        let joined = self.tasks.join_next_with_id().await?;
        let task = match &joined {
            Ok((task, _)) => *task,
            Err(error) => error.id(),
        };
        let (id, generation) = self.running.remove(&task)?;
        if self.aborts.get(&id).is_some_and(|abort| abort.id() == task) {
            self.aborts.remove(&id);
        }
        let result = match joined {
            Ok((_, result)) => result,
            Err(error) => Err(broken(&error)),
        };
        Some(Dialed {
            id,
            generation,
            result,
        })
    }
}

fn broken(error: &JoinError) -> ConnectError {
    if error.is_panic() {
        tracing::error!(%error, "the dialer panicked");
    }
    ConnectError::Broken
}

/// A dial that ended.
pub(super) struct Dialed<Io> {
    pub(super) id: ReqId,
    pub(super) generation: u32,
    pub(super) result: Result<Io, ConnectError>,
}
