//! Lists of byte strings as RLP, written and read in one pass.
//!
//! The `rlp` crate appends a byte string byte by byte, which costs more than the rest of sending a
//! message, and reads what is not in canonical form, so that a check has to stand before it.

use bytes::{BufMut, Bytes, BytesMut};

use crate::message::fields::encode_shared;

/// The kinds of header, each for a payload of no bytes.
const STRING: u8 = 0x80;
const LIST: u8 = 0xc0;
/// From this length on, a header holds the length in bytes of its own.
const LONG: usize = 56;

/// The list of `items`, for a message that goes out soon: small ones share memory.
pub(super) fn write(items: &[&[u8]]) -> Bytes {
    let content = items.iter().map(|item| size(item)).sum();
    encode_shared(header_size(content) + content, |out| {
        put_header(out, LIST, content);
        for item in items {
            if !stands_for_itself(item) {
                put_header(out, STRING, item.len());
            }
            out.put_slice(item);
        }
    })
}

/// The items of a list of exactly `N` byte strings that is the whole of `bytes`; `None` for
/// anything else and for all that is not in canonical form.
pub(super) fn read<const N: usize>(bytes: &[u8]) -> Option<[&[u8]; N]> {
    let (LIST, mut rest, []) = item(bytes)? else {
        return None;
    };
    let mut items = [rest; N];
    for found in &mut items {
        let (STRING, content, behind) = item(rest)? else {
            return None;
        };
        (*found, rest) = (content, behind);
    }
    rest.is_empty().then_some(items)
}

/// The number that a byte string stands for, if that is in its shortest form and fits.
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    if digits.len() > 8 || digits.first() == Some(&0) {
        return None;
    }
    let value = digits
        .iter()
        .fold(0, |sum, &digit| sum << 8 | u64::from(digit));
    Some(value)
}

/// The first item's kind and content, and what is behind it.
fn item(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    if first < STRING {
        return Some((STRING, &bytes[..1], rest));
    }
    let kind = if first < LIST { STRING } else { LIST };
    let short = usize::from(first - kind);
    let (length, rest) = if short < LONG {
        (short, rest)
    } else {
        let (digits, rest) = rest.split_at_checked(short + 1 - LONG)?;
        let length = usize::try_from(number(digits)?).ok()?;
        (Some(length).filter(|length| *length >= LONG)?, rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    let shortest = kind == LIST || !stands_for_itself(content);
    shortest.then_some((kind, content, rest))
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
fn put_header(out: &mut BytesMut, kind: u8, length: usize) {
    if length < LONG {
        out.put_u8(kind + length as u8);
        return;
    }
    let digits = Number::from(length as u64);
    out.put_u8(kind + LONG as u8 - 1 + digits.bytes().len() as u8);
    out.put_slice(digits.bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rlp::{Rlp, RlpStream, check_exact};

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
        write(&all).to_vec()
    }

    #[test]
    fn lengths_at_the_limits_are_as_the_rlp_crate_writes_them() {
        for length in [0, 1, 54, 55, 56, 57, 255, 256, 65_535, 65_536] {
            let items = [vec![0; length], vec![0x7f; 1], vec![0x80; 1]];
            assert_eq!(ours(0, &items), reference(0, &items), "{length} bytes");
        }
    }

    /// The same by other means.
    fn by_the_crate(bytes: &[u8]) -> Option<[&[u8]; 2]> {
        check_exact(bytes).ok()?;
        let list = Rlp::new(bytes);
        if !list.is_list() || list.item_count() != Ok(2) {
            return None;
        }
        let [one, two] = [list.at(0).ok()?, list.at(1).ok()?];
        if one.is_list() || two.is_list() {
            return None;
        }
        Some([one.data().ok()?, two.data().ok()?])
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_the_rlp_crate_reads(
            items in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..70), 2),
            change in prop::option::of((0usize..20, any::<u8>())),
            cut in 0usize..3,
        ) {
            let mut bytes = write(&[&items[0], &items[1]]).to_vec();
            if let Some((at, to)) = change {
                let at = at % bytes.len();
                bytes[at] = to;
            }
            bytes.truncate(bytes.len() - cut.min(bytes.len()));
            prop_assert_eq!(read::<2>(&bytes), by_the_crate(&bytes));
        }

        #[test]
        fn any_bytes_are_read_as_the_rlp_crate_reads_them(bytes: Vec<u8>) {
            prop_assert_eq!(read::<2>(&bytes), by_the_crate(&bytes));
        }

        #[test]
        fn everything_is_as_the_rlp_crate_writes_it(
            number: u64,
            items in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..70), 0..6),
        ) {
            prop_assert_eq!(ours(number, &items), reference(number, &items));
        }
    }
}
