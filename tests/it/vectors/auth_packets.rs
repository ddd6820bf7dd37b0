//! Auth packets that a recipient must accept or refuse.

use peermux::Fault;
use peermux::rlpx::{HandshakeError, Legacy};

use super::{VECTORS, cases, handshake, hex, key, randomness, read_auth, text};

#[test]
fn accepted() {
    let transcript = &VECTORS["transcript_v4_uncompressed"];
    let initiator = key(transcript, "initiator_static_key").public_key();
    for case in cases("accepted_auth_packets") {
        for legacy in [Legacy::Refuse, Legacy::Accept] {
            let auth = read_auth(transcript, &hex(case, "packet"), legacy);
            let auth = auth.unwrap_or_else(|error| panic!("{}: {error}", text(case, "name")));
            assert_eq!(auth.remote(), &initiator);
            let (_, session) = auth
                .answer(randomness(transcript, "recipient", "ack"))
                .unwrap();
            // The packet itself is an input of the session, so each packet gives another one.
            assert_ne!(session.binding, handshake(transcript).1.binding);
        }
    }
}

#[test]
fn rejected() {
    let transcript = &VECTORS["transcript_v4_uncompressed"];
    for case in cases("rejected_auth_packets") {
        for legacy in [Legacy::Refuse, Legacy::Accept] {
            let result = read_auth(transcript, &hex(case, "packet"), legacy);
            let error = result.expect_err(text(case, "name"));
            let expected = match text(case, "expect") {
                "invalid public key" => matches!(error, HandshakeError::InvalidPublicKey(_)),
                "ECIES tag mismatch" => error == HandshakeError::TagMismatch,
                "packet above 2048 bytes" => matches!(
                    error,
                    HandshakeError::PacketTooLarge {
                        got: 2049,
                        max: 2048
                    }
                ),
                "invalid signature" => matches!(error, HandshakeError::InvalidSignature(_)),
                "too few list elements" => matches!(
                    error,
                    HandshakeError::TooFewElements {
                        got: 1,
                        expected: 4
                    }
                ),
                other => panic!("no such expectation: {other}"),
            };
            assert!(expected, "{}: {error:?}", text(case, "name"));
            assert_eq!(error.fault(), Fault::Remote);
        }
    }
}
