//! The sponge around the permutation.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::backend::{Backend, Block, Digest, Lanes, RATE, padding};

#[cfg(test)]
mod tests;

/// Bytes of a digest.
const LENGTH: usize = 32;

/// A running Keccak-256, with the digest of everything absorbed so far.
///
/// Reading the digest does not change the state. The state is wiped on drop, and `Debug` does not
/// show it. Copies that a permutation leaves in registers and on the stack are not wiped.
///
/// ```
/// use peermux_crypto::Keccak256;
///
/// let mut state = Keccak256::new();
/// state.update(b"header");
/// let (header, body) = state.digest_update_digest(b"body");
///
/// let mut plain = Keccak256::new();
/// plain.update(b"header");
/// assert_eq!(plain.digest(), header);
/// plain.update(b"body");
/// assert_eq!(plain.digest(), body);
/// ```
#[derive(Clone)]
pub struct Keccak256 {
    lanes: Lanes,
    /// Bytes absorbed into the current block, fewer than [`RATE`].
    filled: usize,
    backend: Backend,
}

impl Keccak256 {
    /// Returns a state that has absorbed nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::with_backend(Backend::detect())
    }

    fn with_backend(backend: Backend) -> Self {
        Self {
            lanes: [0; 25],
            filled: 0,
            backend,
        }
    }

    /// Absorbs `data`.
    ///
    /// Any split of the data into pieces gives the same result.
    pub fn update(&mut self, data: &[u8]) {
        match self.split(data) {
            None => self.extend(data),
            Some((end, rest)) => {
                self.extend(end);
                let (blocks, tail) = rest.as_chunks();
                self.backend.absorb(&mut self.lanes, blocks);
                self.filled = 0;
                self.extend(tail);
            }
        }
    }

    /// Returns the digest of everything absorbed so far, and leaves the state unchanged.
    #[must_use]
    pub fn digest(&self) -> [u8; LENGTH] {
        bytes(self.backend.digest(&self.lanes, padding(self.filled)))
    }

    /// Returns the digest of everything absorbed so far, and then absorbs `data`.
    ///
    /// Equivalent to [`digest`](Self::digest), then [`update`](Self::update). If `data` reaches the
    /// end of the current block of 136 bytes, the digest is computed along with that block.
    pub fn digest_and_update(&mut self, data: &[u8]) -> [u8; LENGTH] {
        match self.split(data) {
            None => {
                let digest = self.digest();
                self.extend(data);
                digest
            }
            Some((end, rest)) => self.digest_and_finish_block(end, rest),
        }
    }

    /// Absorbs `data`, and returns the digests before and after it.
    ///
    /// Equivalent to [`digest`](Self::digest), [`update`](Self::update) and `digest` again. The
    /// first digest is computed along with the end of the current block of 136 bytes if `data`
    /// reaches it, otherwise along with the second digest.
    pub fn digest_update_digest(&mut self, data: &[u8]) -> ([u8; LENGTH], [u8; LENGTH]) {
        match self.split(data) {
            None => {
                let before = padding(self.filled);
                let mut after: Block = [0; _];
                add_bytes(&mut after, self.filled, data);
                let end = self.filled + data.len();
                after[end / 8] ^= 0x01 << (8 * (end % 8));
                let [before, after] = self.backend.digest_both(&self.lanes, before, &after);
                self.extend(data);
                (bytes(before), bytes(after))
            }
            Some((end, rest)) => {
                let before = self.digest_and_finish_block(end, rest);
                (before, self.digest())
            }
        }
    }

    /// Returns the digest so far, and absorbs `end`, which ends a block, and `rest`.
    fn digest_and_finish_block(&mut self, end: &[u8], rest: &[u8]) -> [u8; LENGTH] {
        let padding = padding(self.filled);
        let mut block: Block = [0; _];
        add_bytes(&mut block, self.filled, end);
        let digest = self
            .backend
            .digest_and_absorb(&mut self.lanes, padding, &block);
        self.filled = 0;
        self.update(rest);
        bytes(digest)
    }

    /// Splits `data` at the end of the current block; `None` if the block stays open.
    fn split<'a>(&self, data: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        data.split_at_checked(RATE - self.filled)
    }

    /// Adds `data` to the current block, which has room for it.
    fn extend(&mut self, data: &[u8]) {
        add_bytes(&mut self.lanes, self.filled, data);
        self.filled += data.len();
    }
}

impl Default for Keccak256 {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Keccak256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keccak256").finish_non_exhaustive()
    }
}

/// Resets the state to that of [`Keccak256::new`].
impl Zeroize for Keccak256 {
    fn zeroize(&mut self) {
        self.lanes.zeroize();
        self.filled.zeroize();
    }
}

impl Drop for Keccak256 {
    fn drop(&mut self) {
        self.zeroize();
    }
}

impl ZeroizeOnDrop for Keccak256 {}

fn bytes(digest: Digest) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    for (bytes, lane) in bytes.as_chunks_mut().0.iter_mut().zip(digest) {
        *bytes = lane.to_le_bytes();
    }
    bytes
}

/// Adds `data` to the bytes of `lanes` from `offset` on.
///
/// Whole lanes are written for any offset, because a later load of a lane would have to wait for
/// stores of single bytes.
fn add_bytes(lanes: &mut [u64], offset: usize, data: &[u8]) {
    let shift = offset % 8 * 8;
    let (words, tail) = data.as_chunks();
    let mut lanes = lanes[offset / 8..].iter_mut();
    let mut carry = 0;
    let mut add = |bytes: [u8; 8]| {
        let word = u128::from(u64::from_le_bytes(bytes)) << shift;
        if let Some(lane) = lanes.next() {
            *lane ^= word as u64 | carry;
        }
        carry = (word >> 64) as u64;
    };
    words.iter().copied().for_each(&mut add);
    if !tail.is_empty() {
        let mut last = [0; 8];
        last[..tail.len()].copy_from_slice(tail);
        add(last);
    }
    if let Some(lane) = lanes.next() {
        *lane ^= carry;
    }
}
