//! Who came a moment ago.

use std::collections::{HashSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::ip::network_by_family;

/// Lets each visitor in once per period: an IPv4 address, or the /64 of an IPv6 address, of which
/// one household has 2⁶⁴ addresses. Holds only those of the current period.
#[derive(Debug)]
pub(super) struct Recent {
    period: Duration,
    visitors: HashSet<IpAddr>,
    /// The same in the order of time.
    order: VecDeque<(Instant, IpAddr)>,
}

impl Recent {
    pub(super) fn new(period: Duration) -> Self {
        Self {
            period,
            visitors: HashSet::new(),
            order: VecDeque::new(),
        }
    }

    /// Whether `ip` may come in now; if so it may not for a period. A refusal does not make that
    /// longer.
    pub(super) fn admit(&mut self, ip: IpAddr, now: Instant) -> bool {
        while let Some(&(then, visitor)) = self.order.front()
            && now.saturating_duration_since(then) >= self.period
        {
            self.order.pop_front();
            self.visitors.remove(&visitor);
        }
        let visitor = network_by_family(ip, 32, 64);
        let admitted = self.visitors.insert(visitor);
        if admitted {
            self.order.push_back((now, visitor));
        }
        admitted
    }
}
