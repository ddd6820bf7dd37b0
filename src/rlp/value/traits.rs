use bytes::{Bytes, BytesMut};

use super::reader::Memory;
use super::{ValueError, ValueReader};
use crate::rlp::write::{MAX_HEADER, put_list};
use crate::rlp::{RlpError, check_exact};

/// A type of values in messages.
///
/// Values of such a type can be fields of [`messages!`](crate::messages) and of records, and items
/// of lists.
///
/// | type | RLP |
/// |---|---|
/// | `u8` to `u128` | a number: big-endian bytes without leading zeros |
/// | `bool` | the number 0 or 1 |
/// | `String` | a byte string of UTF-8 |
/// | [`Bytes`], `Vec<u8>` | a byte string; `Bytes` shares the memory of a received payload |
/// | `[u8; N]` | a byte string of exactly `N` bytes |
/// | `Vec<T>`, `[T; N]` | a list, the latter of exactly `N` items |
/// | [`Bounded<Vec<T>, N>`](super::Bounded) | a list of at most `N` items, rejected before they are built |
/// | `Option<T>` | a list of zero or one item, as in the `rlp` crate |
/// | tuples of up to eight | a list of exactly these items |
/// | `Box<T>` | the same as `T` |
/// | `Ipv4Addr`, `Ipv6Addr`, `IpAddr` | a byte string of 4 or 16 bytes |
/// | [`NodeId`](crate::NodeId), [`PublicKey`](crate::PublicKey) | a byte string of 32 or 64 bytes |
/// | [`Raw`](super::Raw) | any value, in its encoded form |
/// | [`Foreign<T>`](super::Foreign) | the encoding of `T` by the `rlp` crate's traits |
///
/// `#[derive(RlpValue)]` encodes a struct as the list of its fields:
///
/// ```
/// use peermux::RlpValue;
///
/// #[derive(Debug, PartialEq, RlpValue)]
/// struct Header {
///     parent: [u8; 32],
///     number: u64,
///     /// At most 32 bytes.
///     #[rlp(max = 32)]
///     extra: Vec<u8>,
///     /// Added later: older senders leave it out.
///     #[rlp(optional)]
///     base_fee: Option<u64>,
/// }
///
/// let header = Header { parent: [1; 32], number: 7, extra: vec![], base_fee: None };
/// let payload = header.to_rlp();
/// assert_eq!((payload.len(), &payload[33..]), (36, &[1, 0x07, 0x80][..]));
/// assert_eq!(Header::from_rlp(&payload), Ok(header));
///
/// let error = Header::from_rlp(&vec![0xc1, 0x05].into()).unwrap_err();
/// assert_eq!(error.to_string(), "parent: expected a byte string of 32 bytes, got 1");
/// ```
///
/// | attribute | meaning |
/// |---|---|
/// | on a field: `#[rlp(max = N)]` | a list of more than `N` items, or a string of more than `N` bytes, is rejected before it is built |
/// | on the last fields, each an `Option`: `#[rlp(optional)]` | a field that is `None` is omitted if all fields after it are omitted too |
/// | on a struct with one field: `#[rlp(transparent)]` | the value is the field itself, not a list of it |
/// | on a struct: `#[rlp(crate = path)]` | the path of the `peermux` crate, if it is renamed |
///
/// A `None` is written as the empty string if an optional field after it is present. The empty
/// string is read as `None`, unless the field's type accepts it as a value, as numbers (0) and byte
/// strings (empty) do. Bounds apply to received values only; sent values are not checked.
///
/// To implement the trait by hand, write the three functions that have no body.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a value of a message",
    label = "neither a number, a string, a list of values, nor a record",
    note = "derive `peermux::RlpValue` for a struct; wrap a type of the `rlp` crate's traits in `peermux::rlp::Foreign`"
)]
pub trait RlpValue: Sized {
    /// Returns about how many bytes the encoded value takes.
    ///
    /// A wrong estimate only costs time.
    fn rlp_size(&self) -> usize;

    /// Appends exactly one value to `out`.
    fn write_rlp(&self, out: &mut BytesMut);

    /// Reads the next value.
    ///
    /// # Errors
    /// [`ValueError`] if the next value is not of this type.
    fn read_rlp(from: &mut ValueReader<'_>) -> Result<Self, ValueError>;

    /// Encodes the value as a payload.
    fn to_rlp(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(self.rlp_size());
        self.write_rlp(&mut out);
        out.freeze()
    }

    /// Decodes a payload, which must be exactly one value in canonical form.
    ///
    /// # Errors
    /// [`ValueError`] if the payload is not such a value.
    fn from_rlp(payload: &Bytes) -> Result<Self, ValueError> {
        check_exact(payload)?;
        let memory = Memory::for_payload(payload.len());
        Self::read_rlp(&mut ValueReader::new(payload, &memory))
    }

    /// Returns about how many bytes a list of these values takes.
    #[doc(hidden)]
    fn rlp_size_of(values: &[Self]) -> usize {
        values.iter().map(Self::rlp_size).sum::<usize>() + MAX_HEADER
    }

    /// Appends several values as one RLP value: a list, or for `u8` a byte string.
    #[doc(hidden)]
    fn write_rlp_of(values: &[Self], out: &mut BytesMut) {
        put_list(out, |list| {
            values.iter().for_each(|value| value.write_rlp(list));
        });
    }

    /// Reads up to `most` values from one list, or for `u8` from one byte string.
    #[doc(hidden)]
    fn read_rlp_vec(from: &mut ValueReader<'_>, most: usize) -> Result<Vec<Self>, ValueError> {
        let mut list = from.list()?;
        let count = list.count();
        if count > most {
            return Err(RlpError::TooMany { count, most }.into());
        }
        list.charge(count.saturating_mul(size_of::<Self>()))?;
        let mut values = Vec::with_capacity(count);
        for index in 0..count {
            values.push(Self::read_rlp(&mut list).map_err(|error| error.in_item(index))?);
        }
        list.end()?;
        Ok(values)
    }

    /// Reads exactly `N` values from one list, or for `u8` from one byte string.
    #[doc(hidden)]
    fn read_rlp_array<const N: usize>(from: &mut ValueReader<'_>) -> Result<[Self; N], ValueError> {
        let wrong = |count| RlpError::Items { wanted: N, count }.into();
        let count = from.clone().list()?.count();
        if count != N {
            return Err(wrong(count));
        }
        let values = Self::read_rlp_vec(from, N)?;
        values
            .try_into()
            .map_err(|values: Vec<Self>| wrong(values.len()))
    }
}

/// A value whose number of items or bytes can be bounded.
///
/// `#[rlp(max = N)]` on a field and [`Bounded`](super::Bounded) check this number before the value
/// is built.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no number of items that `max` could bound",
    note = "lists, strings and byte strings have one"
)]
pub trait Counted: RlpValue {
    /// Returns how many items or bytes the value holds.
    fn count(&self) -> usize;

    /// Reads the next value, of at most `most` items or bytes.
    ///
    /// # Errors
    /// [`RlpError::TooMany`] if there are more; otherwise the errors of [`RlpValue::read_rlp`].
    fn read_rlp_at_most(from: &mut ValueReader<'_>, most: usize) -> Result<Self, ValueError>;
}
