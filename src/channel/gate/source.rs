//! Queues that feed a lane.

use std::fmt;
use std::sync::{Arc, OnceLock};

/// A queue whose messages [`Lane::fill`](super::Lane::fill) puts into a lane.
///
/// The write loop calls it, so it does little.
pub(crate) trait LaneSource: Send + Sync {
    /// Reports that the lane has sent frames, so that there is room for others.
    fn room(&self);

    /// Reports that the next `frames` messages of this source were handed to the socket.
    fn written(&self, frames: usize);
}

/// At most one source for each lane.
pub(super) struct Sources(Vec<OnceLock<Arc<dyn LaneSource>>>);

impl Sources {
    pub(super) fn new(lanes: usize) -> Self {
        Self(std::iter::repeat_with(OnceLock::new).take(lanes).collect())
    }

    /// Sets the source of a lane, unless it has one.
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
