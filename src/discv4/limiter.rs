//! Rate limits per address.

use std::collections::HashMap;
use std::net::IpAddr;

use tokio::time::Instant;

use crate::pace::Pace;

/// A rate limit with bursts for each address, in a table of bounded size.
///
/// For each address, the limiter stores a point in time, which encodes the tokens that the address
/// has spent. There are two generations of at most `capacity` addresses each. When the young
/// generation is full, it replaces the old one. So no clean-up takes long, and an address that soon
/// returns is still remembered. A flood of addresses can evict entries, which gives each evicted
/// address one more burst.
#[derive(Debug)]
pub(super) struct Limiter {
    pace: Pace,
    capacity: usize,
    young: HashMap<IpAddr, Instant>,
    old: HashMap<IpAddr, Instant>,
}

impl Limiter {
    /// Grants `burst` events at once, then `per_second` each second. A value of 0 counts as 1.
    pub(super) fn new(burst: u32, per_second: u32, capacity: usize) -> Self {
        Self {
            pace: Pace::new(burst, per_second),
            capacity,
            young: HashMap::new(),
            old: HashMap::new(),
        }
    }

    /// Counts an event of an address; returns false if the address has had too many.
    pub(super) fn take(&mut self, ip: IpAddr, now: Instant) -> bool {
        let spent = self.young.get(&ip).or_else(|| self.old.get(&ip)).copied();
        let Ok(spent) = self.pace.take(spent, now) else {
            return false;
        };
        if self.young.len() >= self.capacity && !self.young.contains_key(&ip) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(ip, spent);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn ip(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    #[test]
    fn a_burst_then_the_rate_for_each_address() {
        let start = Instant::now();
        let mut limiter = Limiter::new(4, 2, 8);
        for address in [ip(1), ip(2)] {
            assert!((0..4).all(|_| limiter.take(address, start)));
            assert!(!limiter.take(address, start));
        }
        let later = start + Duration::from_millis(500);
        assert!(limiter.take(ip(1), later) && !limiter.take(ip(1), later));
        let much_later = start + Duration::from_secs(1000);
        assert!((0..4).all(|_| limiter.take(ip(1), much_later)));
        assert!(!limiter.take(ip(1), much_later));
    }

    #[test]
    fn it_never_holds_more_than_two_generations() {
        let start = Instant::now();
        let mut limiter = Limiter::new(1, 1, 8);
        for number in 0..1000 {
            assert!(limiter.take(ip(number), start));
            assert!(limiter.young.len() <= 8 && limiter.old.len() <= 8);
        }
        assert!(!limiter.take(ip(999), start), "the last is remembered");
        assert!(limiter.take(ip(0), start), "the first is forgotten");
    }
}
