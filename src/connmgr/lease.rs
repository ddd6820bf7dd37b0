//! What the owner of a connection holds besides its socket.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

use super::error::CloseReason;
use super::machine::Opening;
use super::request::{Address, Kind, Reconnect, ReqId};
use crate::queue::Queue;

/// What a lease tells the manager from wherever it is.
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

/// A connection's place in the manager. Dropping it reports the connection's end, so drop it after
/// the socket.
pub struct Lease<A: Address> {
    id: ReqId,
    kind: Kind,
    addr: A,
    generation: u32,
    ready: AtomicBool,
    closing: CancellationToken,
    notices: Arc<Queue<Notice>>,
    end: (CloseReason, Reconnect),
}

impl<A: Address> Lease<A> {
    pub(super) fn new(
        opening: Opening<A>,
        notices: Arc<Queue<Notice>>,
        closing: CancellationToken,
    ) -> Self {
        Self {
            id: opening.id,
            kind: opening.kind,
            addr: opening.addr,
            generation: opening.generation,
            ready: AtomicBool::new(false),
            closing,
            notices,
            end: (CloseReason::Dropped, Reconnect::ByKind),
        }
    }

    /// The connection's id.
    #[must_use]
    pub fn id(&self) -> ReqId {
        self.id
    }

    /// Where it leads to or, if accepted, comes from.
    #[must_use]
    pub fn addr(&self) -> &A {
        &self.addr
    }

    /// Why it exists.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Calls the connection good, which an open socket alone does not prove: its end then counts
    /// as no failure, and the next wait is a short one. Once is enough.
    pub fn mark_ready(&self) {
        if !self.ready.swap(true, Ordering::Relaxed) {
            self.notices.push_over_bound(Notice::Ready {
                id: self.id,
                generation: self.generation,
            });
        }
    }

    /// Completes when the manager wants the connection ended. The owner then closes the socket; what
    /// is not ended within the [drain time](super::ConnConfig::with_drain) of a stop is forgotten.
    /// Cancel safe.
    pub async fn closing(&self) {
        self.closing.cancelled().await;
    }

    /// The same as a token, for other tasks.
    pub(crate) fn closing_token(&self) -> CancellationToken {
        self.closing.clone()
    }

    /// Reports the connection's end with its reason, and says whether to connect again. Plain
    /// dropping is reported as [`CloseReason::Dropped`] and goes [by kind](Reconnect::ByKind).
    pub fn close(mut self, reason: impl Error + Send + Sync + 'static, reconnect: Reconnect) {
        self.end = (CloseReason::Ended(Arc::new(reason)), reconnect);
    }
}

impl<A: Address> Drop for Lease<A> {
    fn drop(&mut self) {
        let (reason, reconnect) = std::mem::take(&mut self.end);
        self.notices.push_over_bound(Notice::Dropped {
            id: self.id,
            generation: self.generation,
            reason,
            reconnect,
        });
    }
}

impl<A: Address> fmt::Debug for Lease<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("addr", &self.addr)
            .finish_non_exhaustive()
    }
}
