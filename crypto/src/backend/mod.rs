//! The permutation of one or two states, in the fastest form for the processor.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod pair;
mod plain;
mod round;

pub(crate) use round::{Block, Digest, Lanes, Padding, RATE, padding};

/// The code that computes the permutation.
///
/// Only [`detect`](Self::detect) returns a backend for instructions beyond the target's, and only
/// if the processor supports them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Backend {
    Plain,
    #[cfg(target_arch = "x86_64")]
    Avx2(avx2::Token),
    #[cfg(target_arch = "x86_64")]
    Avx512(avx512::Token),
}

impl Backend {
    /// Returns the fastest backend for this processor.
    pub(crate) fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if let Some(token) = avx512::Token::detect() {
                return Self::Avx512(token);
            }
            if let Some(token) = avx2::Token::detect() {
                return Self::Avx2(token);
            }
        }
        Self::Plain
    }

    /// Returns all backends for this processor.
    #[cfg(test)]
    pub(crate) fn all() -> Vec<Self> {
        let all = [Self::Plain].into_iter();
        #[cfg(target_arch = "x86_64")]
        let all = all
            .chain(avx2::Token::detect().map(Self::Avx2))
            .chain(avx512::Token::detect().map(Self::Avx512));
        all.collect()
    }

    /// Permutes `state`. Then, for each of `blocks`, adds the block and permutes `state` again.
    pub(crate) fn absorb(self, state: &mut Lanes, blocks: &[[u8; RATE]]) {
        match self {
            Self::Plain => plain::absorb(state, blocks),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(token) => token.absorb(state, blocks),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(token) => token.absorb(state, blocks),
        }
    }

    /// Returns the digest of `state`, with `padding` after the bytes of its block.
    pub(crate) fn digest(self, state: &Lanes, padding: &Padding) -> Digest {
        match self {
            Self::Plain => plain::digest(state, padding),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(token) => token.digest(state, padding),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(token) => token.digest(state, padding),
        }
    }

    /// Returns the result of [`digest`](Self::digest), and the digest of `state` plus `other`.
    ///
    /// `other` continues the block, with its own padding.
    pub(crate) fn digest_both(
        self,
        state: &Lanes,
        padding: &Padding,
        other: &Block,
    ) -> [Digest; 2] {
        match self {
            Self::Plain => {
                let first = plain::digest(state, padding);
                let mut state = *state;
                add(&mut state, other);
                [first, plain::digest(&state, &[0; RATE])]
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(token) => token.digest_both(state, padding, other),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(token) => token.digest_both(state, padding, other),
        }
    }

    /// Like [`digest`](Self::digest), then adds `block` to `state` and permutes it.
    pub(crate) fn digest_and_absorb(
        self,
        state: &mut Lanes,
        padding: &Padding,
        block: &Block,
    ) -> Digest {
        match self {
            Self::Plain => {
                let digest = plain::digest(state, padding);
                add(state, block);
                plain::absorb(state, &[]);
                digest
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(token) => token.digest_and_absorb(state, padding, block),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(token) => token.digest_and_absorb(state, padding, block),
        }
    }
}

/// Adds `block` to the beginning of `state`.
pub(crate) fn add(state: &mut [u64], block: &Block) {
    for (lane, word) in state.iter_mut().zip(block) {
        *lane ^= word;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keccak-f\[1600\] of zeroes, a test vector of the reference implementation. So is the next
    /// constant, which is Keccak-f of this result.
    const ZEROES_PERMUTED: Lanes = [
        0xf125_8f79_40e1_dde7,
        0x84d5_ccf9_33c0_478a,
        0xd598_261e_a65a_a9ee,
        0xbd15_4730_6f80_494d,
        0x8b28_4e05_6253_d057,
        0xff97_a42d_7f8e_6fd4,
        0x90fe_e5a0_a446_47c4,
        0x8c5b_da0c_d619_2e76,
        0xad30_a6f7_1b19_059c,
        0x3093_5ab7_d08f_fc64,
        0xeb5a_a93f_2317_d635,
        0xa9a6_e626_0d71_2103,
        0x81a5_7c16_dbcf_555f,
        0x43b8_31cd_0347_c826,
        0x01f2_2f1a_11a5_569f,
        0x05e5_635a_21d9_ae61,
        0x64be_fef2_8cc9_70f2,
        0x6136_7095_7bc4_6611,
        0xb87c_5a55_4fd0_0ecb,
        0x8c3e_e88a_1ccf_32c8,
        0x940c_7922_ae3a_2614,
        0x1841_f924_a2c5_09e4,
        0x16f5_3526_e704_65c2,
        0x75f6_44e9_7f30_a13b,
        0xeaf1_ff7b_5cec_a249,
    ];
    const PERMUTED_TWICE: Lanes = [
        0x2d5c_954d_f96e_cb3c,
        0x6a33_2cd0_7057_b56d,
        0x093d_8d12_70d7_6b6c,
        0x8a20_d9b2_5569_d094,
        0x4f9c_4f99_e5e7_f156,
        0xf957_b9a2_da65_fb38,
        0x8577_3dae_1275_af0d,
        0xfaf4_f247_c3d8_10f7,
        0x1f1b_9ee6_f79a_8759,
        0xe4fe_cc0f_ee98_b425,
        0x68ce_61b6_b9ce_68a1,
        0xdeea_66c4_ba8f_974f,
        0x33c4_3d83_6eaf_b1f5,
        0xe006_5404_2719_dbd9,
        0x7cf8_a9f0_0983_1265,
        0xfd54_49a6_bf17_4743,
        0x97dd_ad33_d899_4b40,
        0x48ea_d5fc_5d0b_e774,
        0xe3b8_c8ee_55b7_b03c,
        0x91a0_226e_649e_42e9,
        0x900e_3129_e7ba_dd7b,
        0x202a_9ec5_faa3_cce8,
        0x5b34_0246_4e1c_3db6,
        0x609f_4e62_a44c_1059,
        0x20d0_6cd2_6a8f_bf5c,
    ];

    #[test]
    fn permutes_like_the_reference_implementation() {
        for backend in Backend::all() {
            let mut state = [0; 25];
            backend.absorb(&mut state, &[]);
            assert_eq!(state, ZEROES_PERMUTED, "{backend:?}");
            backend.absorb(&mut state, &[]);
            assert_eq!(state, PERMUTED_TWICE, "{backend:?}");

            let mut state = [0; 25];
            backend.absorb(&mut state, &[[0; RATE]]);
            assert_eq!(state, PERMUTED_TWICE, "{backend:?}");
        }
    }

    /// Uses two states that differ only in the part to which a block is added.
    #[test]
    fn permutes_two_states_without_mixing_them() {
        let state = ZEROES_PERMUTED;
        let block: Block = std::array::from_fn(|lane| 1 << (3 * lane));
        let [mut unpadded, mut first, mut second] = [state; 3];
        add(&mut unpadded, &block);
        plain::absorb(&mut unpadded, &[]);
        first[4] ^= 0x01 << 16;
        first[16] ^= 0x80 << 56;
        plain::absorb(&mut first, &[]);
        add(&mut second, &block);
        second[16] ^= 0x80 << 56;
        plain::absorb(&mut second, &[]);
        let [first, second] = [first, second].map(|[a, b, c, d, ..]| [a, b, c, d]);

        let padding = padding(4 * 8 + 2);
        for backend in Backend::all() {
            assert_eq!(backend.digest(&state, padding), first, "{backend:?}");
            let digests = backend.digest_both(&state, padding, &block);
            assert_eq!(digests, [first, second], "{backend:?}");
            let mut state = state;
            let digest = backend.digest_and_absorb(&mut state, padding, &block);
            assert_eq!((digest, state), (first, unpadded), "{backend:?}");
        }
    }
}
