//! Filters of remotes.

use std::sync::Arc;

use super::error::Refusal;
use super::request::Candidate;
use crate::guarded::caught;

/// Decides which addresses may connect or be dialled.
///
/// Use a filter for bans, permitted networks and throttling. The manager calls it inside its own
/// task, so it must return at once. A panic in a filter counts as a refusal.
pub trait Filter<A>: Send + Sync + 'static {
    /// Checks an accepted connection before the manager announces it.
    ///
    /// # Errors
    /// The reason for which the connection is closed; the manager reports it as
    /// [`InboundRejected`](super::ConnEvent::InboundRejected).
    fn accept(&self, addr: &A) -> Result<(), Refusal>;

    /// Checks a candidate when a request for it is made, and before each dial.
    ///
    /// A refused permanent request waits and is checked again. But if the refusal is
    /// [lasting](Refusal::is_lasting), the request is rejected when it is made.
    ///
    /// # Errors
    /// The reason for which the candidate is not dialled.
    fn dial(&self, candidate: &Candidate<A>) -> Result<(), Refusal>;
}

/// Allows all remotes.
#[derive(Debug, Clone, Copy, Default)]
pub struct AllowAll;

impl<A> Filter<A> for AllowAll {
    fn accept(&self, _: &A) -> Result<(), Refusal> {
        Ok(())
    }

    fn dial(&self, _: &Candidate<A>) -> Result<(), Refusal> {
        Ok(())
    }
}

/// Wraps a user's filter and catches its panics, which must not end the manager's task.
pub(super) struct Guarded<F>(pub(super) F);

const PANICKED: Refusal = Refusal::Other("the filter panicked");

impl<A, F: Filter<A>> Filter<A> for Guarded<F> {
    fn accept(&self, addr: &A) -> Result<(), Refusal> {
        caught("the filter", || self.0.accept(addr)).unwrap_or(Err(PANICKED))
    }

    fn dial(&self, candidate: &Candidate<A>) -> Result<(), Refusal> {
        caught("the filter", || self.0.dial(candidate)).unwrap_or(Err(PANICKED))
    }
}

/// Selects the candidates that an [`AddressSource`](super::AddressSource) may return now.
///
/// It excludes candidates that were dialled recently or that the [`Filter`] refuses, candidates
/// whose address, node or group is claimed by a request, and those that the dialer [cannot
/// reach](super::Dialer::may_reach).
pub struct DialFilter<T>(Arc<dyn Fn(&T) -> bool + Send + Sync>);

impl<T> DialFilter<T> {
    pub(crate) fn new(allows: impl Fn(&T) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(allows))
    }

    /// Returns whether `candidate` would be dialled now.
    #[must_use]
    pub fn allows(&self, candidate: &T) -> bool {
        (self.0)(candidate)
    }
}

impl<T> Clone for DialFilter<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> std::fmt::Debug for DialFilter<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DialFilter").finish_non_exhaustive()
    }
}
