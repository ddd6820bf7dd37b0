//! Addresses to which the dialer found no route: when one of them has a way again, so have others.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::connmgr::dialer::Dialer;
use crate::connmgr::request::Address;
use crate::guarded::caught;
use crate::time::after;

/// How many are remembered, the latest: enough for the few ways that a machine has out.
const SAMPLES: usize = 8;

/// How often the dialer is asked about them.
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
    /// There was no route to an address. It is of no use here if the dialer sees one all the same.
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

    /// When to ask the dialer, while there is something to ask about.
    pub(super) fn ask_at(&self) -> Option<Instant> {
        self.ask_at
    }

    /// Whether the dialer sees a way to one of them again, which are forgotten then.
    pub(super) fn any_returned<D: Dialer<Addr = A>>(&mut self, dialer: &D, now: Instant) -> bool {
        let before = self.addrs.len();
        self.addrs.retain(|addr| !may_reach(dialer, addr));
        self.ask_at = (!self.addrs.is_empty()).then(|| after(now, EVERY));
        self.addrs.len() < before
    }
}

/// A dialer that panics is not asked again about this address.
fn may_reach<D: Dialer>(dialer: &D, addr: &D::Addr) -> bool {
    caught("the dialer", || dialer.may_reach(addr)).unwrap_or(true)
}
