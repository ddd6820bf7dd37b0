//! The plaintext of one frame: message id and compressed payload.

use bytes::BytesMut;
use peermux::Fault;
use peermux::rlp::{Rlp, check_canonical};
use peermux::rlpx::fuzzing::{direction, seal_parts};
use peermux::rlpx::{Frame, FrameError, MAX_FRAME_SIZE, Opened, SnappyError, message_id};

use super::input::Input;
use super::{assert_explained, snappy};

/// The first byte contains the settings; the rest is id and data.
///
/// Bit 0 of the first byte enables compression. Bits 3 to 7 select a power of two as the limit of
/// the payload.
pub fn message(data: &[u8]) {
    let mut input = Input::new(data);
    let flags = input.byte();
    let (snappy, limit) = (flags & 1 == 1, 1 << (flags >> 3));
    let plaintext = input.rest();
    let (mut egress, mut ingress) = direction();
    ingress.set_max_frame_size(usize::MAX);
    ingress.set_snappy(snappy);
    let mut body = plaintext.to_vec();
    body.resize(plaintext.len().next_multiple_of(16), 0xff);
    let mut wire = BytesMut::new();
    seal_parts(&mut egress, header(plaintext.len()), &body, &mut wire);
    let length = wire.len();
    match ingress.open(&mut wire) {
        Ok(Opened::Frame { frame, consumed }) => {
            assert_eq!(consumed, length);
            assert_eq!(frame.is_compressed(), snappy);
            check_frame(&frame, plaintext, limit);
        }
        Ok(Opened::NeedMore { total }) => panic!("{total} bytes wanted of {length}"),
        Err(error) => {
            check_error(&error);
            assert!(matches!(error, FrameError::MessageId(_)));
            assert_eq!(read_id(plaintext), None);
        }
    }
}

/// Returns a frame's header for this many bytes of id and data.
pub(super) fn header(frame_size: usize) -> [u8; 16] {
    let mut header = [0; 16];
    header[..3].copy_from_slice(&(frame_size as u32).to_be_bytes()[1..]);
    header
}

pub(super) fn check_error(error: &FrameError) {
    assert_explained(error);
    assert_eq!(error.fault(), Fault::Remote);
}

/// Returns a plaintext's id and the id's length, as the RLP crate decodes them.
pub(super) fn read_id(plaintext: &[u8]) -> Option<(u64, usize)> {
    let length = check_canonical(plaintext).ok()?;
    let id = Rlp::new(&plaintext[..length]).as_val().ok()?;
    Some((id, length))
}

/// Checks a frame against its plaintext. A payload above `limit` must be refused.
pub(super) fn check_frame(frame: &Frame<'_>, plaintext: &[u8], limit: usize) {
    let (id, length) = read_id(plaintext).expect("a valid id");
    let data = &plaintext[length..];
    assert_eq!((frame.id(), frame.data()), (id, data));
    assert_eq!(
        message_id::encode(id, &mut [0; message_id::MAX_LENGTH]),
        &plaintext[..length]
    );
    let payload = frame.payload(limit);
    if let Err(error) = &payload {
        check_error(error);
    }
    if !frame.is_compressed() {
        assert_eq!(frame.payload_len(), Ok(data.len()));
        match payload {
            Ok(payload) => assert!(payload == data && data.len() <= limit),
            Err(error) => assert_eq!(error, too_large(data.len() as u64, limit)),
        }
        return;
    }
    let Some(declared) = snappy::declared(data) else {
        let error = match data {
            [] => SnappyError::Empty,
            _ => SnappyError::Length,
        };
        assert_eq!(frame.payload_len(), Err(error.into()));
        assert_eq!(payload, Err(error.into()));
        return;
    };
    let expected = if declared > MAX_FRAME_SIZE as u64 {
        let error = too_large(declared, MAX_FRAME_SIZE);
        assert_eq!(frame.payload_len(), Err(error.clone()));
        Err(error)
    } else {
        assert_eq!(frame.payload_len(), Ok(declared as usize));
        match declared {
            _ if declared > limit as u64 => Err(too_large(declared, limit)),
            _ => Ok(snappy::decompress(data)),
        }
    };
    match expected {
        Ok(Some(expected)) => assert!(payload == Ok(expected.into())),
        Ok(None) => assert!(matches!(
            payload,
            Err(FrameError::Snappy(
                SnappyError::Corrupt { .. } | SnappyError::Expansion { .. }
            ))
        )),
        Err(error) => assert_eq!(payload, Err(error)),
    }
}

fn too_large(got: u64, max: usize) -> FrameError {
    FrameError::PayloadTooLarge { got, max }
}
