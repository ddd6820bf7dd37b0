//! First frames of a connection that a recipient must accept or refuse.

use bytes::Bytes;
use peermux::Fault;
use peermux::rlpx::{FrameError, MessageIdError, Opened, SnappyError};
use serde_json::Value;

use super::{VECTORS, cases, handshake, hex, text};

/// Opens the frame and returns its message, like a connection's read loop.
fn open(case: &Value) -> Result<(u64, Bytes), FrameError> {
    let (_, recipient) = handshake(&VECTORS["transcript_v4_uncompressed"]);
    let mut ingress = recipient.ingress;
    ingress.set_snappy(case["snappy"].as_bool().unwrap());
    let mut wire = hex(case, "wire");
    match ingress.open(&mut wire)? {
        Opened::Frame { frame, .. } => Ok((frame.id(), frame.payload(usize::MAX)?)),
        Opened::NeedMore { total } => panic!("{total} bytes needed"),
    }
}

#[test]
fn accepted_unusual_first_frames() {
    for case in cases("accepted_unusual_first_frames") {
        let (id, payload) = open(case).unwrap();
        assert_eq!(id, case["msg_id"].as_u64().unwrap());
        assert_eq!(payload, hex(case, "payload"));
    }
}

#[test]
fn rejected_first_frames() {
    for case in cases("rejected_first_frames") {
        let error = open(case).expect_err(text(case, "name"));
        let id = |expected| error == FrameError::MessageId(expected);
        let expected = match text(case, "expect") {
            "header MAC mismatch" => error == FrameError::HeaderMac,
            "frame MAC mismatch" => error == FrameError::BodyMac,
            "no message id in frame" => id(MessageIdError::Missing),
            "message id is not canonical RLP" => id(MessageIdError::NotCanonical),
            "message id is not an integer" => id(MessageIdError::NotAnInteger),
            "message id overflows 64 bits" => id(MessageIdError::Overflow),
            expected if expected.starts_with("declared length above limit") => {
                matches!(
                    error,
                    FrameError::PayloadTooLarge {
                        got: 0x100_0000..,
                        max: 0xff_ffff
                    }
                )
            }
            "corrupt snappy input" => corrupt_snappy(&error, text(case, "name")),
            other => panic!("no such expectation: {other}"),
        };
        assert!(expected, "{}: {error:?}", text(case, "name"));
        assert_eq!(error.fault(), Fault::Remote);
    }
}

fn corrupt_snappy(error: &FrameError, name: &str) -> bool {
    let FrameError::Snappy(error) = error else {
        return false;
    };
    match name {
        "snappy enabled but the data part is empty" => *error == SnappyError::Empty,
        "snappy length varint never ends" => *error == SnappyError::Length,
        "snappy block declaring 16777215 bytes with a two-byte body" => {
            matches!(
                error,
                SnappyError::Expansion {
                    declared: 0xff_ffff,
                    ..
                }
            )
        }
        _ => matches!(error, SnappyError::Corrupt { declared: 1 }),
    }
}
