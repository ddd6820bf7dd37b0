//! One state in general-purpose registers, on any processor.

use super::round::{Lanes, RATE, ROUND_CONSTANTS, round};

/// See [`Backend::absorb`](super::Backend::absorb). Always inlined so that a caller can compile it
/// for the instructions it knows to be there.
#[inline(always)]
pub(super) fn absorb(state: &mut Lanes, blocks: &[[u8; RATE]]) {
    permute(state);
    for block in blocks {
        for (lane, bytes) in state.iter_mut().zip(block.as_chunks().0) {
            *lane ^= u64::from_le_bytes(*bytes);
        }
        permute(state);
    }
}

#[inline(always)]
fn permute(state: &mut Lanes) {
    let mut a = *state;
    for constant in ROUND_CONSTANTS {
        round!(a, constant);
    }
    *state = a;
}

#[inline(always)]
fn parity(a: u64, b: u64, c: u64, d: u64, e: u64) -> u64 {
    a ^ b ^ c ^ d ^ e
}

#[inline(always)]
fn effect(left: u64, right: u64) -> u64 {
    left ^ right.rotate_left(1)
}

#[inline(always)]
fn add(a: u64, b: u64) -> u64 {
    a ^ b
}

#[inline(always)]
fn rotate<const N: u32>(lane: u64) -> u64 {
    lane.rotate_left(N)
}

#[inline(always)]
fn chi(a: u64, b: u64, c: u64) -> u64 {
    a ^ (!b & c)
}

#[inline(always)]
fn iota(lane: u64, constant: u64) -> u64 {
    lane ^ constant
}
