//! Who may be talked to.

use std::sync::Arc;

use super::error::Refusal;
use super::request::Candidate;
use crate::guarded::caught;

/// Decides about addresses: bans, permitted networks, throttling. It is asked inside the
/// manager's task, so it must answer at once. One that panics refuses.
pub trait Filter<A>: Send + Sync + 'static {
    /// Asked when a connection was accepted, before anybody hears of it.
    ///
    /// # Errors
    /// Why it is closed; the manager reports it as
    /// [`InboundRejected`](super::ConnEvent::InboundRejected).
    fn accept(&self, addr: &A) -> Result<(), Refusal>;

    /// Asked before each dial, and when a request is made. A permanent request that is refused
    /// waits and asks again, unless the refusal [is lasting](Refusal::is_lasting) and comes when it
    /// is made.
    ///
    /// # Errors
    /// Why it is not dialled.
    fn dial(&self, candidate: &Candidate<A>) -> Result<(), Refusal>;
}

/// Lets everybody through.
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

/// A user's filter in the manager's task, which it must not end.
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

/// Tells an [`AddressSource`](super::AddressSource) what is of use now: not what a request leads to
/// already, or to whose group, what was dialled a moment ago, or what the [`Filter`] refuses.
pub struct DialFilter<T>(Arc<dyn Fn(&T) -> bool + Send + Sync>);

impl<T> DialFilter<T> {
    pub(crate) fn new(allows: impl Fn(&T) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(allows))
    }

    /// Whether `candidate` would be dialled now.
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
