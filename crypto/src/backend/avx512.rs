//! Permutes two states at once with AVX-512VL, one in each half of the registers.
//!
//! The two states take 25 of the 32 registers. The code uses the rotation and the three-operand
//! logic of AVX-512VL. A single state leaves the upper halves unused, but is still faster than in
//! general-purpose registers.

use core::arch::x86_64::{
    __m128i, _mm_cvtsi64_si128, _mm_cvtsi128_si64, _mm_extract_epi64, _mm_rol_epi64,
    _mm_set_epi64x, _mm_set1_epi64x, _mm_setzero_si128, _mm_ternarylogic_epi64, _mm_xor_si128,
};

use super::pair::pair;
use super::round::{Block, Digest, LAST_BIT, Lanes, Padding, RATE, ROUND_CONSTANTS, round};

/// Proves that the processor supports AVX-512F and AVX-512VL.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token(());

impl Token {
    pub(super) fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl"))
            .then_some(Self(()))
    }

    pub(super) fn absorb(self, state: &mut Lanes, blocks: &[[u8; RATE]]) {
        // SAFETY: only `detect` makes a `Token`, after it has found the features of `absorb`.
        unsafe { absorb(state, blocks) }
    }

    pub(super) fn digest(self, state: &Lanes, padding: &Padding) -> Digest {
        // SAFETY: only `detect` makes a `Token`, after it has found the features of `digest`.
        unsafe { digest(state, padding) }
    }

    pub(super) fn digest_both(
        self,
        state: &Lanes,
        padding: &Padding,
        other: &Block,
    ) -> [Digest; 2] {
        // SAFETY: only `detect` makes a `Token`, after it has found the features of `digest_both`.
        unsafe { digest_both(state, padding, other) }
    }

    pub(super) fn digest_and_absorb(
        self,
        state: &mut Lanes,
        padding: &Padding,
        block: &Block,
    ) -> Digest {
        // SAFETY: only `detect` makes a `Token`, after it has found the function's features.
        unsafe { digest_and_absorb(state, padding, block) }
    }
}

/// Keeps the state in registers between blocks.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512vl")]
fn absorb(state: &mut Lanes, blocks: &[[u8; RATE]]) {
    let mut a = [_mm_setzero_si128(); 25];
    for (register, lane) in a.iter_mut().zip(&*state) {
        *register = _mm_cvtsi64_si128(lane.cast_signed());
    }
    let mut blocks = blocks.iter();
    loop {
        for constant in &ROUND_CONSTANTS {
            round!(a, *constant);
        }
        let Some(block) = blocks.next() else { break };
        for (register, bytes) in a.iter_mut().zip(block.as_chunks().0) {
            *register = add(*register, _mm_cvtsi64_si128(i64::from_le_bytes(*bytes)));
        }
    }
    for (lane, register) in state.iter_mut().zip(&a) {
        *lane = _mm_cvtsi128_si64(*register).cast_unsigned();
    }
}

#[inline(never)]
#[target_feature(enable = "avx512f,avx512vl")]
fn digest(state: &Lanes, padding: &Padding) -> Digest {
    let mut a = [_mm_setzero_si128(); 25];
    for (register, lane) in a.iter_mut().zip(state) {
        *register = _mm_cvtsi64_si128(lane.cast_signed());
    }
    for (register, bytes) in a.iter_mut().zip(padding.as_chunks().0) {
        *register = add(*register, _mm_cvtsi64_si128(i64::from_le_bytes(*bytes)));
    }
    a[RATE / 8 - 1] = add(a[RATE / 8 - 1], _mm_cvtsi64_si128(LAST_BIT.cast_signed()));
    for constant in &ROUND_CONSTANTS {
        round!(a, *constant);
    }
    low_halves(&a)
}

pair!("avx512f,avx512vl");

#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn parity(a: __m128i, b: __m128i, c: __m128i, d: __m128i, e: __m128i) -> __m128i {
    const XOR: i32 = 0xf0 ^ 0xcc ^ 0xaa;
    _mm_ternarylogic_epi64::<XOR>(add(add(a, b), c), d, e)
}

#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn effect(left: __m128i, right: __m128i) -> __m128i {
    add(left, rotate::<1>(right))
}

#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn add(a: __m128i, b: __m128i) -> __m128i {
    _mm_xor_si128(a, b)
}

#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn rotate<const N: i32>(lane: __m128i) -> __m128i {
    _mm_rol_epi64::<N>(lane)
}

#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn chi(a: __m128i, b: __m128i, c: __m128i) -> __m128i {
    const XOR_NOT_AND: i32 = 0xf0 ^ (!0xcc & 0xaa);
    _mm_ternarylogic_epi64::<XOR_NOT_AND>(a, b, c)
}

#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn iota(lane: __m128i, constant: u64) -> __m128i {
    add(lane, _mm_set1_epi64x(constant.cast_signed()))
}
