//! Distances between nodes.

use crate::node::NodeId;

/// Returns the exclusive or of two ids, to be compared as a number.
pub(super) fn distance(one: &NodeId, other: &NodeId) -> [u8; 32] {
    let mut distance = *one.as_bytes();
    for (byte, other) in distance.iter_mut().zip(other.as_bytes()) {
        *byte ^= other;
    }
    distance
}

/// Returns the bit length of the distance: 0 for the same id, at most 256.
pub(super) fn log_distance(one: &NodeId, other: &NodeId) -> usize {
    let distance = distance(one, other);
    let zeros = distance.iter().take_while(|byte| **byte == 0).count();
    let bits = distance.get(zeros).map_or(0, |byte| byte.leading_zeros());
    256 - 8 * zeros - bits as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_counted_from_the_first_that_differs() {
        let id = |at: usize, byte| {
            let mut bytes = [0; 32];
            bytes[at] = byte;
            NodeId::from_bytes(bytes)
        };
        let zero = id(0, 0);
        for (other, bits) in [
            (zero, 0),
            (id(31, 1), 1),
            (id(31, 2), 2),
            (id(30, 1), 9),
            (id(0, 1), 249),
            (id(0, 0x80), 256),
        ] {
            assert_eq!(log_distance(&zero, &other), bits);
            assert_eq!(log_distance(&other, &zero), bits);
        }
    }
}
