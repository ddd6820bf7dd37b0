//! RLP, the encoding of every payload, with the canonical-form check that stands before each decode.
//!
//! The [`rlp`](https://docs.rs/rlp) crate does the encoding and decoding and is re-exported from
//! here. It accepts inputs that are not in canonical form (`b80161`, `f80105`), which every other
//! implementation of devp2p refuses, so [`check_canonical`] looks at the bytes first.

pub use ::rlp::{Decodable, DecoderError, Encodable, Rlp, RlpStream, decode, encode};

/// Nesting deeper than this is refused, so that input cannot choose our stack depth.
const MAX_DEPTH: usize = 64;

/// Why bytes are not one canonical RLP value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CanonicalError {
    /// The input ends before the value does.
    #[error("RLP value ends early")]
    Truncated,
    /// A length is not in its shortest form, or a single byte below 0x80 has a length prefix.
    #[error("RLP value is not in its shortest form")]
    NotShortest,
    /// Lists are nested more than 64 deep.
    #[error("RLP lists are nested more than {MAX_DEPTH} deep")]
    TooDeep,
    /// Bytes follow the value where none may.
    #[error("{0} bytes follow the RLP value")]
    Trailing(usize),
}

/// Checks that `bytes` begins with one RLP value in canonical form, and returns its whole length
/// in bytes; what follows it is not looked at.
///
/// # Errors
/// [`CanonicalError`] for a truncated, non-canonical or too deeply nested value.
pub fn check_canonical(bytes: &[u8]) -> Result<usize, CanonicalError> {
    let first = Item::parse(bytes)?;
    if !first.list {
        return Ok(first.header + first.payload);
    }
    // The ends of the lists that are open, innermost last.
    let mut open = [0usize; MAX_DEPTH];
    let mut depth = 0;
    let mut at = 0;
    loop {
        let limit = if depth == 0 {
            bytes.len()
        } else {
            open[depth - 1]
        };
        let item = Item::parse(&bytes[at..limit])?;
        at += item.header;
        if item.list && item.payload > 0 {
            if depth == MAX_DEPTH {
                return Err(CanonicalError::TooDeep);
            }
            open[depth] = at + item.payload;
            depth += 1;
        } else {
            at += item.payload;
        }
        while depth > 0 && open[depth - 1] == at {
            depth -= 1;
        }
        if depth == 0 {
            return Ok(at);
        }
    }
}

/// Checks that `bytes` is exactly one canonical RLP value.
///
/// # Errors
/// As [`check_canonical`], and [`CanonicalError::Trailing`] if bytes follow the value.
pub fn check_exact(bytes: &[u8]) -> Result<(), CanonicalError> {
    match bytes.len() - check_canonical(bytes)? {
        0 => Ok(()),
        trailing => Err(CanonicalError::Trailing(trailing)),
    }
}

/// One item's header: how long it is, how long the payload behind it, and of which kind.
struct Item {
    header: usize,
    payload: usize,
    list: bool,
}

impl Item {
    fn parse(bytes: &[u8]) -> Result<Self, CanonicalError> {
        let &first = bytes.first().ok_or(CanonicalError::Truncated)?;
        let (header, payload, list) = match first {
            0..=0x7f => (0, 1, false),
            0x80..=0xb7 => (1, usize::from(first - 0x80), false),
            0xb8..=0xbf => long_length(bytes, usize::from(first - 0xb7), false)?,
            0xc0..=0xf7 => (1, usize::from(first - 0xc0), true),
            0xf8..=0xff => long_length(bytes, usize::from(first - 0xf7), true)?,
        };
        let end = header
            .checked_add(payload)
            .ok_or(CanonicalError::Truncated)?;
        let body = bytes.get(header..end).ok_or(CanonicalError::Truncated)?;
        if first == 0x81 && body[0] < 0x80 {
            return Err(CanonicalError::NotShortest);
        }
        Ok(Self {
            header,
            payload,
            list,
        })
    }
}

fn long_length(
    bytes: &[u8],
    width: usize,
    list: bool,
) -> Result<(usize, usize, bool), CanonicalError> {
    let digits = bytes.get(1..=width).ok_or(CanonicalError::Truncated)?;
    if digits[0] == 0 {
        return Err(CanonicalError::NotShortest);
    }
    let length = digits.iter().try_fold(0usize, |sum, &digit| {
        sum.checked_mul(256)
            .and_then(|sum| sum.checked_add(usize::from(digit)))
    });
    match length {
        Some(length) if length < 56 => Err(CanonicalError::NotShortest),
        Some(length) => Ok((1 + width, length, list)),
        None => Err(CanonicalError::Truncated),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What `alloy-rlp`, which is strict, says of the same bytes.
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
            assert_eq!(check_canonical(bytes), Err(CanonicalError::NotShortest));
        }
    }

    #[test]
    fn tells_the_length_and_what_follows() {
        assert_eq!(check_canonical(&[0xc2, 0x01, 0x80, 0xff]), Ok(3));
        assert_eq!(check_exact(&[0xc0, 0x00]), Err(CanonicalError::Trailing(1)));
        assert_eq!(check_canonical(&[]), Err(CanonicalError::Truncated));
        assert_eq!(check_canonical(&[0xbf; 9]), Err(CanonicalError::Truncated));
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
        assert_eq!(
            check_exact(&nested(MAX_DEPTH + 1)),
            Err(CanonicalError::TooDeep)
        );
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
