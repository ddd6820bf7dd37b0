//! What connections tell the manager from wherever they are, drops included.

use tokio::sync::Notify;

use super::error::CloseReason;
use super::request::{Reconnect, ReqId};
use crate::mutex::Mutex;

#[derive(Debug)]
pub(super) enum Notice {
    Ready {
        id: ReqId,
        generation: u32,
    },
    Dropped {
        id: ReqId,
        generation: u32,
        reason: CloseReason,
        reconnect: Reconnect,
    },
}

/// A mailbox that a drop can put something into. Bounded by the open connections: each leaves at
/// most one notice of either kind.
#[derive(Debug, Default)]
pub(super) struct Notices {
    waiting: Mutex<Vec<Notice>>,
    arrived: Notify,
}

impl Notices {
    pub(super) fn push(&self, notice: Notice) {
        let mut waiting = self.waiting.lock();
        waiting.push(notice);
        drop(waiting);
        self.arrived.notify_one();
    }

    /// Completes when there may be something to [`take`](Self::take). Cancel safe.
    pub(super) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    pub(super) fn take(&self) -> Vec<Notice> {
        std::mem::take(&mut *self.waiting.lock())
    }
}
