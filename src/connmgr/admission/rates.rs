//! How fast handshakes may begin, of one network and of all.

use std::collections::{BTreeMap, HashMap};

use tokio::time::Instant;

use super::prefix::Prefix;
use crate::connmgr::token_bucket::{Rate, TokenBucket};

/// A token bucket for all, and one for each of the networks seen last.
#[derive(Debug)]
pub(super) struct Rates {
    global: TokenBucket,
    per_prefix: Rate,
    capacity: usize,
    buckets: HashMap<Prefix, (TokenBucket, u64)>,
    /// By their last use, the oldest first.
    uses: BTreeMap<u64, Prefix>,
    last_use: u64,
}

impl Rates {
    /// `capacity` is how many networks are remembered, at least one.
    pub(super) fn new(global: Rate, per_prefix: Rate, capacity: usize, now: Instant) -> Self {
        Self {
            global: TokenBucket::new(global, now),
            per_prefix,
            capacity: capacity.max(1),
            buckets: HashMap::new(),
            uses: BTreeMap::new(),
            last_use: 0,
        }
    }

    /// Takes a token of the network, if there is one, and one of all; both or none.
    pub(super) fn take(&mut self, prefix: Option<Prefix>, now: Instant) -> bool {
        let Some(prefix) = prefix else {
            return self.global.take(now).is_ok();
        };
        if self.bucket(prefix, now).take(now).is_err() {
            return false;
        }
        if self.global.take(now).is_err() {
            self.bucket(prefix, now).give_back();
            return false;
        }
        true
    }

    fn bucket(&mut self, prefix: Prefix, now: Instant) -> &mut TokenBucket {
        self.last_use += 1;
        let fresh = (TokenBucket::new(self.per_prefix, now), 0);
        if !self.buckets.contains_key(&prefix)
            && self.buckets.len() >= self.capacity
            && let Some((_, oldest)) = self.uses.pop_first()
        {
            self.buckets.remove(&oldest);
        }
        let (bucket, used) = self.buckets.entry(prefix).or_insert(fresh);
        self.uses.remove(used);
        *used = self.last_use;
        self.uses.insert(*used, prefix);
        bucket
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const A: Option<Prefix> = Some(Prefix::V4([1, 1, 1]));
    const B: Option<Prefix> = Some(Prefix::V4([2, 2, 2]));
    const C: Option<Prefix> = Some(Prefix::V4([3, 3, 3]));

    fn rates(global: Rate, per_prefix: Rate) -> (Rates, Instant) {
        let now = Instant::now();
        (Rates::new(global, per_prefix, 2, now), now)
    }

    #[test]
    fn tokens_come_back_at_the_rate() {
        let (mut rates, now) = rates(Rate::new(2, 2), Rate::new(9, 9));
        assert!(rates.take(A, now) && rates.take(A, now));
        assert!(!rates.take(A, now));
        let later = now + Duration::from_millis(500);
        assert!(rates.take(A, later) && !rates.take(A, later));
    }

    #[test]
    fn a_refusal_for_want_of_a_global_token_costs_the_prefix_none() {
        let (mut rates, now) = rates(Rate::new(1, 1), Rate::new(2, 0));
        assert!(rates.take(A, now));
        // Refused for want of a global token, A keeps its second one.
        assert!(!rates.take(A, now));
        assert!(rates.take(A, now + Duration::from_secs(1)));
        assert!(!rates.take(A, now + Duration::from_secs(2)));
    }

    #[test]
    fn one_prefix_does_not_spend_the_tokens_of_another() {
        let (mut rates, now) = rates(Rate::new(9, 9), Rate::new(1, 1));
        assert!(rates.take(A, now));
        assert!((0..100).all(|_| !rates.take(A, now)));
        assert!(rates.take(B, now));
    }

    #[test]
    fn only_the_networks_seen_last_are_remembered() {
        let (mut rates, now) = rates(Rate::new(9, 0), Rate::new(1, 0));
        assert!(rates.take(A, now) && rates.take(B, now));
        assert!(!rates.take(A, now));
        assert!(rates.take(C, now));
        assert_eq!((rates.buckets.len(), rates.uses.len()), (2, 2));
        assert!(!rates.take(A, now));
        assert!(rates.take(B, now));
    }
}
