//! Permutes one state in general-purpose registers, on any processor.

use super::round::{Digest, LAST_BIT, Lanes, Padding, RATE, ROUND_CONSTANTS, round};

/// See [`Backend::absorb`](super::Backend::absorb).
#[inline(never)]
pub(super) fn absorb(state: &mut Lanes, blocks: &[[u8; RATE]]) {
    absorb_inline(state, blocks);
}

/// See [`Backend::digest`](super::Backend::digest).
#[inline(never)]
pub(super) fn digest(state: &Lanes, padding: &Padding) -> Digest {
    digest_inline(state, padding)
}

/// Like [`absorb`], but compiled for the instructions that its caller may use.
#[inline(always)]
pub(super) fn absorb_inline(state: &mut Lanes, blocks: &[[u8; RATE]]) {
    let mut a = *state;
    let mut blocks = blocks.iter();
    loop {
        for constant in &ROUND_CONSTANTS {
            round!(a, *constant);
        }
        let Some(block) = blocks.next() else { break };
        for (lane, bytes) in a.iter_mut().zip(block.as_chunks().0) {
            *lane ^= u64::from_le_bytes(*bytes);
        }
    }
    *state = a;
}

/// Like [`digest`], but compiled for the instructions that its caller may use.
#[inline(always)]
pub(super) fn digest_inline(state: &Lanes, padding: &Padding) -> Digest {
    let mut copy = *state;
    for (lane, bytes) in copy.iter_mut().zip(padding.as_chunks().0) {
        *lane ^= u64::from_le_bytes(*bytes);
    }
    copy[RATE / 8 - 1] ^= LAST_BIT;
    absorb_inline(&mut copy, &[]);
    [copy[0], copy[1], copy[2], copy[3]]
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
