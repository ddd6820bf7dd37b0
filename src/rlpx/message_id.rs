//! Message ids: unsigned 64-bit integers in canonical RLP, in front of every message.

use super::error::MessageIdError;
use crate::rlp::read::number;
use crate::rlp::stands_for_itself;
use crate::rlp::write::{self, MAX_HEADER};

/// The maximum length of an encoded id.
pub const MAX_LENGTH: usize = MAX_HEADER;

/// Writes `id` to `buffer`, and returns the 1 to 9 bytes written.
///
/// ```
/// # use peermux::rlpx::message_id;
/// assert_eq!(message_id::encode(0, &mut [0; 9]), [0x80]);
/// assert_eq!(message_id::encode(16, &mut [0; 9]), [0x10]);
/// assert_eq!(message_id::encode(300, &mut [0; 9]), [0x82, 0x01, 0x2c]);
/// ```
pub fn encode(id: u64, buffer: &mut [u8; MAX_LENGTH]) -> &[u8] {
    write::number(id, buffer)
}

/// Reads the id at the front of `bytes`, and returns it and its length.
///
/// # Errors
/// [`MessageIdError`] if the bytes end early, or start with a list, with an integer that is not
/// in its shortest form, or with one of more than 64 bits.
pub fn decode(bytes: &[u8]) -> Result<(u64, usize), MessageIdError> {
    let (&first, rest) = bytes.split_first().ok_or(MessageIdError::Missing)?;
    let length = match first {
        0 => return Err(MessageIdError::NotCanonical),
        1..0x80 => return Ok((u64::from(first), 1)),
        0x80..0x89 => usize::from(first - 0x80),
        0x89..0xc0 => return Err(MessageIdError::Overflow),
        0xc0.. => return Err(MessageIdError::NotAnInteger),
    };
    let digits = rest.get(..length).ok_or(MessageIdError::Missing)?;
    match number(digits) {
        Ok(id) if !stands_for_itself(digits) => Ok((id, 1 + length)),
        _ => Err(MessageIdError::NotCanonical),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refuses_what_is_no_integer() {
        use MessageIdError::*;
        for (bytes, error) in [
            (&[][..], Missing),
            (&[0x82, 0x01], Missing),
            (&[0x00], NotCanonical),
            (&[0x81, 0x05], NotCanonical),
            (&[0x81, 0x00], NotCanonical),
            (&[0x82, 0x00, 0xff], NotCanonical),
            (&[0xc0], NotAnInteger),
            (&[0x89; 10], Overflow),
            (&[0xb8; 10], Overflow),
        ] {
            assert_eq!(decode(bytes), Err(error), "{bytes:02x?}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_rlp(id: u64, shift in 0u32..64, rest: Vec<u8>) {
            let id = id >> shift;
            let mut buffer = [0; MAX_LENGTH];
            let encoded = encode(id, &mut buffer);
            prop_assert_eq!(encoded, &crate::rlp::encode(&id)[..]);
            let followed = [encoded, &rest].concat();
            prop_assert_eq!(decode(&followed), Ok((id, encoded.len())));
        }

        #[test]
        fn accepts_nothing_but_its_own_encoding(bytes in prop::collection::vec(any::<u8>(), 0..12)) {
            if let Ok((id, length)) = decode(&bytes) {
                let mut buffer = [0; MAX_LENGTH];
                prop_assert_eq!(encode(id, &mut buffer), &bytes[..length]);
            }
        }
    }
}
