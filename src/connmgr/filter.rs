//! Who may be talked to.

use std::sync::Arc;

use super::claims::Claims;
use super::error::Refusal;
use super::request::{Address, Candidate};

/// Decides about addresses: bans, permitted networks, throttling. It is asked inside the
/// manager's task, so it must answer at once.
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

/// Tells an address source which candidates are of use now: not those that a request leads to
/// already, or to whose group, that were dialled a moment ago, or that the [`Filter`] refuses.
#[derive(Clone)]
pub struct DialFilter<A: Address> {
    pub(super) claims: Claims<A>,
    pub(super) filter: Arc<dyn Filter<A>>,
}

impl<A: Address> DialFilter<A> {
    /// Whether the manager would dial `candidate` now.
    #[must_use]
    pub fn allows(&self, candidate: &Candidate<A>) -> bool {
        self.claims.allow_automatic(candidate) && self.filter.dial(candidate).is_ok()
    }
}

impl<A: Address> std::fmt::Debug for DialFilter<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DialFilter").finish_non_exhaustive()
    }
}
