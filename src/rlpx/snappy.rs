//! Snappy in its block format, without the framing of Snappy streams ([EIP-706]).
//!
//! [EIP-706]: https://eips.ethereum.org/EIPS/eip-706

use bytes::{BufMut, BytesMut};
use snap::raw::{Decoder, Encoder, decompress_len, max_compress_len};

use super::error::{SealError, SnappyError};

/// The largest expansion factor: the densest element yields 64 bytes from 3.
const MAX_EXPANSION: usize = 22;

/// The size of an independently compressed block, and of the largest literal written here.
const BLOCK: usize = 1 << 16;
/// The tag of a literal with a two-byte length.
const LITERAL_OF_TWO_BYTES: u8 = 61 << 2;
/// The size of a literal with a two-byte length, without its data, in bytes.
const LITERAL_HEAD: usize = 3;
/// The maximum size of a message's length prefix, in bytes.
const LENGTH_MAX: usize = 4;

/// Compresses messages, and keeps its tables of up to 34 KiB between messages.
pub(super) struct Compressor(Encoder);

impl Compressor {
    pub(super) fn new() -> Self {
        Self(Encoder::new())
    }

    /// Appends the compressed form of `data` to `out`, without an intermediate buffer.
    pub(super) fn append(&mut self, data: &[u8], out: &mut BytesMut) -> Result<(), SealError> {
        let start = out.len();
        out.put_bytes(0, max_compress_len(data.len()));
        let length = self.compress(data, &mut out[start..])?;
        out.truncate(start + length);
        Ok(())
    }

    /// Writes the compressed form of `data` to the front of `out`, and returns its length.
    ///
    /// `out` has at least `max_compress_len` bytes. The result is never longer than for
    /// incompressible data of the same length.
    pub(super) fn compress(&mut self, data: &[u8], out: &mut [u8]) -> Result<usize, SealError> {
        let length = self.0.compress(data, out);
        let length = length.map_err(|_| SealError::Compression { got: data.len() })?;
        let blocks = data.len().div_ceil(BLOCK);
        if length > LENGTH_MAX + data.len() + blocks * LITERAL_HEAD {
            Ok(store(data, out))
        } else {
            Ok(length)
        }
    }
}

/// Writes `data` as Snappy literals only, without back-references (copies).
///
/// This is needed because short copies between short literals can take more room than the bytes
/// that they replace. A message of the largest size has no room left for that.
fn store(data: &[u8], mut out: &mut [u8]) -> usize {
    let room = out.len();
    let mut length = data.len();
    while length >= 0x80 {
        out.put_u8(length as u8 | 0x80);
        length >>= 7;
    }
    out.put_u8(length as u8);
    for block in data.chunks(BLOCK) {
        out.put_u8(LITERAL_OF_TWO_BYTES);
        out.put_u16_le((block.len() - 1) as u16);
        out.put_slice(block);
    }
    room - out.len()
}

/// Returns the declared length of compressed `data`, without allocating.
pub(super) fn declared_length(data: &[u8]) -> Result<u64, SnappyError> {
    if data.is_empty() {
        // The library returns a length of 0 here, but even an empty payload compresses to one byte.
        return Err(SnappyError::Empty);
    }
    match decompress_len(data) {
        Ok(length) => Ok(length as u64),
        Err(snap::Error::TooBig { given, .. }) => Ok(given),
        Err(_) => Err(SnappyError::Length),
    }
}

/// Appends the decompressed form of `data`; the caller has checked the declared length.
pub(super) fn decompress(
    data: &[u8],
    declared: usize,
    out: &mut BytesMut,
) -> Result<(), SnappyError> {
    let compressed = data.len();
    if declared > compressed.saturating_mul(MAX_EXPANSION) {
        // Rejected, so that the allocation stays in proportion to the bytes that the remote sent.
        return Err(SnappyError::Expansion {
            declared,
            compressed,
        });
    }
    let start = out.len();
    out.resize(start + declared, 0);
    match Decoder::new().decompress(data, &mut out[start..]) {
        Ok(length) if length == declared => Ok(()),
        _ => Err(SnappyError::Corrupt { declared }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rlpx::MAX_PAYLOAD;
    use proptest::prelude::*;
    use rand::rngs::StdRng;
    use rand::{Rng, RngExt, SeedableRng};

    fn decompress(data: &[u8], declared: usize) -> Result<BytesMut, SnappyError> {
        let mut out = BytesMut::new();
        super::decompress(data, declared, &mut out)?;
        Ok(out)
    }

    #[test]
    fn the_densest_data_stays_below_the_expansion_limit() {
        for length in (1..100_000).step_by(997) {
            let mut out = BytesMut::new();
            Compressor::new()
                .append(&vec![7; length], &mut out)
                .unwrap();
            assert_eq!(decompress(&out, length).unwrap(), vec![7; length]);
        }
        // A literal, then only copies of 64 bytes: the densest data that the format allows.
        let copies = 1_000;
        let mut densest = vec![0x81, 0xf4, 0x03, 0x00, b'x'];
        densest.extend([0xfe, 0x01, 0x00].repeat(copies));
        assert_eq!(declared_length(&densest), Ok(1 + 64 * copies as u64));
        assert_eq!(decompress(&densest, 64_001).unwrap(), vec![b'x'; 64_001]);
    }

    #[test]
    fn a_small_input_cannot_make_us_allocate() {
        let bomb = [0xff, 0xff, 0xff, 0x07, 0x00];
        assert_eq!(declared_length(&bomb), Ok(0xff_ffff));
        assert!(matches!(
            decompress(&bomb, 0xff_ffff),
            Err(SnappyError::Expansion { compressed: 5, .. })
        ));
    }

    #[test]
    fn a_length_takes_five_bytes_at_most() {
        let five = [0xff, 0xff, 0xff, 0xff, 0x7f];
        assert_eq!(declared_length(&five), Ok((1 << 35) - 1));
        let six = [0x80, 0x80, 0x80, 0x80, 0x80, 0x01];
        assert_eq!(declared_length(&six), Err(SnappyError::Length));
        assert_eq!(declared_length(&[0xff; 11]), Err(SnappyError::Length));
        assert_eq!(declared_length(&[0x80; 4]), Err(SnappyError::Length));
    }

    #[test]
    fn lengths_beyond_32_bits_are_reported() {
        assert_eq!(
            declared_length(&[0x80, 0x80, 0x80, 0x80, 0x10]),
            Ok(1 << 32)
        );
        assert_eq!(declared_length(&[]), Err(SnappyError::Empty));
        assert_eq!(declared_length(&[0]), Ok(0));
    }

    #[test]
    fn data_that_copies_would_lengthen_is_no_larger_than_noise() {
        // A word that repeats after more than 2 KiB takes a copy of three bytes and splits a
        // literal.
        let mut noise = StdRng::seed_from_u64(1);
        let words: [[u8; 4]; 64] = noise.random();
        let mut data = vec![0; MAX_PAYLOAD];
        noise.fill_bytes(&mut data);
        for (period, word) in data.chunks_exact_mut(66).zip(words.iter().cycle()) {
            period[62..].copy_from_slice(word);
        }
        let most = data.len() + 772;
        let plain = Encoder::new().compress_vec(&data).unwrap();
        assert!(plain.len() > most, "{} of {most}", plain.len());

        let mut out = BytesMut::new();
        Compressor::new().append(&data, &mut out).unwrap();
        assert_eq!(out.len(), most);
        assert_eq!(decompress(&out, data.len()).unwrap(), data);
    }

    proptest! {
        #[test]
        fn decompressed_data_has_the_declared_length(data: Vec<u8>) {
            if let Ok(declared @ 0..=0xff_ffff) = declared_length(&data) {
                let declared = declared as usize;
                if let Ok(out) = decompress(&data, declared) {
                    prop_assert_eq!(out.len(), declared);
                }
            }
        }

        #[test]
        fn appends_and_round_trips(data: Vec<u8>, before: Vec<u8>) {
            let mut out = BytesMut::from(&before[..]);
            Compressor::new().append(&data, &mut out).unwrap();
            prop_assert!(out.starts_with(&before));
            let compressed = &out[before.len()..];
            prop_assert_eq!(declared_length(compressed), Ok(data.len() as u64));
            prop_assert_eq!(decompress(compressed, data.len()).unwrap(), data);
        }
    }
}
