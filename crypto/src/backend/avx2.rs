//! Permutes two states at once with AVX2, one in each half of the registers.
//!
//! AVX2 has 16 registers and no rotation, so a single state is faster in general-purpose registers,
//! with BMI1 and BMI2.

use core::arch::x86_64::{
    __m128i, _mm_andnot_si128, _mm_cvtsi32_si128, _mm_cvtsi128_si64, _mm_extract_epi64,
    _mm_or_si128, _mm_set_epi64x, _mm_set1_epi64x, _mm_setr_epi8, _mm_setzero_si128,
    _mm_shuffle_epi8, _mm_sll_epi64, _mm_srl_epi64, _mm_xor_si128,
};

use super::pair::pair;
use super::plain;
use super::round::{Block, Digest, LAST_BIT, Lanes, Padding, RATE, ROUND_CONSTANTS, round};

/// Proves that the processor supports AVX2, BMI1 and BMI2.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token(());

impl Token {
    pub(super) fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2"))
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

#[inline(never)]
#[target_feature(enable = "bmi1,bmi2")]
fn absorb(state: &mut Lanes, blocks: &[[u8; RATE]]) {
    plain::absorb_inline(state, blocks);
}

#[inline(never)]
#[target_feature(enable = "bmi1,bmi2")]
fn digest(state: &Lanes, padding: &Padding) -> Digest {
    plain::digest_inline(state, padding)
}

pair!("avx2");

#[inline]
#[target_feature(enable = "avx2")]
fn parity(a: __m128i, b: __m128i, c: __m128i, d: __m128i, e: __m128i) -> __m128i {
    add(add(add(a, b), add(c, d)), e)
}

#[inline]
#[target_feature(enable = "avx2")]
fn effect(left: __m128i, right: __m128i) -> __m128i {
    add(left, rotate::<1>(right))
}

#[inline]
#[target_feature(enable = "avx2")]
fn add(a: __m128i, b: __m128i) -> __m128i {
    _mm_xor_si128(a, b)
}

/// Rotates whole bytes in one instruction, anything else with two shifts.
#[inline]
#[target_feature(enable = "avx2")]
fn rotate<const N: i32>(lane: __m128i) -> __m128i {
    match N {
        8 => {
            let moved = _mm_setr_epi8(7, 0, 1, 2, 3, 4, 5, 6, 15, 8, 9, 10, 11, 12, 13, 14);
            _mm_shuffle_epi8(lane, moved)
        }
        56 => {
            let moved = _mm_setr_epi8(1, 2, 3, 4, 5, 6, 7, 0, 9, 10, 11, 12, 13, 14, 15, 8);
            _mm_shuffle_epi8(lane, moved)
        }
        _ => _mm_or_si128(
            _mm_sll_epi64(lane, _mm_cvtsi32_si128(N)),
            _mm_srl_epi64(lane, _mm_cvtsi32_si128(64 - N)),
        ),
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn chi(a: __m128i, b: __m128i, c: __m128i) -> __m128i {
    add(a, _mm_andnot_si128(b, c))
}

#[inline]
#[target_feature(enable = "avx2")]
fn iota(lane: __m128i, constant: u64) -> __m128i {
    add(lane, _mm_set1_epi64x(constant.cast_signed()))
}
