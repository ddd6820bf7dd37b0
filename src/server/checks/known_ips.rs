//! The addresses of static and trusted nodes.

use std::collections::VecDeque;
use std::net::IpAddr;

use crate::mutex::Mutex;
use crate::node::{Endpoint, Enode};

/// Maximum number of remembered addresses of connected nodes; the oldest is dropped first.
const PROVEN: usize = 256;

/// Addresses of static and trusted nodes: the configured ones, and those seen in connections.
#[derive(Debug, Default)]
pub(crate) struct KnownIps {
    configured: Mutex<Vec<IpAddr>>,
    proven: Mutex<VecDeque<IpAddr>>,
}

impl KnownIps {
    /// Replaces the configured addresses.
    pub(crate) fn configure<'a>(&self, nodes: impl Iterator<Item = &'a Enode>) {
        let addrs = nodes.flat_map(|node| node.tcp_endpoints().filter_map(Endpoint::socket_addr));
        let mut configured: Vec<_> = addrs.map(|addr| addr.ip().to_canonical()).collect();
        configured.sort_unstable();
        configured.dedup();
        *self.configured.lock() = configured;
    }

    pub(crate) fn contains(&self, ip: IpAddr) -> bool {
        self.configured.lock().binary_search(&ip).is_ok() || self.proven.lock().contains(&ip)
    }

    /// Records the proven address of a static or trusted node.
    pub(crate) fn prove(&self, ip: IpAddr) {
        if self.contains(ip) {
            return;
        }
        let mut proven = self.proven.lock();
        if proven.len() >= PROVEN {
            proven.pop_front();
        }
        proven.push_back(ip);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::SecretKey;

    #[test]
    fn configured_and_proven_addresses_are_known_within_bounds() {
        let key = SecretKey::generate().public_key();
        let node = Enode::new(key, ([20, 1, 1, 1], 1).into());
        let known = KnownIps::default();
        known.configure([node].iter());
        let ip = |n: u32| IpAddr::from((0x1500_0000 + n).to_be_bytes());
        for n in 0..1000 {
            known.prove(ip(n));
        }
        assert!(known.contains([20, 1, 1, 1].into()));
        assert!(known.contains(ip(999)) && !known.contains(ip(0)));
        assert_eq!(known.proven.lock().len(), PROVEN);
        known.configure([].iter());
        assert!(!known.contains([20, 1, 1, 1].into()) && known.contains(ip(999)));
    }
}
