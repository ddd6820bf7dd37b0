//! How a node's connections are shared out.

/// How many automatic connections a node holds if it has room for them.
const TARGET: usize = 8;

/// How many connections of each kind there may be, out of a total.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Automatic ones.
    pub target: usize,
    /// Automatic and permanent ones, which accepted ones must leave room for.
    pub reserved: usize,
    /// Accepted ones.
    pub inbound: usize,
}

impl Budget {
    /// Shares out `max` connections: first to `permanent` requests, then up to 8 to automatic
    /// ones if there are any, the rest to accepted ones.
    #[must_use]
    pub fn new(max: usize, permanent: usize, automatic: bool) -> Self {
        let target = if automatic {
            max.saturating_sub(permanent).min(TARGET)
        } else {
            0
        };
        let reserved = permanent.saturating_add(target).min(max);
        Self {
            target,
            reserved,
            inbound: max - reserved,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // TestInboundPeerReservation
    #[test]
    fn budgets() {
        let table = [
            ((8, 1, false), (0, 1, 7)),
            ((8, 10, false), (0, 8, 0)),
            ((8, 0, false), (0, 0, 8)),
            ((8, 3, false), (0, 3, 5)),
            ((125, 0, true), (8, 8, 117)),
            ((125, 3, true), (8, 11, 114)),
            ((10, 9, true), (1, 10, 0)),
            ((10, 10, true), (0, 10, 0)),
            ((10, 12, true), (0, 10, 0)),
        ];
        for ((max, permanent, automatic), (target, reserved, inbound)) in table {
            let budget = Budget::new(max, permanent, automatic);
            let expected = Budget {
                target,
                reserved,
                inbound,
            };
            assert_eq!(budget, expected, "{max} {permanent} {automatic}");
        }
    }
}
