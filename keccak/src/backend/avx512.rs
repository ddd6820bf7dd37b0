//! Two states in the halves of 25 registers, of the 32 that AVX-512VL has, with its rotation and its
//! three-operand logic. A single state leaves the upper halves unused and is still the fastest.

use core::arch::x86_64::{
    __m128i, _mm_cvtsi64_si128, _mm_cvtsi128_si64, _mm_extract_epi64, _mm_rol_epi64,
    _mm_set_epi64x, _mm_set1_epi64x, _mm_setzero_si128, _mm_ternarylogic_epi64, _mm_xor_si128,
};

use super::round::{Lanes, RATE, ROUND_CONSTANTS, round};

/// Says that the processor has AVX-512F and AVX-512VL.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token(());

impl Token {
    pub(super) fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl"))
            .then_some(Self(()))
    }

    pub(super) fn absorb(self, state: &mut Lanes, blocks: &[[u8; RATE]]) {
        // SAFETY: `detect` alone makes a `Token`, after it found the features of `absorb`.
        unsafe { absorb(state, blocks) }
    }

    pub(super) fn permute_both(self, a: &mut Lanes, b: &mut Lanes) {
        // SAFETY: `detect` alone makes a `Token`, after it found the features of `permute_both`.
        unsafe { permute_both(a, b) }
    }
}

/// Keeps the state in registers from block to block.
#[target_feature(enable = "avx512f,avx512vl")]
fn absorb(state: &mut Lanes, blocks: &[[u8; RATE]]) {
    let mut a = [_mm_setzero_si128(); 25];
    for (register, lane) in a.iter_mut().zip(&*state) {
        *register = _mm_cvtsi64_si128(lane.cast_signed());
    }
    let mut blocks = blocks.iter();
    loop {
        for constant in ROUND_CONSTANTS {
            round!(a, constant);
        }
        let Some(block) = blocks.next() else { break };
        for (register, bytes) in a.iter_mut().zip(block.as_chunks().0) {
            *register = add(*register, _mm_cvtsi64_si128(i64::from_le_bytes(*bytes)));
        }
    }
    for (register, lane) in a.iter().zip(state) {
        *lane = _mm_cvtsi128_si64(*register).cast_unsigned();
    }
}

#[target_feature(enable = "avx512f,avx512vl")]
fn permute_both(first: &mut Lanes, second: &mut Lanes) {
    let mut a = [_mm_setzero_si128(); 25];
    for (register, (low, high)) in a.iter_mut().zip(first.iter().zip(&*second)) {
        *register = _mm_set_epi64x(high.cast_signed(), low.cast_signed());
    }
    for constant in ROUND_CONSTANTS {
        round!(a, constant);
    }
    for (register, (low, high)) in a.iter().zip(first.iter_mut().zip(second)) {
        *low = _mm_cvtsi128_si64(*register).cast_unsigned();
        *high = _mm_extract_epi64::<1>(*register).cast_unsigned();
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn parity(a: __m128i, b: __m128i, c: __m128i, d: __m128i, e: __m128i) -> __m128i {
    add3(add3(a, b, c), d, e)
}

#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn add3(a: __m128i, b: __m128i, c: __m128i) -> __m128i {
    const XOR: i32 = 0xf0 ^ 0xcc ^ 0xaa;
    _mm_ternarylogic_epi64::<XOR>(a, b, c)
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
