//! Disconnect payloads, with and without compression.

use peermux::p2p::{DisconnectReason, decode_disconnect};
use peermux::rlp::{Rlp, check_canonical};

use super::snappy;

/// The length of the longest payload that is decompressed.
const MAX_PAYLOAD: u64 = 2048;

/// The input is the data after the message id.
pub fn disconnect(data: &[u8]) {
    let plain = decode_disconnect(data, false);
    if let Some(expected) = by_the_book(data) {
        assert_eq!(plain, expected);
    }
    let compressed = snap::raw::Encoder::new().compress_vec(data).unwrap();
    let unpacked = decode_disconnect(&compressed, true);
    if data.len() as u64 <= MAX_PAYLOAD {
        assert_eq!(unpacked, plain);
    } else {
        assert_eq!(unpacked, Some(DisconnectReason::INVALID));
    }
    check_compressed(data);
    if let Some(reason) = plain {
        check_reason(reason);
    }
}

/// Decodes the form in the specification. This form is a canonical list that starts with a one-byte
/// integer. Returns `None` for other forms.
fn by_the_book(data: &[u8]) -> Option<Option<DisconnectReason>> {
    let length = check_canonical(data).ok()?;
    let list = Rlp::new(&data[..length]);
    if !list.is_list() {
        return None;
    }
    if list.is_empty() {
        return Some(None);
    }
    let code = list.val_at::<u8>(0).ok()?;
    // No Disconnect is a list whose length needs more than one byte.
    (length <= 2 + 0xff).then_some(Some(DisconnectReason(code)))
}

/// Checks the data as if it were already compressed.
fn check_compressed(data: &[u8]) {
    let decoded = decode_disconnect(data, true);
    let payload = match snappy::declared(data) {
        Some(0..=MAX_PAYLOAD) => snappy::decompress(data),
        _ => None,
    };
    match payload {
        Some(payload) => assert_eq!(decoded, decode_disconnect(&payload, false)),
        _ if data.len() <= 2 => assert_eq!(decoded, decode_disconnect(data, false)),
        _ => assert_eq!(decoded, Some(DisconnectReason::INVALID)),
    }
}

fn check_reason(reason: DisconnectReason) {
    assert_eq!(decode_disconnect(&reason.encode(), false), Some(reason));
    let text = reason.to_string();
    let named = DisconnectReason::NAMED.contains(&reason);
    assert_eq!(named, !text.starts_with("unknown disconnect reason"));
    assert_eq!(named, !format!("{reason:?}").contains("unnamed"));
}
