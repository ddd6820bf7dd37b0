//! Functions for the code that [`messages!`](crate::messages) and the derive of
//! [`RlpValue`](super::RlpValue) generate.

use bytes::BytesMut;

pub use super::super::write::put_list;
use super::{RlpValue, ValueError, ValueReader};
use crate::rlp::STRING;

/// Adds a field's name to the error of reading it.
///
/// # Errors
/// The error in `read`.
#[inline]
pub fn field<T>(name: &str, read: Result<T, ValueError>) -> Result<T, ValueError> {
    read.map_err(|error| error.in_field(name))
}

/// Reads a field that may be absent at the end of the list.
///
/// `read` reads its value if it is there.
///
/// # Errors
/// As `read`.
pub fn read_optional<'a, T>(
    list: &mut ValueReader<'a>,
    read: impl FnOnce(&mut ValueReader<'a>) -> Result<T, ValueError>,
) -> Result<Option<T>, ValueError> {
    if list.is_empty() {
        return Ok(None);
    }
    let mut behind = list.clone();
    let gap = behind.raw()? == [STRING] && !behind.is_empty();
    match read(list) {
        // The field is absent, and a later one is there.
        Err(_) if gap => {
            *list = behind;
            Ok(None)
        }
        read => read.map(Some),
    }
}

/// Appends an optional field; `None` as the empty string if a `later` field follows.
pub fn write_optional<T: RlpValue>(field: &Option<T>, later: bool, list: &mut BytesMut) {
    match field {
        Some(value) => value.write_rlp(list),
        None if later => list.extend_from_slice(&[STRING]),
        None => {}
    }
}
