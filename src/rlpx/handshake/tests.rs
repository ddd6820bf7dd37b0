use bytes::{Buf, Bytes, BytesMut};
use data_encoding::HEXLOWER;
use proptest::prelude::*;
use zeroize::Zeroizing;

use super::packet::{Ack, Auth, Receiver};
use super::*;
use crate::fault::Fault;
use crate::rlpx::error::HandshakeError;
use crate::rlpx::secrets;
use crate::rlpx::testing::{VECTORS, array, done, hex, key, randomness};

fn eip8() -> &'static serde_json::Value {
    &VECTORS["eip8_handshake"]
}

fn read_auth(name: &str, legacy: Legacy) -> Result<AuthReceived, HandshakeError> {
    let recipient = Recipient::new(&key(eip8(), "static_key_B"), legacy);
    let mut input = BytesMut::from(&hex(eip8(), name)[..]);
    let received = done(recipient.read_auth(&mut input)?);
    assert!(input.is_empty());
    Ok(received)
}

/// Returns EIP-8's initiator after it has sent `auth`.
///
/// The signature in `auth` was not made with RFC 6979, so the packet cannot be reproduced.
fn initiator(auth: &str, legacy: Legacy) -> Initiator {
    Initiator {
        key: key(eip8(), "static_key_A"),
        remote: key(eip8(), "static_key_B").public_key(),
        ephemeral: key(eip8(), "ephemeral_key_A"),
        nonce: Zeroizing::new(array(eip8(), "nonce_A")),
        auth: hex(eip8(), auth).into(),
        receiver: Receiver { legacy: None },
    }
    .with_legacy(legacy)
}

#[test]
fn every_published_auth_decodes_to_the_same_values() {
    for (name, legacy) in [
        ("auth1_legacy", Legacy::Accept),
        ("auth2", Legacy::Accept),
        ("auth2", Legacy::Refuse),
        ("auth3", Legacy::Refuse),
    ] {
        let auth = read_auth(name, legacy).unwrap();
        assert_eq!(auth.remote().to_bytes()[..], hex(eip8(), "static_pub_A"));
        let ephemeral = auth.remote_ephemeral.to_bytes();
        assert_eq!(ephemeral[..], hex(eip8(), "ephemeral_pub_A"), "{name}");
    }
}

#[test]
fn legacy_auth_is_refused_unless_switched_on() {
    // 048c is read as the size of an EIP-8 packet, which never arrives in full.
    let recipient = Recipient::new(&key(eip8(), "static_key_B"), Legacy::Refuse);
    let mut input = BytesMut::from(&hex(eip8(), "auth1_legacy")[..]);
    let Step::NeedMore { state, bytes } = recipient.read_auth(&mut input).unwrap() else {
        panic!("accepted");
    };
    assert_eq!(bytes, 2 + 0x048c - 307);
    input.resize(2 + 0x048c, 0);
    let error = state.read_auth(&mut input).unwrap_err();
    assert!(matches!(error, HandshakeError::InvalidPublicKey(_)));
}

/// Checks a session's secrets and MACs against the published ones, for the recipient.
fn check_secrets(auth: &str, ack: &str, expected: &str) {
    let expected = &eip8()[expected];
    let received = read_auth(auth, Legacy::Accept).unwrap();
    let ephemeral = key(eip8(), "ephemeral_key_B");
    let (nonce, ack) = (array(eip8(), "nonce_B"), hex(eip8(), ack));
    let exchange = received.exchange(&ephemeral, &nonce, &ack);
    let secrets = exchange.secrets();
    assert_eq!(secrets.aes[..], hex(expected, "aes_secret"));
    assert_eq!(secrets.mac[..], hex(expected, "mac_secret"));
    let recipient = exchange.session();
    for (suffix, egress, ingress) in [
        (
            "",
            "recipient_egress_mac_digest0",
            "recipient_ingress_mac_digest0",
        ),
        (
            "foo",
            "recipient_egress_mac_after_foo",
            "recipient_ingress_mac_after_foo",
        ),
    ] {
        let suffix = suffix.as_bytes();
        assert_eq!(
            recipient.egress.mac_digest_after(suffix)[..],
            hex(expected, egress)
        );
        assert_eq!(
            recipient.ingress.mac_digest_after(suffix)[..],
            hex(expected, ingress)
        );
    }

    let initiator = initiator(auth, Legacy::Accept);
    let initiator = done(initiator.read_ack(&mut BytesMut::from(&ack[..])).unwrap());
    assert_eq!(initiator.binding, recipient.binding);
    assert_eq!(
        initiator.egress.mac_digest_after(b"foo"),
        recipient.ingress.mac_digest_after(b"foo")
    );
    assert_eq!(
        initiator.ingress.mac_digest_after(b"foo"),
        recipient.egress.mac_digest_after(b"foo")
    );
}

#[test]
fn published_secrets_of_every_mix_of_formats() {
    check_secrets("auth2", "ack2", "secrets_auth2_ack2");
    check_secrets("auth2", "ack1_legacy", "secrets_auth2_ack1_legacy_answer");
    check_secrets(
        "auth1_legacy",
        "ack1_legacy",
        "secrets_auth1_ack1_both_legacy",
    );
}

#[test]
fn every_published_ack_decodes_to_the_same_values() {
    for name in ["ack1_legacy", "ack2", "ack3"] {
        let mut input = BytesMut::from(&hex(eip8(), name)[..]);
        let step = initiator("auth2", Legacy::Accept)
            .read_ack(&mut input)
            .unwrap();
        assert_eq!(done(step).remote, key(eip8(), "static_key_B").public_key());
    }
    let mut input = BytesMut::from(&hex(eip8(), "ack1_legacy")[..]);
    let step = initiator("auth2", Legacy::Refuse)
        .read_ack(&mut input)
        .unwrap();
    assert!(matches!(step, Step::NeedMore { .. }));
}

#[test]
fn a_legacy_auth_gets_a_legacy_ack() {
    let randomness = HandshakeRandomness {
        ephemeral: key(eip8(), "ephemeral_key_B"),
        nonce: Zeroizing::new(array(eip8(), "nonce_B")),
        ..randomness(0)
    };
    let auth = read_auth("auth1_legacy", Legacy::Accept).unwrap();
    let (ack, recipient) = auth.answer(randomness).unwrap();
    assert_eq!((ack.len(), ack[0]), (210, 4));
    let initiator = initiator("auth1_legacy", Legacy::Accept);
    let initiator = done(initiator.read_ack(&mut BytesMut::from(&ack[..])).unwrap());
    assert_eq!(initiator.binding, recipient.binding);
}

#[test]
fn signature_and_shared_secrets() {
    let (a, b) = (key(eip8(), "static_key_A"), key(eip8(), "static_key_B"));
    let shared = a.ecdh(&b.public_key());
    assert_eq!(shared[..], hex(eip8(), "static_shared_secret"));
    let signed = secrets::xor(&shared, &array(eip8(), "nonce_A"));
    assert_eq!(signed[..], hex(eip8(), "signed_hash"));
    let recovered = crate::node::recover(&array(eip8(), "signature"), &signed).unwrap();
    assert_eq!(recovered.to_bytes()[..], hex(eip8(), "ephemeral_pub_A"));
    let ephemeral = key(eip8(), "ephemeral_key_B").ecdh(&recovered);
    assert_eq!(ephemeral[..], hex(eip8(), "ephemeral_shared_secret"));
}

fn padded(mut randomness: HandshakeRandomness, padding: usize) -> HandshakeRandomness {
    randomness.packet.padding = padding;
    randomness
}

/// Returns a recipient's key and an auth whose size prefix starts with 04.
fn ambiguous_auth() -> (SecretKey, Bytes, Initiator) {
    let rng = &mut rand::rng();
    let (dialler, listener) = (SecretKey::random(rng), SecretKey::random(rng));
    let randomness = padded(randomness(5), 800);
    let (initiator, auth) = Initiator::new(&dialler, &listener.public_key(), randomness).unwrap();
    assert_eq!((auth.len(), auth[0]), (1084, 4));
    (listener, auth, initiator)
}

#[test]
fn an_eip8_packet_that_looks_like_a_legacy_one_is_read_as_eip8() {
    let (listener, auth, initiator) = ambiguous_auth();
    let mut recipient = Recipient::new(&listener, Legacy::Accept);
    let mut input = BytesMut::from(&auth[..306]);
    for (available, missing) in [(306, 1), (307, 777), (1083, 1)] {
        input.extend_from_slice(&auth[input.len()..available]);
        recipient = match recipient.read_auth(&mut input).unwrap() {
            Step::NeedMore { state, bytes } => {
                assert_eq!(bytes, missing);
                state
            }
            Step::Done(_) => panic!("not complete"),
        };
    }
    input.extend_from_slice(&auth[1083..]);
    let received = done(recipient.read_auth(&mut input).unwrap());
    let long = padded(randomness(6), 900);
    let (ack, _) = received.answer(long).unwrap();
    assert_eq!((ack.len(), ack[0]), (1117, 4));
    let step = initiator
        .with_legacy(Legacy::Accept)
        .read_ack(&mut ack.into())
        .unwrap();
    assert!(matches!(step, Step::Done(_)));
}

#[test]
fn legacy_does_not_delay_a_short_eip8_packet() {
    let auth = &VECTORS["accepted_auth_packets"]["cases"][2];
    let packet = hex(auth, "packet");
    assert_eq!(packet.len(), 284);
    let listener = key(
        &VECTORS["transcript_v4_uncompressed"],
        "recipient_static_key",
    );
    let recipient = Recipient::new(&listener, Legacy::Accept);
    let step = recipient
        .read_auth(&mut BytesMut::from(&packet[..]))
        .unwrap();
    assert!(matches!(step, Step::Done(_)));
}

#[test]
fn sizes_out_of_range_fail_on_the_prefix_alone() {
    let recipient = || Recipient::new(&key(eip8(), "static_key_B"), Legacy::Refuse);
    for (prefix, expected) in [
        (
            2049,
            HandshakeError::PacketTooLarge {
                got: 2049,
                max: 2048,
            },
        ),
        (112, HandshakeError::PacketTooSmall { got: 112, min: 113 }),
    ] {
        let mut input = BytesMut::from(&u16::to_be_bytes(prefix)[..]);
        assert_eq!(recipient().read_auth(&mut input).unwrap_err(), expected);
        assert_eq!(expected.fault(), Fault::Remote);
    }
    for prefix in [113u16, 2048] {
        let mut input = BytesMut::from(&prefix.to_be_bytes()[..]);
        let step = recipient().read_auth(&mut input).unwrap();
        let Step::NeedMore { bytes, .. } = step else {
            panic!("complete");
        };
        assert_eq!(bytes, usize::from(prefix));
    }
}

#[test]
fn too_much_padding_is_our_own_fault() {
    let (a, b) = (key(eip8(), "static_key_A"), key(eip8(), "static_key_B"));
    let with_padding = |padding| padded(randomness(1), padding);
    let (_, auth) = Initiator::new(&a, &b.public_key(), with_padding(1766)).unwrap();
    assert_eq!(auth.len(), 2050);
    let error = Initiator::new(&a, &b.public_key(), with_padding(1767)).unwrap_err();
    assert_eq!(
        error,
        HandshakeError::PaddingTooLong {
            got: 1767,
            max: 2048
        }
    );
    assert_eq!(error.fault(), Fault::Local);
}

#[test]
fn plaintexts_that_violate_the_format() {
    let good = Ack {
        ephemeral: key(eip8(), "ephemeral_key_B").public_key(),
        nonce: Zeroizing::new([1; 32]),
    }
    .encode();
    assert!(Ack::decode(&good).is_ok());
    let element = |element, got, expected| HandshakeError::ElementLength {
        element,
        got,
        expected,
    };
    for (plaintext, expected) in [
        ("80", HandshakeError::NotAList),
        (
            "c0",
            HandshakeError::TooFewElements {
                got: 0,
                expected: 4,
            },
        ),
        ("c480808080", element("signature", 0, 65)),
        ("c4c0808080", element("signature", 0, 65)),
        ("c411808080", element("signature", 1, 65)),
    ] {
        let plaintext = HEXLOWER.decode(plaintext.as_bytes()).unwrap();
        assert_eq!(Auth::decode(&plaintext).err(), Some(expected));
    }
    for end in 0..good.len() {
        assert!(matches!(
            Ack::decode(&good[..end]),
            Err(HandshakeError::NotCanonical(_))
        ));
    }
}

#[test]
fn nothing_secret_is_shown() {
    let (_, auth, initiator) = ambiguous_auth();
    assert!(format!("{initiator:?}").starts_with("Initiator { remote: PublicKey("));
    assert_eq!(
        format!("{:?}", randomness(1)),
        "HandshakeRandomness(redacted)"
    );
    drop(auth);
}

#[test]
fn padding_is_drawn_from_the_whole_range() {
    let lengths: std::collections::BTreeSet<_> = (0..200)
        .map(|seed| randomness(seed).packet.padding)
        .collect();
    assert!(lengths.iter().all(|length| PADDING.contains(length)));
    assert!(lengths.len() > 50);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// For any split of the bytes, both sides agree; later bytes stay in the input.
    #[test]
    fn any_split_of_the_input(
        seed: u64,
        chunk in 1usize..400,
        behind in prop::collection::vec(any::<u8>(), 0..40),
        accept: bool,
    ) {
        let legacy = if accept { Legacy::Accept } else { Legacy::Refuse };
        let rng = &mut rand::rng();
        let (dialler, listener) = (SecretKey::random(rng), SecretKey::random(rng));
        let (mut initiator, auth) =
            Initiator::new(&dialler, &listener.public_key(), randomness(seed)).unwrap();
        prop_assert!((384..=584).contains(&auth.len()));
        let mut wire = BytesMut::from(&[&auth[..], &behind].concat()[..]);
        let mut input = BytesMut::new();
        let mut recipient = Recipient::new(&listener, legacy);
        let received = loop {
            match recipient.read_auth(&mut input).unwrap() {
                Step::Done(received) => break received,
                Step::NeedMore { state, bytes } => {
                    prop_assert!(bytes > 0 && bytes <= wire.len() - behind.len());
                    recipient = state;
                    input.extend_from_slice(&wire.split_to(chunk.min(wire.len())));
                }
            }
        };
        input.extend_from_slice(&wire);
        prop_assert_eq!(&input[..], &behind[..]);
        prop_assert_eq!(received.remote(), &dialler.public_key());
        let (ack, recipient) = received.answer(randomness(!seed)).unwrap();
        prop_assert!((317..=517).contains(&ack.len()));
        initiator = initiator.with_legacy(legacy);
        let mut wire = BytesMut::from(&[&ack[..], &behind].concat()[..]);
        let mut input = BytesMut::new();
        let initiator = loop {
            match initiator.read_ack(&mut input).unwrap() {
                Step::Done(session) => break session,
                Step::NeedMore { state, bytes } => {
                    prop_assert!(bytes > 0 && bytes <= wire.len() - behind.len());
                    initiator = state;
                    input.extend_from_slice(&wire.split_to(chunk.min(wire.len())));
                }
            }
        };
        input.extend_from_slice(&wire);
        prop_assert_eq!(input.remaining(), behind.len());
        prop_assert_eq!(initiator.binding, recipient.binding);
        prop_assert_eq!(initiator.remote, listener.public_key());
    }

    #[test]
    fn a_changed_byte_is_noticed(position in 0usize..400, change in 1u8..) {
        let listener = key(eip8(), "static_key_B");
        let mut input = BytesMut::from(&hex(eip8(), "auth2")[..]);
        input[position] ^= change;
        let step = Recipient::new(&listener, Legacy::Accept).read_auth(&mut input);
        prop_assert!(!matches!(step, Ok(Step::Done(_))));
    }
}
