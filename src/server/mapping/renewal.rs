//! Decides when to send which request to a router.

use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::time::{after, doubled, part};

/// The requested lifetime of a mapping. If the node is killed, its mapping remains for up to this
/// time.
pub(super) const LEASE: Duration = Duration::from_secs(20 * 60);

/// The minimum time between two renewals, even for shorter leases.
const SOONEST: Duration = Duration::from_secs(30);

/// How often to request the router's external address.
const CHECK: Duration = Duration::from_secs(2 * 60);

/// The wait after the first failure; each further wait is twice as long.
const FIRST_RETRY: Duration = Duration::from_secs(15);

/// The maximum wait after a failure.
const LAST_RETRY: Duration = Duration::from_secs(10 * 60);

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Request the mapping, or renew it.
    Map,
    /// Request the router's external address.
    Check,
    /// Forget the mapping, since its lease has ended.
    Lapse,
}

/// A mapping and its next renewal. The methods take the current time as an argument.
#[derive(Debug)]
pub(super) struct Renewal {
    held: Option<Held>,
    failures: u32,
    map_at: Instant,
    check_at: Instant,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    ip: IpAddr,
    /// The end of the lease, if there is one.
    ends: Option<Instant>,
}

impl Renewal {
    /// Starts without a mapping. The first step is to request one at once.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            held: None,
            failures: 0,
            map_at: now,
            check_at: now,
        }
    }

    /// Returns the next step and its time.
    pub(super) fn next(&self) -> (Instant, Step) {
        let map = (self.map_at, Step::Map);
        let Some(held) = &self.held else {
            return map;
        };
        // While requests for a mapping fail, the router's address does not matter.
        let check = (self.failures == 0).then_some((self.check_at, Step::Check));
        let lapse = held.ends.map(|ends| (ends, Step::Lapse));
        let all = [Some(map), lapse, check].into_iter().flatten();
        all.min_by_key(|(at, _)| *at).unwrap_or(map)
    }

    /// Records that the router maps `ip` to this node for the duration of the lease.
    pub(super) fn mapped(&mut self, now: Instant, ip: IpAddr, lease: Option<Duration>) {
        let term = lease.map_or(LEASE, |lease| lease.min(LEASE));
        self.held = Some(Held {
            ip,
            ends: lease.map(|lease| after(now, lease.max(SOONEST.saturating_mul(2)))),
        });
        self.failures = 0;
        self.map_at = after(now, part(term, 2).max(SOONEST));
        self.check_at = after(now, CHECK);
    }

    /// Records that the mapping failed. Returns the wait before the next attempt.
    pub(super) fn failed(&mut self, now: Instant) -> Duration {
        let wait = doubled(FIRST_RETRY, self.failures).min(LAST_RETRY);
        self.failures = self.failures.saturating_add(1);
        self.map_at = after(now, wait);
        wait
    }

    /// Records the router's external address, or `None` if the router did not report one.
    ///
    /// If the address has changed or is unknown, the mapping is renewed at once.
    pub(super) fn checked(&mut self, now: Instant, ip: Option<IpAddr>) {
        self.check_at = after(now, CHECK);
        if ip.is_none() || ip != self.held.map(|held| held.ip) {
            self.map_at = now;
        }
    }

    /// Records the end of the mapping.
    pub(super) fn lapsed(&mut self) {
        self.held = None;
    }

    /// Renews the mapping at once, since the machine may be on another network.
    pub(super) fn hurry(&mut self, now: Instant) {
        self.failures = 0;
        self.map_at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(9, 8, 7, 6));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(9, 8, 7, 7));

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Returns the next step and its time, in seconds from the start.
    fn next(renewal: &Renewal, start: Instant) -> (u64, Step) {
        let (at, step) = renewal.next();
        (at.duration_since(start).as_secs(), step)
    }

    fn mapped(lease: Option<u64>) -> (Renewal, Instant) {
        let start = Instant::now();
        let mut renewal = Renewal::new(start);
        assert_eq!(next(&renewal, start), (0, Step::Map));
        renewal.mapped(start, IP, lease.map(seconds));
        (renewal, start)
    }

    #[test]
    fn it_is_renewed_at_half_of_its_lease_whatever_the_router_reports() {
        for (lease, renewed) in [
            (Some(200), 100),
            (Some(1200), 600),
            (Some(u64::MAX), 600),
            (None, 600),
            (Some(0), 30),
        ] {
            let (mut renewal, start) = mapped(lease);
            // The address stays the same.
            while let (at, Step::Check) = renewal.next() {
                renewal.checked(at, Some(IP));
            }
            assert_eq!(next(&renewal, start), (renewed, Step::Map), "{lease:?}");
        }
    }

    #[test]
    fn a_new_address_or_a_silent_router_causes_a_new_request() {
        for ip in [None, Some(OTHER)] {
            let (mut renewal, start) = mapped(Some(1200));
            assert_eq!(next(&renewal, start), (120, Step::Check));
            renewal.checked(start + seconds(120), Some(IP));
            assert_eq!(next(&renewal, start), (240, Step::Check));
            renewal.checked(start + seconds(240), ip);
            assert_eq!(next(&renewal, start), (240, Step::Map));
            renewal.mapped(start + seconds(241), OTHER, Some(seconds(1200)));
            assert_eq!(next(&renewal, start), (361, Step::Check));
            renewal.checked(start + seconds(361), Some(OTHER));
            assert_eq!(next(&renewal, start), (481, Step::Check));
        }
    }

    #[test]
    fn waits_grow_until_a_success() {
        let start = Instant::now();
        let mut renewal = Renewal::new(start);
        let waits: Vec<_> = (0..40).map(|_| renewal.failed(start).as_secs()).collect();
        assert_eq!(waits[..7], [15, 30, 60, 120, 240, 480, 600]);
        assert!(waits[7..].iter().all(|wait| *wait == 600));
        assert_eq!(next(&renewal, start), (600, Step::Map));
        renewal.mapped(start, IP, None);
        assert_eq!(renewal.failed(start), seconds(15));
        renewal.failed(start);
        renewal.hurry(start);
        assert_eq!(next(&renewal, start), (0, Step::Map));
        assert_eq!(renewal.failed(start), seconds(15));
    }

    #[test]
    fn a_mapping_that_cannot_be_renewed_lasts_until_its_lease_ends() {
        let (mut renewal, start) = mapped(Some(1200));
        let mut tries = 0;
        while let (at, Step::Check) = renewal.next() {
            renewal.checked(at, Some(IP));
        }
        while let (at, Step::Map) = renewal.next() {
            renewal.failed(at);
            tries += 1;
        }
        assert_eq!(next(&renewal, start), (1200, Step::Lapse));
        assert_eq!(tries, 6);
        renewal.lapsed();
        assert_eq!(renewal.next().1, Step::Map);
    }
}
