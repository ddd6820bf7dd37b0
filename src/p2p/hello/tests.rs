use proptest::prelude::*;

use super::*;
use crate::node::SecretKey;
use crate::rlp::RlpStream;

fn key(seed: u8) -> PublicKey {
    SecretKey::from_bytes(&[seed; 32]).unwrap().public_key()
}

fn hello() -> Hello {
    Hello {
        version: 5,
        client: Bytes::from_static(b"peermux"),
        capabilities: vec![Capability::new("eth", 68), Capability::new("bench", 1)],
        listen_port: 30303,
        public_key: key(1),
    }
}

/// Returns a Hello of elements that are already encoded.
fn raw(elements: &[&[u8]]) -> Vec<u8> {
    let mut stream = RlpStream::new_list(elements.len());
    for element in elements {
        stream.append_raw(element, 1);
    }
    stream.out().to_vec()
}

fn encoded_key(bytes: &[u8]) -> Vec<u8> {
    crate::rlp::encode(&bytes).to_vec()
}

fn with_key(key: &[u8]) -> Result<Hello, HelloError> {
    Hello::decode(&raw(&[&[5], &[0x80], &[0xc0], &[0x80], key]))
}

fn with_capabilities(capabilities: &[u8]) -> Result<Hello, HelloError> {
    let key = encoded_key(&key(1).to_bytes());
    Hello::decode(&raw(&[&[5], &[0x80], capabilities, &[0x80], &key]))
}

#[test]
fn bytes_behind_a_short_list_are_no_elements_of_it() {
    let mut payload = raw(&[&[5], &[0x80], &[0xc0], &[0x80]]);
    payload.extend(encoded_key(&key(1).to_bytes()));
    assert_eq!(
        Hello::decode(&payload),
        Err(HelloError::TooFewElements {
            got: 4,
            expected: 5
        })
    );
}

#[test]
fn the_key_decides_on_the_reason() {
    for (bytes, error, reason) in [
        (vec![1; 63], HelloError::KeyLength { got: 63 }, 0x07),
        (vec![], HelloError::KeyLength { got: 0 }, 0x07),
        (vec![0; 64], HelloError::KeyZero, 0x07),
        (vec![1; 64], HelloError::KeyNotOnCurve, 0x09),
    ] {
        let got = with_key(&encoded_key(&bytes)).unwrap_err();
        assert_eq!(got, error);
        assert_eq!(got.reason(), DisconnectReason(reason));
    }
    let list = with_key(&[0xc0]).unwrap_err();
    assert_eq!(list.reason(), DisconnectReason::BREACH_OF_PROTOCOL);
}

#[test]
fn what_cannot_be_decoded_is_a_breach() {
    let too_long = vec![0xc0; MAX_HELLO + 1];
    for payload in [
        &[][..],
        &[0x80],
        &[0xc0],
        &[0xb8, 0x01, 0x61],
        &[0xf8, 0x01, 0x05],
        &too_long,
    ] {
        let error = Hello::decode(payload).unwrap_err();
        assert_eq!(error.reason(), DisconnectReason::BREACH_OF_PROTOCOL);
        assert_eq!(error.fault(), Fault::Remote);
    }
}

#[test]
fn integers_have_no_leading_zeros() {
    let key = encoded_key(&key(1).to_bytes());
    for integer in [&[0x00][..], &[0x82, 0x00, 0x05], &[0xc0]] {
        assert!(Hello::decode(&raw(&[integer, &[0x80], &[0xc0], &[0x80], &key])).is_err());
        assert!(Hello::decode(&raw(&[&[5], &[0x80], &[0xc0], integer, &key])).is_err());
        let capability = raw(&[&raw(&[b"a", integer])]);
        assert!(with_capabilities(&capability).is_err());
    }
}

#[test]
fn a_capability_is_a_pair() {
    let elements = |index, got| Err(HelloError::CapabilityElements { index, got });
    let good = raw(&[b"a", &[1]]);
    assert_eq!(
        with_capabilities(&raw(&[&good]))
            .unwrap()
            .capabilities
            .len(),
        1
    );
    assert_eq!(with_capabilities(&raw(&[&good, &[0xc0]])), elements(1, 0));
    assert_eq!(with_capabilities(&raw(&[&raw(&[b"a"])])), elements(0, 1));
    assert_eq!(
        with_capabilities(&raw(&[&raw(&[b"a", &[1], &[1]])])),
        elements(0, 3)
    );
    for not_pairs in [&[0x80][..], &[0xc1, 0x01]] {
        assert!(matches!(
            with_capabilities(not_pairs),
            Err(HelloError::Field { .. })
        ));
    }
}

#[test]
fn a_name_that_is_not_utf8_hurts_only_its_own_entry() {
    let list = raw(&[&raw(&[&[0x81, 0xff], &[1]]), &raw(&[b"a", &[1]])]);
    assert_eq!(
        with_capabilities(&list).unwrap().capabilities,
        [Capability::new("a", 1)]
    );
}

#[test]
fn client_text_is_fit_for_a_log() {
    let text = |client: &[u8]| {
        let client = Bytes::copy_from_slice(client);
        Hello { client, ..hello() }.client_text()
    };
    assert_eq!(text(b"Geth/v1.16"), "Geth/v1.16");
    assert_eq!(text(b"a\xff\x1b[31m\n"), "a\u{fffd}\u{fffd}[31m\u{fffd}");
    assert_eq!(text(&[b'x'; 2000]).len(), CLIENT_TEXT);
}

proptest! {
    #[test]
    fn every_hello_returns(
        version: u64,
        client in prop::collection::vec(any::<u8>(), 0..80),
        capabilities in prop::collection::vec(("[ -~]{1,9}", any::<u64>()), 0..12),
        listen_port: u64,
        seed in 1u8..255,
        behind in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        let hello = Hello {
            version,
            client: client.into(),
            capabilities: capabilities
                .into_iter()
                .map(|(name, version)| Capability::new(name, version))
                .collect(),
            listen_port,
            public_key: key(seed),
        };
        let mut payload = hello.encode().to_vec();
        prop_assert!(crate::rlp::check_exact(&payload).is_ok());
        payload.extend(behind);
        prop_assert_eq!(Hello::decode(&payload), Ok(hello));
    }
}

#[test]
fn names_that_no_protocol_can_have_are_left_out() {
    let names: [&[u8]; 7] = [
        b"",
        b"eth",
        b"\x1b[31m",
        "\u{202e}z".as_bytes(),
        b"\xff",
        b"a b~",
        b"\x7f",
    ];
    let mut list = RlpStream::new_list(names.len());
    for name in names {
        list.begin_list(2).append(&name).append(&1u64);
    }
    let hello = with_capabilities(&list.out()).unwrap();
    let left = ["", "eth", "a b~"].map(|name| Capability::new(name, 1));
    assert_eq!(hello.capabilities, left);
}

#[test]
fn a_crowd_of_capabilities_is_a_breach() {
    let listing = |count: usize| {
        let mut list = RlpStream::new_list(count);
        for version in 0..count as u64 {
            list.begin_list(2).append(&"a").append(&version);
        }
        with_capabilities(&list.out())
    };
    assert_eq!(listing(MAX_CAPABILITIES).unwrap().capabilities.len(), 64);
    let error = listing(MAX_CAPABILITIES + 1).unwrap_err();
    assert_eq!(error.reason(), DisconnectReason::BREACH_OF_PROTOCOL);
    assert_eq!(
        error.to_string(),
        "hello lists 65 capabilities, at most 64 are allowed"
    );
}
