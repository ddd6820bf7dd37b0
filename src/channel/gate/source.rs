//! Queues that feed a lane.

use std::fmt;
use std::sync::{Arc, OnceLock};

/// A queue whose messages [`Lane::fill`](super::Lane::fill) puts into a lane.
///
/// The write loop calls the methods of a source, so they must return quickly.
pub(crate) trait LaneSource: Send + Sync {
    /// Tells the source that messages have left the lane, so it has room for others.
    fn room(&self);

    /// Tells the source that its next `frames` messages were handed to the socket.
    fn written(&self, frames: usize);
}

/// The sources of all lanes, at most one for each.
pub(super) struct Sources(Vec<OnceLock<Arc<dyn LaneSource>>>);

impl Sources {
    pub(super) fn new(lanes: usize) -> Self {
        Self(std::iter::repeat_with(OnceLock::new).take(lanes).collect())
    }

    /// Sets the source of a lane, unless the lane already has one.
    pub(super) fn set(&self, lane: usize, source: Arc<dyn LaneSource>) {
        self.0[lane].get_or_init(|| source);
    }

    pub(super) fn of(&self, lane: usize) -> Option<&dyn LaneSource> {
        self.0[lane].get().map(|source| &**source)
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").finish_non_exhaustive()
    }
}
