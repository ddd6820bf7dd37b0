//! RLPx frames made directly with published cryptography crates, without compression.

use aes::cipher::{BlockCipherEncrypt, KeyInit, KeyIvInit, StreamCipher};
use aes::{Aes256, Aes256Enc};
#[cfg(all(
    any(target_arch = "x86_64", target_arch = "aarch64"),
    target_pointer_width = "64",
    any(unix, windows)
))]
use keccak_asm::{Digest, Keccak256};
#[cfg(not(all(
    any(target_arch = "x86_64", target_arch = "aarch64"),
    target_pointer_width = "64",
    any(unix, windows)
)))]
use sha3::{Digest, Keccak256};

pub(crate) const HEADER: usize = 32;
const MAC: usize = 16;

/// One direction of a session. With the same keys, both ends produce the same key stream.
pub(crate) struct Direction {
    cipher: ctr::Ctr64BE<Aes256>,
    mac_cipher: Aes256Enc,
    mac: Keccak256,
    last: [u8; 16],
}

impl Direction {
    pub(crate) fn new() -> Self {
        let mac = Keccak256::new_with_prefix([3; 64]);
        Self {
            cipher: ctr::Ctr64BE::new(&[1; 32].into(), &[0; 16].into()),
            mac_cipher: Aes256Enc::new(&[2; 32].into()),
            last: digest(&mac),
            mac,
        }
    }

    /// Returns the size of a frame with `size` bytes of id and data.
    pub(crate) fn wire_size(size: usize) -> usize {
        HEADER + size.next_multiple_of(16) + MAC
    }

    /// Writes one frame with `data` after a one-byte id.
    pub(crate) fn seal(&mut self, data: &[u8], frame: &mut [u8]) {
        let size = data.len() + 1;
        frame[..HEADER].fill(0);
        frame[..3].copy_from_slice(&(size as u32).to_be_bytes()[1..]);
        frame[3..6].copy_from_slice(&[0xc2, 0x80, 0x80]);
        frame[HEADER] = 0x10;
        frame[HEADER + 1..HEADER + size].copy_from_slice(data);
        let end = HEADER + size.next_multiple_of(16);
        frame[HEADER + size..end].fill(0);
        self.cipher.apply_keystream(&mut frame[..16]);
        let header_mac = self.header_mac(&frame[..16]);
        frame[16..HEADER].copy_from_slice(&header_mac);
        self.cipher.apply_keystream(&mut frame[HEADER..end]);
        let body_mac = self.body_mac(&frame[HEADER..end]);
        frame[end..end + MAC].copy_from_slice(&body_mac);
    }

    /// Returns the length of id and data from a frame's header. Call it once per frame.
    pub(crate) fn open_header(&mut self, header: &mut [u8]) -> usize {
        assert_eq!(self.header_mac(&header[..16]), header[16..HEADER]);
        self.cipher.apply_keystream(&mut header[..16]);
        u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize
    }

    /// Verifies and decrypts a body. The MAC is its last 16 bytes.
    pub(crate) fn open_body(&mut self, body: &mut [u8]) {
        let (body, mac) = body.split_at_mut(body.len() - MAC);
        assert_eq!(self.body_mac(body), *mac);
        self.cipher.apply_keystream(body);
    }

    fn header_mac(&mut self, ciphertext: &[u8]) -> [u8; 16] {
        self.absorb_seeded(self.last, ciphertext);
        digest(&self.mac)
    }

    fn body_mac(&mut self, ciphertext: &[u8]) -> [u8; 16] {
        self.mac.update(ciphertext);
        let seed = digest(&self.mac);
        self.absorb_seeded(seed, &seed);
        self.last = digest(&self.mac);
        self.last
    }

    fn absorb_seeded(&mut self, seed: [u8; 16], data: &[u8]) {
        let mut block = seed.into();
        self.mac_cipher.encrypt_block(&mut block);
        block.iter_mut().zip(data).for_each(|(a, b)| *a ^= b);
        self.mac.update(block);
    }
}

fn digest(state: &Keccak256) -> [u8; 16] {
    let whole = state.clone().finalize();
    std::array::from_fn(|i| whole[i])
}
