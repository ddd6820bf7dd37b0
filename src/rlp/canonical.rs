//! The check for canonical form.

use super::read::Item;
use super::{MAX_DEPTH, RlpError};

/// Checks that `bytes` begins with one canonical RLP value, and returns its length.
///
/// The length is in bytes and includes the header. Bytes behind the value are not checked.
///
/// # Errors
/// [`RlpError`] for a truncated, non-canonical or too deeply nested value.
pub fn check_canonical(bytes: &[u8]) -> Result<usize, RlpError> {
    let first = Item::read(bytes)?;
    let length = bytes.len() - first.rest.len();
    if !first.list {
        return Ok(length);
    }
    // The current position, and the end of the innermost open list.
    let (mut at, mut end) = (length - first.content.len(), length);
    // The ends of the lists around that one, innermost last.
    let mut outer = [0; MAX_DEPTH - 1];
    let mut depth = 0;
    loop {
        while at == end {
            if depth == 0 {
                return Ok(length);
            }
            depth -= 1;
            end = outer[depth];
        }
        let item = Item::read(&bytes[at..end])?;
        at = end - item.rest.len();
        if item.list && !item.content.is_empty() {
            *outer.get_mut(depth).ok_or(RlpError::TooDeep)? = end;
            depth += 1;
            end = at;
            at -= item.content.len();
        }
    }
}

/// Checks that `bytes` is exactly one canonical RLP value.
///
/// # Errors
/// As [`check_canonical`], and [`RlpError::Trailing`] if bytes follow the value.
pub fn check_exact(bytes: &[u8]) -> Result<(), RlpError> {
    match bytes.len() - check_canonical(bytes)? {
        0 => Ok(()),
        trailing => Err(RlpError::Trailing(trailing)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rlp::RlpStream;

    /// Reads the bytes with `alloy-rlp`, which accepts canonical form only.
    fn strict(mut bytes: &[u8], depth: usize) -> Result<(), ()> {
        if depth > MAX_DEPTH {
            return Err(());
        }
        while !bytes.is_empty() {
            let header = alloy_rlp::Header::decode(&mut bytes).map_err(|_| ())?;
            let body = bytes.get(..header.payload_length).ok_or(())?;
            if header.list {
                strict(body, depth + 1)?;
            }
            bytes = &bytes[header.payload_length..];
        }
        Ok(())
    }

    #[test]
    fn refuses_what_the_rlp_crate_lets_through() {
        for bytes in [&[0xb8, 0x01, 0x61][..], &[0xf8, 0x01, 0x05], &[0x81, 0x05]] {
            assert_eq!(check_canonical(bytes), Err(RlpError::NotShortest));
        }
    }

    #[test]
    fn tells_the_length_and_what_follows() {
        assert_eq!(check_canonical(&[0xc2, 0x01, 0x80, 0xff]), Ok(3));
        assert_eq!(check_exact(&[0xc0, 0x00]), Err(RlpError::Trailing(1)));
        assert_eq!(check_canonical(&[]), Err(RlpError::Truncated));
        assert_eq!(check_canonical(&[0xbf; 9]), Err(RlpError::Truncated));
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| {
            (0..depth).fold(vec![0xc0u8], |inner, _| {
                let mut out = RlpStream::new_list(1);
                out.append_raw(&inner, 1);
                out.out().to_vec()
            })
        };
        assert!(check_exact(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(check_exact(&nested(MAX_DEPTH + 1)), Err(RlpError::TooDeep));
    }

    proptest! {
        #[test]
        fn agrees_with_a_strict_decoder(bytes in small_rlp_like()) {
            let ours = check_canonical(&bytes);
            if let Ok(length) = ours {
                prop_assert!(strict(&bytes[..length], 0).is_ok());
            } else {
                // A strict decoder that reads one value or more must fail on the first one too.
                prop_assert!(first_value(&bytes).is_err());
            }
        }
    }

    fn first_value(bytes: &[u8]) -> Result<(), ()> {
        let mut rest = bytes;
        let header = alloy_rlp::Header::decode(&mut rest).map_err(|_| ())?;
        let body = rest.get(..header.payload_length).ok_or(())?;
        if header.list { strict(body, 1) } else { Ok(()) }
    }

    fn small_rlp_like() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![
            Just(0x00u8),
            Just(0x7f),
            Just(0x80),
            Just(0x81),
            Just(0xb8),
            Just(0xb9),
            Just(0xc0),
            Just(0xc1),
            Just(0xc3),
            Just(0xf8),
            Just(0xf9),
            any::<u8>(),
        ];
        prop::collection::vec(byte, 1..80)
    }
}
