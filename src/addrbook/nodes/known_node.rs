//! The record of one node.

use std::time::SystemTime;

use super::super::Score;
use super::Ban;

/// What is remembered about one node.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct KnownNode {
    /// When the record was made.
    pub first_seen: SystemTime,
    /// When the node was last connected, or `None` if it never was.
    pub last_seen: Option<SystemTime>,
    /// Failures since the node was last connected.
    pub failures: u32,
    /// When a dial of the node or its handshake last failed.
    pub last_failure: Option<SystemTime>,
    /// Its misbehaviour.
    pub score: Score,
    /// Its ban, which may have ended.
    pub ban: Option<Ban>,
    /// When any of the other fields last changed.
    pub(in crate::addrbook) touched: SystemTime,
}

impl KnownNode {
    pub(in crate::addrbook) fn new(now: SystemTime) -> Self {
        Self {
            first_seen: now,
            last_seen: None,
            failures: 0,
            last_failure: None,
            score: Score::default(),
            ban: None,
            touched: now,
        }
    }

    /// The rank of the record; the lowest is dropped first. Unbanned records rank below banned
    /// ones. Of the unbanned, the one untouched for longest is the lowest; of the banned, the one
    /// whose ban ends first.
    pub(super) fn rank(&self) -> (bool, SystemTime) {
        match &self.ban {
            None => (false, self.touched),
            Some(ban) => (true, ban.end()),
        }
    }
}
