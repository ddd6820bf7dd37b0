//! The running MAC of one direction.

use std::sync::Arc;

use peermux_crypto::Aes256Block;
use subtle::ConstantTimeEq;

use crate::keccak::Keccak256;

/// Bytes of a MAC.
pub(super) const LENGTH: usize = 16;

/// A MAC that is compared in constant time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tag(pub(super) [u8; LENGTH]);

impl Tag {
    /// Returns whether the received MAC is this one.
    pub(super) fn verify(&self, received: &[u8]) -> bool {
        self.0.ct_eq(received).into()
    }
}

/// A Keccak state that absorbs all headers and bodies of one direction.
///
/// Before each MAC the state absorbs its own encrypted digest, so that nobody can extend the stream
/// without the secret. The MAC is the digest after that.
pub(super) struct FrameMac {
    state: Keccak256,
    /// Shared by both directions, because its round keys would be half of this struct.
    cipher: Arc<Aes256Block>,
    /// The digest of `state`, from which the next header's MAC is computed.
    ///
    /// This digest is also the last frame's MAC. Keeping it saves one of four Keccak permutations
    /// for each small frame.
    digest: [u8; LENGTH],
}

impl FrameMac {
    /// Returns the MACs of both directions; each state has absorbed the handshake.
    pub(super) fn pair(mac_secret: &[u8; 32], states: [Keccak256; 2]) -> [Self; 2] {
        let cipher = Arc::new(Aes256Block::new(mac_secret));
        states.map(|state| Self::new(Arc::clone(&cipher), state))
    }

    fn new(cipher: Arc<Aes256Block>, state: Keccak256) -> Self {
        Self {
            cipher,
            digest: half(state.digest()),
            state,
        }
    }

    /// Absorbs a whole frame, and returns the MACs of its header and its body.
    ///
    /// The state does not absorb the header's MAC, so that MAC is computed in parallel with the
    /// digest after the body.
    pub(super) fn frame(&mut self, header: &[u8; 16], body: &[u8]) -> (Tag, Tag) {
        self.absorb_seeded(self.digest, header);
        let (header, seed) = self.state.digest_update_digest(body);
        (Tag(half(header)), self.end(half(seed)))
    }

    /// Absorbs a header and the first piece of its body, and returns the header's MAC.
    ///
    /// The piece includes padding, and may be empty.
    pub(super) fn header(&mut self, ciphertext: &[u8; 16], piece: &[u8]) -> Tag {
        self.absorb_seeded(self.digest, ciphertext);
        Tag(half(self.state.digest_and_update(piece)))
    }

    /// Absorbs the next piece of a body.
    pub(super) fn body(&mut self, piece: &[u8]) {
        self.state.update(piece);
    }

    /// Ends the frame and returns the MAC of its body.
    pub(super) fn finish(&mut self) -> Tag {
        self.end(half(self.state.digest()))
    }

    /// Ends the frame; `seed` is the digest after the body.
    fn end(&mut self, seed: [u8; LENGTH]) -> Tag {
        self.absorb_seeded(seed, &seed);
        self.digest = half(self.state.digest());
        Tag(self.digest)
    }

    fn absorb_seeded(&mut self, seed: [u8; LENGTH], data: &[u8; LENGTH]) {
        let mut block = self.cipher.encrypt(&seed);
        for (byte, data) in block.iter_mut().zip(data) {
            *byte ^= data;
        }
        self.state.update(&block);
    }
}

/// Returns the half of a digest that is used as the MAC.
fn half(digest: [u8; 32]) -> [u8; LENGTH] {
    let mut half = [0; LENGTH];
    half.copy_from_slice(&digest[..LENGTH]);
    half
}

#[cfg(test)]
impl FrameMac {
    /// Returns all 32 bytes of the digest of the state after it has absorbed `suffix`.
    pub(super) fn digest_after(&self, suffix: &[u8]) -> [u8; 32] {
        let mut state = self.state.clone();
        state.update(suffix);
        state.digest()
    }
}
