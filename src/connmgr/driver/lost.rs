//! Addresses to which the dialer found no route.
//!
//! When one of these addresses is reachable again, the others probably are, too.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::connmgr::dialer::Dialer;
use crate::connmgr::request::Address;
use crate::guarded::caught;
use crate::time::after;

/// Maximum number of remembered addresses. A few recent ones suffice, since a machine has few
/// routes.
const SAMPLES: usize = 8;

/// Interval at which the dialer is asked whether a remembered address has a route.
const EVERY: Duration = Duration::from_secs(5);

pub(in crate::connmgr) struct Lost<A> {
    addrs: VecDeque<A>,
    ask_at: Option<Instant>,
}

impl<A> Default for Lost<A> {
    fn default() -> Self {
        Self {
            addrs: VecDeque::new(),
            ask_at: None,
        }
    }
}

impl<A: Address> Lost<A> {
    /// Records an address without a route.
    ///
    /// An address is ignored if the dialer nevertheless reports a route to it.
    pub(super) fn note<D: Dialer<Addr = A>>(&mut self, addr: &A, dialer: &D, now: Instant) {
        if self.addrs.contains(addr) || may_reach(dialer, addr) {
            return;
        }
        if self.addrs.len() >= SAMPLES {
            self.addrs.pop_front();
        }
        self.addrs.push_back(addr.clone());
        self.ask_at.get_or_insert(after(now, EVERY));
    }

    /// Returns when to ask the dialer again, if an address is recorded.
    pub(super) fn ask_at(&self) -> Option<Instant> {
        self.ask_at
    }

    /// Returns whether any address has a route again, and forgets those addresses.
    pub(super) fn any_returned<D: Dialer<Addr = A>>(&mut self, dialer: &D, now: Instant) -> bool {
        let before = self.addrs.len();
        self.addrs.retain(|addr| !may_reach(dialer, addr));
        self.ask_at = (!self.addrs.is_empty()).then(|| after(now, EVERY));
        self.addrs.len() < before
    }
}

/// Asks the dialer. If it panics, the address counts as reachable and is not checked again.
fn may_reach<D: Dialer>(dialer: &D, addr: &D::Addr) -> bool {
    caught("the dialer", || dialer.may_reach(addr)).unwrap_or(true)
}
