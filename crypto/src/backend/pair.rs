//! Permutes two states at once, one in each half of 128-bit registers.
//!
//! The state in the low halves becomes a digest.

/// Defines the functions on two states for the instructions `$features`.
///
/// Both vector backends use this macro, and define the operations for
/// [`round!`](super::round::round).
macro_rules! pair {
    ($features:literal) => {
        #[inline(never)]
        #[target_feature(enable = $features)]
        fn digest_both(state: &Lanes, padding: &Padding, other: &Block) -> [Digest; 2] {
            let mut a = load(state, padding, other);
            a[RATE / 8 - 1] = add(a[RATE / 8 - 1], _mm_set_epi64x(LAST_BIT.cast_signed(), 0));
            for constant in &ROUND_CONSTANTS {
                round!(a, *constant);
            }
            [low_halves(&a), high_halves(&a)]
        }

        #[inline(never)]
        #[target_feature(enable = $features)]
        fn digest_and_absorb(state: &mut Lanes, padding: &Padding, block: &Block) -> Digest {
            let mut a = load(state, padding, block);
            for constant in &ROUND_CONSTANTS {
                round!(a, *constant);
            }
            for (lane, register) in state.iter_mut().zip(&a) {
                *lane = _mm_extract_epi64::<1>(*register).cast_unsigned();
            }
            low_halves(&a)
        }

        /// Loads `state` twice: padded into the low halves, plus `block` into the high halves.
        #[inline]
        #[target_feature(enable = $features)]
        fn load(state: &Lanes, padding: &Padding, block: &Block) -> [__m128i; 25] {
            let mut a = [_mm_setzero_si128(); 25];
            for (register, lane) in a.iter_mut().zip(state) {
                *register = _mm_set1_epi64x(lane.cast_signed());
            }
            let words = padding.as_chunks().0.iter().zip(block);
            for (register, (low, high)) in a.iter_mut().zip(words) {
                let words = _mm_set_epi64x(high.cast_signed(), i64::from_le_bytes(*low));
                *register = add(*register, words);
            }
            a[RATE / 8 - 1] = add(a[RATE / 8 - 1], _mm_set_epi64x(0, LAST_BIT.cast_signed()));
            a
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn low_halves(a: &[__m128i; 25]) -> Digest {
            [a[0], a[1], a[2], a[3]].map(|half| _mm_cvtsi128_si64(half).cast_unsigned())
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn high_halves(a: &[__m128i; 25]) -> Digest {
            [a[0], a[1], a[2], a[3]].map(|half| _mm_extract_epi64::<1>(half).cast_unsigned())
        }
    };
}

pub(super) use pair;
