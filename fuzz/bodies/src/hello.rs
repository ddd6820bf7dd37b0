//! Hello payloads, and the matching of the capabilities in them.

use peermux::p2p::{
    BASE_LENGTH, Capability, DisconnectReason, Hello, HelloError, MAX_HELLO, MatchError,
    match_capabilities,
};
use peermux::{Fault, rlp};

use super::assert_explained;
use super::input::Input;

/// The input is the payload of a Hello.
///
/// If its RLP is canonical, the bytes after the RLP select local protocols.
pub fn hello(data: &[u8]) {
    match Hello::decode(data) {
        Ok(hello) => {
            check_round_trip(&hello, data);
            check_client_text(&hello);
            let length = rlp::check_canonical(data).unwrap();
            check_matching(&hello, Input::new(&data[length..]));
        }
        Err(error) => check_error(&error, data),
    }
}

fn check_round_trip(hello: &Hello, data: &[u8]) {
    assert!(data.len() <= MAX_HELLO);
    let encoded = hello.encode();
    // Encoding drops ignored data; the encoded Hello does not differ in any other way.
    assert!(encoded.len() <= data.len());
    assert_eq!(Hello::decode(&encoded).as_ref(), Ok(hello));
    assert!(rlp::check_exact(&encoded).is_ok());
    if encoded.len() == data.len() {
        assert_eq!(encoded, data);
    }
}

fn check_client_text(hello: &Hello) {
    let text = hello.client_text();
    assert!(text.chars().count() <= 128);
    assert!(!text.chars().any(char::is_control));
}

fn check_error(error: &HelloError, data: &[u8]) {
    assert_explained(error);
    assert_eq!(error.fault(), Fault::Remote);
    assert_eq!(
        matches!(error, HelloError::TooLong { .. }),
        data.len() > MAX_HELLO
    );
    assert_eq!(
        matches!(error, HelloError::Canonical(_)),
        data.len() <= MAX_HELLO && rlp::check_canonical(data).is_err()
    );
    let expected = match error {
        HelloError::KeyLength { got } => {
            assert_ne!(*got, 64);
            DisconnectReason::INVALID_IDENTITY
        }
        HelloError::KeyZero => DisconnectReason::INVALID_IDENTITY,
        HelloError::KeyNotOnCurve => DisconnectReason::UNEXPECTED_IDENTITY,
        _ => DisconnectReason::BREACH_OF_PROTOCOL,
    };
    assert_eq!(error.reason(), expected);
}

/// Uses some of the remote's capabilities as local protocols, each with any number of codes.
fn check_matching(hello: &Hello, mut input: Input<'_>) {
    let mut local = vec![(Capability::new("ours", 1), input.byte().into())];
    for capability in &hello.capabilities {
        local.push(match input.byte() {
            0..0x20 => continue,
            0x20..0x40 => (Capability::new(capability.name(), input.u64()), 1),
            0x40..0x60 => (capability.clone(), input.u64()),
            length => (capability.clone(), length.into()),
        });
    }
    let shared = match match_capabilities(&local, &hello.capabilities) {
        Ok(shared) => shared,
        Err(error) => {
            assert_explained(&error);
            let MatchError::IdsExhausted { offset, length, .. } = error else {
                panic!("{error}");
            };
            assert!(offset.checked_add(length).is_none());
            return;
        }
    };
    let mut next = BASE_LENGTH;
    let mut names = Vec::new();
    for found in shared {
        assert_eq!(found.codes(), next..next + found.length);
        next += found.length;
        assert_eq!(local[found.local], (found.capability.clone(), found.length));
        assert!(hello.capabilities.contains(&found.capability));
        let better = |other: &Capability| {
            other.name() == found.capability.name()
                && other.version() > found.capability.version()
                && hello.capabilities.contains(other)
        };
        assert!(!local.iter().any(|(other, _)| better(other)));
        names.push(found.capability.name().to_owned());
    }
    assert!(names.is_sorted_by(|a, b| a < b));
    let missed = |capability: &Capability| {
        hello.capabilities.contains(capability) && !names.iter().any(|n| n == capability.name())
    };
    assert!(!local.iter().any(|(capability, _)| missed(capability)));
}
