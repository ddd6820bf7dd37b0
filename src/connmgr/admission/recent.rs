//! Recently accepted visitors.

use std::collections::{HashSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::ip::network_by_family;

/// Maximum number of remembered visitors. If more visitors arrive within a period, the oldest are
/// forgotten and may return early.
const MOST: usize = 16_384;

/// Tables with room for at most four times this many visitors keep their memory.
const SMALL: usize = 64;

/// Admits each visitor once per period, and remembers the visitors of the current period.
///
/// A visitor is an IPv4 address, or the /64 of an IPv6 address, because one household has 2⁶⁴
/// addresses.
#[derive(Debug)]
pub(super) struct Recent {
    period: Duration,
    visitors: HashSet<IpAddr>,
    /// The same visitors, oldest first.
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

    pub(super) fn set_period(&mut self, period: Duration) {
        self.period = period;
    }

    /// Admits `ip` unless it was admitted less than a period ago.
    ///
    /// A refusal does not extend that period.
    pub(super) fn admit(&mut self, ip: IpAddr, now: Instant) -> bool {
        while let Some(&(then, visitor)) = self.order.front()
            && (self.order.len() >= MOST || now.saturating_duration_since(then) >= self.period)
        {
            self.order.pop_front();
            self.visitors.remove(&visitor);
        }
        self.shrink();
        let visitor = network_by_family(ip, 32, 64);
        let admitted = self.visitors.insert(visitor);
        if admitted {
            self.order.push_back((now, visitor));
        }
        admitted
    }

    /// Frees most of the memory that a flood of visitors has used.
    fn shrink(&mut self) {
        let size = self.order.len().max(SMALL);
        if self.order.capacity() / 4 > size {
            self.order.shrink_to(2 * size);
            self.visitors.shrink_to(2 * size);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::after;

    #[test]
    fn a_flood_of_addresses_is_remembered_up_to_a_bound_and_its_memory_freed() {
        let period = Duration::from_secs(30);
        let (mut recent, now) = (Recent::new(period), Instant::now());
        let visitor = |number: u32| IpAddr::from(number.to_be_bytes());
        for number in 0..100_000 {
            assert!(recent.admit(visitor(number), now));
            assert!(recent.order.len() <= MOST && recent.visitors.len() <= MOST);
        }
        assert!(!recent.admit(visitor(99_999), now));
        assert!(recent.admit(visitor(0), now), "the oldest is forgotten");
        assert!(recent.admit(visitor(0), after(now, period)));
        assert!(recent.order.capacity() <= 4 * SMALL && recent.visitors.capacity() <= 4 * SMALL);
    }
}
