//! Reads values in canonical form, one after the other, without copying.

use super::{Decodable, LIST, LONG, Rlp, RlpError, STRING, stands_for_itself};

/// One value at the front of some bytes.
pub(super) struct Item<'a> {
    pub(super) list: bool,
    pub(super) content: &'a [u8],
    /// The bytes after the value.
    pub(super) rest: &'a [u8],
}

impl<'a> Item<'a> {
    /// Reads the value's header; the elements of a list are not checked.
    #[inline]
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, RlpError> {
        let (&first, rest) = bytes.split_first().ok_or(RlpError::Truncated)?;
        if first < STRING {
            return Ok(Self {
                list: false,
                content: &bytes[..1],
                rest,
            });
        }
        let list = first >= LIST;
        let short = usize::from(first - if list { LIST } else { STRING });
        let (length, rest) = if short < LONG {
            (short, rest)
        } else {
            long_length(short + 1 - LONG, rest)?
        };
        let (content, rest) = rest.split_at_checked(length).ok_or(RlpError::Truncated)?;
        if !list && stands_for_itself(content) {
            return Err(RlpError::NotShortest);
        }
        Ok(Self {
            list,
            content,
            rest,
        })
    }
}

/// Reads a length that takes `width` bytes, and returns it and the remaining bytes.
fn long_length(width: usize, bytes: &[u8]) -> Result<(usize, &[u8]), RlpError> {
    let (digits, rest) = bytes.split_at_checked(width).ok_or(RlpError::Truncated)?;
    match usize::try_from(number(digits)?) {
        Ok(..LONG) => Err(RlpError::NotShortest),
        Ok(length) => Ok((length, rest)),
        Err(_) => Err(RlpError::Truncated),
    }
}

/// Reads a byte string as a number.
#[inline]
pub(crate) fn number(digits: &[u8]) -> Result<u64, RlpError> {
    if digits.first() == Some(&0) {
        return Err(RlpError::NotShortest);
    }
    if digits.len() > 8 {
        return Err(RlpError::Length);
    }
    let sum = |sum, &digit| sum << 8 | u64::from(digit);
    Ok(digits.iter().fold(0, sum))
}

/// Reads consecutive values, e.g. the elements of a list, without copying.
///
/// Each method takes the next value and rejects it if it is not in canonical form. For a list that
/// is only opened ([`list`](Self::list)) or passed on ([`raw`](Self::raw)), the method checks only
/// the header.
///
/// ```
/// use peermux::rlp::{Reader, RlpError};
///
/// fn pair(payload: &[u8]) -> Result<(u64, &[u8]), RlpError> {
///     let mut list = Reader::new(payload).list()?;
///     let pair = (list.number()?, list.string()?);
///     list.end()?;
///     Ok(pair)
/// }
///
/// assert_eq!(pair(&[0xc4, 0x05, 0x82, 0x01, 0x02]), Ok((5, &[1, 2][..])));
/// assert_eq!(pair(&[0xc1, 0x05]), Err(RlpError::ElementCount));
/// ```
#[derive(Debug, Clone)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Returns a reader of the values in `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Returns how many values are left, up to the first that is malformed.
    #[must_use]
    pub fn count(&self) -> usize {
        let mut rest = self.clone();
        std::iter::from_fn(|| rest.item().ok()).count()
    }

    /// Returns whether no value is left.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the unread bytes.
    #[cfg(feature = "discv4")]
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.0
    }

    #[inline]
    fn item(&mut self) -> Result<Item<'a>, RlpError> {
        let item = Item::read(self.0).map_err(|error| {
            if self.0.is_empty() {
                RlpError::ElementCount
            } else {
                error
            }
        })?;
        self.0 = item.rest;
        Ok(item)
    }

    /// Takes the next value, a list, and returns a reader of its elements.
    ///
    /// # Errors
    /// [`RlpError`] if the next value is not a list.
    pub fn list(&mut self) -> Result<Self, RlpError> {
        let item = self.item()?;
        if item.list {
            Ok(Self(item.content))
        } else {
            Err(RlpError::NotAList)
        }
    }

    /// Takes the next value, a byte string.
    ///
    /// # Errors
    /// [`RlpError`] if the next value is not a byte string.
    pub fn string(&mut self) -> Result<&'a [u8], RlpError> {
        let item = self.item()?;
        if item.list {
            Err(RlpError::NotAString)
        } else {
            Ok(item.content)
        }
    }

    /// Takes the next value, a number.
    ///
    /// # Errors
    /// [`RlpError`] if the next value is not a number or has more than 64 bits.
    pub fn number(&mut self) -> Result<u64, RlpError> {
        number(self.string()?)
    }

    /// Takes the next value with its header.
    ///
    /// The elements of a list are not checked.
    ///
    /// # Errors
    /// [`RlpError`] if no well-formed value is left.
    pub fn raw(&mut self) -> Result<&'a [u8], RlpError> {
        let before = self.0;
        self.item()?;
        Ok(&before[..before.len() - self.0.len()])
    }

    /// Takes the next value, decoded by its type.
    ///
    /// The type may accept bytes that are not in canonical form, so check the bytes first.
    ///
    /// # Errors
    /// [`RlpError`] if no well-formed value is left, or the type rejects the value.
    pub fn value<T: Decodable>(&mut self) -> Result<T, RlpError> {
        Ok(Rlp::new(self.raw()?).as_val()?)
    }

    /// Checks that no value is left.
    ///
    /// # Errors
    /// [`RlpError::ElementCount`] if a value is left.
    pub fn end(&self) -> Result<(), RlpError> {
        match self.0 {
            [] => Ok(()),
            _ => Err(RlpError::ElementCount),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use proptest::prelude::*;

    use super::*;
    use crate::rlp::check_exact;
    use crate::rlp::write::{put_list, put_string};

    /// Reads `bytes` as a list of two byte strings.
    fn two(bytes: &[u8]) -> Result<[&[u8]; 2], RlpError> {
        let mut whole = Reader::new(bytes);
        let mut list = whole.list()?;
        whole.end()?;
        let items = [list.string()?, list.string()?];
        list.end()?;
        Ok(items)
    }

    /// Like [`two`], with the `rlp` crate.
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

    #[test]
    fn elements_are_read_in_order() {
        let mut list = Reader::new(&[0xc5, 0x05, 0xc1, 0x07, 0x81, 0x80])
            .list()
            .unwrap();
        assert_eq!((list.count(), list.number()), (3, Ok(5)));
        let mut inner = list.list().unwrap();
        assert_eq!(
            (inner.end(), list.end()),
            (Err(RlpError::ElementCount), inner.end())
        );
        assert_eq!((inner.value(), inner.end()), (Ok(7u8), Ok(())));
        assert_eq!(list.raw(), Ok(&[0x81, 0x80][..]));
        assert_eq!(list.string(), Err(RlpError::ElementCount));
        assert_eq!(Reader::new(&[0xc0]).string(), Err(RlpError::NotAString));
        assert_eq!(Reader::new(&[0x80]).list().err(), Some(RlpError::NotAList));
        assert_eq!(Reader::new(&[0x82, 0]).string(), Err(RlpError::Truncated));
    }

    proptest! {
        #[test]
        fn decodes_the_same_as_the_rlp_crate(
            items in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..70), 2),
            change in prop::option::of((0usize..20, any::<u8>())),
            cut in 0usize..3,
        ) {
            let mut bytes = BytesMut::new();
            put_list(&mut bytes, |out| items.iter().for_each(|item| put_string(out, item)));
            if let Some((at, to)) = change {
                let at = at % bytes.len();
                bytes[at] = to;
            }
            bytes.truncate(bytes.len() - cut.min(bytes.len()));
            prop_assert_eq!(two(&bytes).ok(), by_the_crate(&bytes));
        }

        #[test]
        fn any_bytes_decode_as_in_the_rlp_crate(bytes: Vec<u8>) {
            prop_assert_eq!(two(&bytes).ok(), by_the_crate(&bytes));
        }
    }
}
