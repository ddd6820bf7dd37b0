//! Writes each value directly to the output, without an intermediate buffer.

use bytes::{Buf, BufMut, BytesMut};

use super::{LIST, LONG, STRING, stands_for_itself};

/// The maximum size of an encoded number, or of a header, in bytes.
pub(crate) const MAX_HEADER: usize = 9;

/// Writes the encoded `number` to the end of `buffer`, and returns the bytes written.
#[inline]
pub(crate) fn number(number: u64, buffer: &mut [u8; MAX_HEADER]) -> &[u8] {
    match number {
        1..0x80 => single(number as u8, buffer),
        _ => digits(STRING, number, buffer),
    }
}

/// Writes the header for `length` bytes to the end of `buffer`, and returns it.
#[inline]
fn header(kind: u8, length: usize, buffer: &mut [u8; MAX_HEADER]) -> &[u8] {
    match length {
        ..LONG => single(kind + length as u8, buffer),
        _ => digits(kind + LONG as u8 - 1, length as u64, buffer),
    }
}

fn single(byte: u8, buffer: &mut [u8; MAX_HEADER]) -> &[u8] {
    buffer[MAX_HEADER - 1] = byte;
    &buffer[MAX_HEADER - 1..]
}

/// Writes `base` plus the length of `number`, then `number` without leading zeros.
fn digits(base: u8, number: u64, buffer: &mut [u8; MAX_HEADER]) -> &[u8] {
    buffer[1..].copy_from_slice(&number.to_be_bytes());
    let zeros = number.leading_zeros() as usize / 8;
    buffer[zeros] = base + (8 - zeros) as u8;
    &buffer[zeros..]
}

/// Appends a number.
#[inline]
pub(crate) fn put_number(out: &mut BytesMut, value: u64) {
    out.put_slice(number(value, &mut [0; MAX_HEADER]));
}

/// Appends a byte string.
#[inline]
pub(crate) fn put_string(out: &mut BytesMut, value: &[u8]) {
    if !stands_for_itself(value) {
        out.put_slice(header(STRING, value.len(), &mut [0; MAX_HEADER]));
    }
    out.put_slice(value);
}

/// Appends a list of the elements that `append` appends.
pub fn put_list(out: &mut BytesMut, append: impl FnOnce(&mut BytesMut)) {
    // The length of the list is known only after its elements are written, so the code leaves room
    // for the longest header. Afterwards it closes the gap by moving what is shorter: the bytes
    // before the gap or the elements after it.
    let start = out.len();
    out.put_bytes(0, MAX_HEADER);
    append(out);
    let mut buffer = [0; MAX_HEADER];
    let header = header(LIST, out.len() - start - MAX_HEADER, &mut buffer);
    let surplus = MAX_HEADER - header.len();
    if start > out.len() - start {
        // Here the elements are moved. With many small lists in a large one, each small list
        // therefore moves only its own bytes.
        out[start..start + header.len()].copy_from_slice(header);
        out.copy_within(start + MAX_HEADER.., start + header.len());
        out.truncate(out.len() - surplus);
        return;
    }
    out[start + surplus..start + MAX_HEADER].copy_from_slice(header);
    if start > 0 {
        out.copy_within(..start, surplus);
    }
    out.advance(surplus);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rlp::{RlpStream, encode};

    fn appended(append: impl FnOnce(&mut BytesMut)) -> BytesMut {
        let mut out = BytesMut::new();
        append(&mut out);
        out
    }

    #[test]
    fn lengths_around_each_change_of_form() {
        for length in [0, 1, 54, 55, 56, 57, 255, 256, 65_535, 65_536] {
            let value = vec![0x80; length];
            let string = appended(|out| put_string(out, &value));
            assert_eq!(string, encode(&value));
            let list = appended(|out| put_list(out, |out| out.put_slice(&value)));
            let mut stream = RlpStream::new_list(1);
            stream.append_raw(&value, 1);
            assert_eq!(list, stream.out());
        }
    }

    proptest! {
        #[test]
        fn output_matches_the_rlp_crate(
            before: Vec<u8>,
            value: u64,
            shift in 0u32..64,
            items in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..70), 0..6),
        ) {
            let value = value >> shift;
            let mut out = BytesMut::from(&before[..]);
            put_list(&mut out, |out| {
                put_number(out, value);
                put_list(out, |out| items.iter().for_each(|item| put_string(out, item)));
            });
            let mut stream = RlpStream::new_list(2);
            stream.append(&value).append_list::<Vec<u8>, _>(&items);
            prop_assert_eq!(out, [&before, &stream.out()[..]].concat());
        }
    }
}
