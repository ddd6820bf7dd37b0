//! Detection of peers that are slower than others.

use std::time::Duration;

use super::estimate::Estimate;
use super::handle::Requests;
use crate::message::{Request, RequestMessages};
use crate::node::NodeId;

/// A slow peer's round trip is more than this many times the median.
const TIMES: u32 = 3;
/// The number of consecutive timeouts that make a peer slow.
const TIMED_OUT: u32 = 3;
/// How many other peers a comparison needs.
const OTHERS: usize = 3;

impl<M: RequestMessages> Requests<M> {
    /// Returns whether a peer answers requests of type `R` much more slowly than others.
    ///
    /// The peer is slow if the last three requests to it have timed out. It is also slow if its
    /// round trip is more than three times the median of the other peers, and at least three other
    /// peers have answered.
    #[must_use]
    pub fn is_slow<R: Request<Messages = M>>(&self, peer: &NodeId) -> bool {
        let remotes = self.remotes();
        let estimate = |of: bool| {
            let remotes = remotes.iter();
            let remotes = remotes.filter(move |remote| (remote.peer.id() == *peer) == of);
            remotes.filter_map(|remote| remote.estimate(R::CODE))
        };
        let mut others: Vec<_> = estimate(false)
            .filter(|other| other.responses() > 0)
            .map(|other| other.round_trip())
            .collect();
        estimate(true)
            .next()
            .is_some_and(|its| is_slow(&its, &mut others))
    }
}

fn is_slow(its: &Estimate, others: &mut [Duration]) -> bool {
    others.sort_unstable();
    let median = others
        .get(others.len() / 2)
        .filter(|_| others.len() >= OTHERS);
    let slower = median.is_some_and(|median| its.round_trip() > median.saturating_mul(TIMES));
    slower || its.timed_out_in_row() >= TIMED_OUT
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(millis: u64) -> Estimate {
        let mut estimate = Estimate::NONE;
        estimate.answered(Duration::from_millis(millis), 1);
        estimate
    }

    #[test]
    fn a_peer_is_slow_compared_with_others_or_when_it_does_not_answer() {
        let mut others = [10, 20, 30].map(Duration::from_millis);
        assert!(is_slow(&takes(61), &mut others));
        assert!(!is_slow(&takes(59), &mut others));
        assert!(!is_slow(&takes(1000), &mut others[..2]));
        let mut silent = takes(1);
        (0..3).for_each(|_| silent.timed_out());
        assert!(is_slow(&silent, &mut []));
    }
}
