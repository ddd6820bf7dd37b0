//! The running MAC of one direction.

use aes::Aes256Enc;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use subtle::ConstantTimeEq;

use crate::keccak::Keccak256;

/// Bytes of a MAC.
pub(super) const LENGTH: usize = 16;

/// A MAC, which is compared in constant time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tag(pub(super) [u8; LENGTH]);

impl Tag {
    /// Whether these are the bytes on the wire.
    pub(super) fn verify(&self, received: &[u8]) -> bool {
        self.0.ct_eq(received).into()
    }
}

/// A Keccak state that absorbs everything sent in one direction. Each MAC is its digest after the
/// state absorbed an earlier digest, encrypted, so that it cannot be extended without the secret.
pub(super) struct FrameMac {
    state: Keccak256,
    cipher: Aes256Enc,
    /// Digest of `state`. The last frame's MAC is the digest that the next header starts from, so
    /// keeping it saves one of four Keccak permutations for each small frame.
    digest: [u8; LENGTH],
}

impl FrameMac {
    /// Starts from `state`, which absorbed the handshake.
    pub(super) fn new(mac_secret: &[u8; 32], state: Keccak256) -> Self {
        Self {
            cipher: Aes256Enc::new(mac_secret.into()),
            digest: digest(&state),
            state,
        }
    }

    /// Absorbs a header and returns its MAC.
    pub(super) fn header(&mut self, ciphertext: &[u8; 16]) -> Tag {
        self.absorb_seeded(self.digest, ciphertext);
        Tag(digest(&self.state))
    }

    /// Absorbs some of a body, padding included.
    pub(super) fn body(&mut self, ciphertext: &[u8]) {
        self.state.update(ciphertext);
    }

    /// Ends the frame and returns the MAC of its body.
    pub(super) fn finish(&mut self) -> Tag {
        let seed = digest(&self.state);
        self.absorb_seeded(seed, &seed);
        self.digest = digest(&self.state);
        Tag(self.digest)
    }

    fn absorb_seeded(&mut self, seed: [u8; LENGTH], data: &[u8; LENGTH]) {
        let mut block = seed.into();
        self.cipher.encrypt_block(&mut block);
        for (byte, data) in block.iter_mut().zip(data) {
            *byte ^= data;
        }
        self.state.update(block);
    }
}

/// The first half of the state's digest; the state goes on as if nobody had looked.
fn digest(state: &Keccak256) -> [u8; LENGTH] {
    let mut half = [0; LENGTH];
    half.copy_from_slice(&state.digest()[..LENGTH]);
    half
}

#[cfg(test)]
impl FrameMac {
    /// All 32 bytes of the state's digest after `suffix`.
    pub(super) fn digest_after(&self, suffix: &[u8]) -> [u8; 32] {
        self.state.clone().chain(suffix).digest()
    }
}
