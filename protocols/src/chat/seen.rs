use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};

use super::message::Spoken;

/// How many lines are remembered. A remembered line is not reported or passed on again.
const REMEMBERED: usize = 4096;

/// Hashes of the latest lines. The hash function has a random key, so a remote cannot construct two
/// lines with the same hash.
#[derive(Debug, Default)]
pub(super) struct Seen {
    key: RandomState,
    hashes: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Seen {
    /// Remembers a line; returns false if it was already remembered.
    pub(super) fn is_new(&mut self, line: &Spoken) -> bool {
        let hash = self.key.hash_one(line);
        if !self.hashes.insert(hash) {
            return false;
        }
        self.order.push_back(hash);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.hashes.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_new_once_and_again_when_it_is_forgotten() {
        let line = |nonce| Spoken {
            nonce,
            name: "Ann".to_owned(),
            text: "hello".to_owned(),
        };
        let mut seen = Seen::default();
        let count = REMEMBERED as u64;
        assert!((0..count).all(|nonce| seen.is_new(&line(nonce))));
        assert!((0..count).all(|nonce| !seen.is_new(&line(nonce))));
        assert!(seen.is_new(&line(count)));
        assert!(seen.is_new(&line(0)));
        assert_eq!(
            (seen.hashes.len(), seen.order.len()),
            (REMEMBERED, REMEMBERED)
        );
    }
}
