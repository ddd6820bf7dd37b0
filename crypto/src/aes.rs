//! AES as RLPx uses it. The keys are wiped when a cipher is dropped.

use std::fmt;

use aes::{Aes128, Aes256Enc};
use ctr::cipher::{Array, BlockCipherEncrypt, KeyInit, KeyIvInit, StreamCipher};

/// AES-256 in counter mode with a zero initial vector, for the frames of a direction.
///
/// The counter has 64 bits, which is faster than 128. Both kinds yield the same stream for longer
/// than any connection lasts. Counter mode never decrypts a block, so half of the key schedule is
/// enough.
pub struct Aes256Ctr(ctr::Ctr64BE<Aes256Enc>);

impl Aes256Ctr {
    /// Creates a cipher at the start of its stream.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self(ctr::Ctr64BE::new(key.into(), &Array::default()))
    }

    /// Encrypts or decrypts `data` with the next bytes of the stream.
    pub fn apply_keystream(&mut self, data: &mut [u8]) {
        self.0.apply_keystream(data);
    }
}

/// Shows no key.
impl fmt::Debug for Aes256Ctr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aes256Ctr").finish_non_exhaustive()
    }
}

/// AES-128 in counter mode, for the packets of the handshake.
///
/// The counter has 128 bits, because from a random initial vector the count may carry over bit 64.
pub struct Aes128Ctr(ctr::Ctr128BE<Aes128>);

impl Aes128Ctr {
    /// Creates a cipher at the start of its stream.
    #[must_use]
    pub fn new(key: &[u8; 16], iv: &[u8; 16]) -> Self {
        Self(ctr::Ctr128BE::new(key.into(), iv.into()))
    }

    /// Encrypts or decrypts `data` with the next bytes of the stream.
    pub fn apply_keystream(&mut self, data: &mut [u8]) {
        self.0.apply_keystream(data);
    }
}

/// Shows no key.
impl fmt::Debug for Aes128Ctr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aes128Ctr").finish_non_exhaustive()
    }
}

/// AES-256 of single blocks, for the MACs of frames.
pub struct Aes256Block(Aes256Enc);

impl Aes256Block {
    /// Expands the key.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self(Aes256Enc::new(key.into()))
    }

    /// Encrypts one block.
    #[must_use]
    pub fn encrypt(&self, block: &[u8; 16]) -> [u8; 16] {
        let mut block = (*block).into();
        self.0.encrypt_block(&mut block);
        block.into()
    }
}

/// Shows no key.
impl fmt::Debug for Aes256Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aes256Block").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = *b"0123456789abcdef0123456789abcdef";

    /// In counter mode, the stream consists of encrypted counters.
    #[test]
    fn the_stream_is_the_encrypted_counter() {
        let block = Aes256Block::new(&KEY);
        let counters = (0..5u8).flat_map(|n| {
            let mut counter = [0; 16];
            counter[15] = n;
            block.encrypt(&counter)
        });
        let stream: Vec<u8> = counters.collect();
        for split in [0, 1, 16, 33, 80] {
            let mut data = [0; 80];
            let mut cipher = Aes256Ctr::new(&KEY);
            let (first, rest) = data.split_at_mut(split);
            cipher.apply_keystream(first);
            cipher.apply_keystream(rest);
            assert_eq!(data[..], stream, "in pieces of {split}");
        }
    }

    #[test]
    fn the_counter_of_a_packet_carries_over_all_bytes() {
        let key = *b"0123456789abcdef";
        let stream = |iv| {
            let mut data = [0; 32];
            Aes128Ctr::new(&key, &iv).apply_keystream(&mut data);
            data
        };
        let mut last = [255; 16];
        last[0] = 7;
        let mut next = [0; 16];
        next[0] = 8;
        assert_eq!(stream(last)[16..], stream(next)[..16]);
    }

    #[test]
    fn debug_shows_no_key() {
        let shown = format!(
            "{:?} {:?} {:?}",
            Aes256Ctr::new(&KEY),
            Aes128Ctr::new(&[1; 16], &[2; 16]),
            Aes256Block::new(&KEY)
        );
        assert_eq!(
            shown,
            "Aes256Ctr { .. } Aes128Ctr { .. } Aes256Block { .. }"
        );
    }

    /// The example in appendix C.3 of FIPS 197.
    #[test]
    fn a_block_is_encrypted_as_the_standard_says() {
        let key: [u8; 32] = std::array::from_fn(|n| n as u8);
        let plain: [u8; 16] = std::array::from_fn(|n| 0x11 * n as u8);
        let expected = 0x8ea2_b7ca_5167_45bf_eafc_4990_4b49_6089u128.to_be_bytes();
        assert_eq!(Aes256Block::new(&key).encrypt(&plain), expected);
    }
}
