//! The lease that the owner of a connection holds in addition to its stream.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

use super::error::CloseReason;
use super::machine::Opening;
use super::request::{Address, Kind, Reconnect, ReqId};
use crate::queue::Queue;

/// A notice from a lease to the manager.
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

/// Represents a connection in the manager.
///
/// Dropping the lease reports the connection's end, so drop the stream first.
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

    /// Returns the connection's id.
    #[must_use]
    pub fn id(&self) -> ReqId {
        self.id
    }

    /// Returns the dialled address or, for an accepted connection, the remote address.
    #[must_use]
    pub fn addr(&self) -> &A {
        &self.addr
    }

    /// Returns the kind of the connection's request.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Marks the connection as good.
    ///
    /// An open socket alone does not prove that a connection is good. When a good connection ends,
    /// this does not count as a failure, and the next wait is short. One call is enough.
    pub fn mark_ready(&self) {
        if !self.ready.swap(true, Ordering::Relaxed) {
            self.notices.push_over_bound(Notice::Ready {
                id: self.id,
                generation: self.generation,
            });
        }
    }

    /// Completes when the manager asks the owner to end the connection.
    ///
    /// The owner then closes the stream. The manager forgets connections that have not ended within
    /// the [drain time](super::ConnConfig::with_drain) of a stop.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn closing(&self) {
        self.closing.cancelled().await;
    }

    /// Returns [`closing`](Self::closing) as a token, for other tasks.
    pub(crate) fn closing_token(&self) -> CancellationToken {
        self.closing.clone()
    }

    /// Reports the connection's end with its reason, and whether to reconnect.
    ///
    /// A lease that is dropped without this call reports [`CloseReason::Dropped`] and
    /// [`Reconnect::ByKind`].
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
