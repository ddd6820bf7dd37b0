//! Lists of byte strings as RLP, written once into a buffer of the right size.
//!
//! The `rlp` crate appends a byte string byte by byte, which costs more than the rest of sending a
//! message.

use bytes::Bytes;

/// The kinds of header, each for a payload of no bytes.
const STRING: u8 = 0x80;
const LIST: u8 = 0xc0;
/// From this length on, a header holds the length in bytes of its own.
const LONG: usize = 56;

/// The list of `items`.
pub(super) fn list(items: &[&[u8]]) -> Bytes {
    let content = items.iter().map(|item| size(item)).sum();
    let mut out = Vec::with_capacity(header_size(content) + content);
    put_header(&mut out, LIST, content);
    for item in items {
        if !stands_for_itself(item) {
            put_header(&mut out, STRING, item.len());
        }
        out.extend_from_slice(item);
    }
    out.into()
}

/// A number in as few bytes as it takes: none for 0.
pub(super) struct Number([u8; 8]);

impl Number {
    pub(super) fn bytes(&self) -> &[u8] {
        let zeros = self.0.iter().take_while(|byte| **byte == 0).count();
        self.0.get(zeros..).unwrap_or_default()
    }
}

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        Self(number.to_be_bytes())
    }
}

fn stands_for_itself(item: &[u8]) -> bool {
    matches!(item, [byte] if *byte < STRING)
}

fn size(item: &[u8]) -> usize {
    match stands_for_itself(item) {
        true => 1,
        false => header_size(item.len()) + item.len(),
    }
}

fn header_size(length: usize) -> usize {
    match length < LONG {
        true => 1,
        false => 1 + Number::from(length as u64).bytes().len(),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "below 56, and at most 8 bytes"
)]
fn put_header(out: &mut Vec<u8>, kind: u8, length: usize) {
    if length < LONG {
        out.push(kind + length as u8);
        return;
    }
    let digits = Number::from(length as u64);
    out.push(kind + LONG as u8 - 1 + digits.bytes().len() as u8);
    out.extend_from_slice(digits.bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rlp::RlpStream;

    fn reference(number: u64, items: &[Vec<u8>]) -> Vec<u8> {
        let mut out = RlpStream::new_list(1 + items.len());
        out.append(&number);
        for item in items {
            out.append(item);
        }
        out.out().to_vec()
    }

    fn ours(number: u64, items: &[Vec<u8>]) -> Vec<u8> {
        let number = Number::from(number);
        let items = items.iter().map(Vec::as_slice);
        let all: Vec<_> = std::iter::once(number.bytes()).chain(items).collect();
        list(&all).to_vec()
    }

    #[test]
    fn lengths_at_the_limits_are_as_the_rlp_crate_writes_them() {
        for length in [0, 1, 54, 55, 56, 57, 255, 256, 65_535, 65_536] {
            let items = [vec![0; length], vec![0x7f; 1], vec![0x80; 1]];
            assert_eq!(ours(0, &items), reference(0, &items), "{length} bytes");
        }
    }

    proptest! {
        #[test]
        fn everything_is_as_the_rlp_crate_writes_it(
            number: u64,
            items in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..70), 0..6),
        ) {
            prop_assert_eq!(ours(number, &items), reference(number, &items));
        }
    }
}
