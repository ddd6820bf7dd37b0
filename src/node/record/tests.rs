use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::node::SecretKey;

fn key() -> SecretKey {
    SecretKey::from_bytes(&[7; 32]).unwrap()
}

fn endpoint_of(build: impl FnOnce(NodeRecordBuilder) -> NodeRecordBuilder) -> Option<String> {
    let record = build(NodeRecord::builder(1)).sign(&key()).unwrap();
    record.endpoint().map(|endpoint| endpoint.to_string())
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn the_address_with_the_wider_scope_wins() {
    let ordered = [
        ("0.0.0.0", "[::]"),
        ("127.0.0.1", "[::1]"),
        ("169.254.1.1", "[fe80::1]"),
        ("192.168.1.1", "[fd00::1]"),
        ("203.0.113.5", "[2a01::1]"),
    ];
    for (rank4, (v4, _)) in ordered.iter().enumerate() {
        for (rank6, (_, v6)) in ordered.iter().enumerate() {
            let expected = if rank6 > rank4 { v6 } else { v4 };
            let both = |builder: NodeRecordBuilder| {
                builder
                    .ip(ip(v4))
                    .ip(ip(v6.trim_matches(['[', ']'])))
                    .tcp(3)
                    .udp(3)
            };
            assert_eq!(endpoint_of(both), Some(format!("{expected}:3")));
        }
    }
}

#[test]
fn ports_fit_the_address() {
    let ports = |b: NodeRecordBuilder| b.tcp(4).udp(5).tcp6(6).udp6(7);
    assert_eq!(
        endpoint_of(|b| ports(b).ip(ip("1.1.1.1"))).unwrap(),
        "1.1.1.1:4?discport=5"
    );
    assert_eq!(
        endpoint_of(|b| ports(b).ip(ip("2a01::1"))).unwrap(),
        "[2a01::1]:6?discport=7"
    );
    // A port of more than 16 bits counts as absent.
    assert_eq!(
        endpoint_of(|b| ports(b).ip(ip("2a01::1")).value("tcp6", &70_000u32)).unwrap(),
        "[2a01::1]:4?discport=7"
    );
    assert_eq!(endpoint_of(|b| b.ip(ip("1.1.1.1"))).unwrap(), "1.1.1.1:0");
}

#[test]
fn unusable_addresses_count_as_absent() {
    assert_eq!(endpoint_of(|b| b.tcp(3).udp(3)), None);
    assert_eq!(endpoint_of(|b| b.ip(ip("224.0.0.1")).tcp(3)), None);
    assert_eq!(endpoint_of(|b| b.ip(ip("ff02::1")).tcp(3)), None);
    assert_eq!(
        endpoint_of(|b| b.ip(ip("224.0.0.1")).ip(ip("::1")).tcp(3).udp(3)).unwrap(),
        "[::1]:3"
    );
    // An IPv4 address inside `ip6` counts as IPv4, so the ports of IPv4 apply to it.
    let mapped = ip("::ffff:1.1.1.1");
    let IpAddr::V6(mapped) = mapped else { panic!() };
    assert_eq!(
        endpoint_of(|b| b.value("ip6", &&mapped.octets()[..]).tcp(3).udp(3).tcp6(4)).unwrap(),
        "1.1.1.1:3"
    );
}

#[test]
fn a_change_raises_the_sequence_number() {
    let first = NodeRecord::builder(9)
        .tcp(3)
        .value("x", &1u8)
        .sign(&key())
        .unwrap();
    let second = first.update().unwrap().remove("x").sign(&key()).unwrap();
    assert_eq!(second.seq(), 10);
    assert_eq!(second.get::<u16>("tcp"), Some(3));
    assert_eq!(second.get::<u8>("x"), None);
    let last = NodeRecord::builder(u64::MAX).sign(&key()).unwrap();
    assert_eq!(last.update().unwrap_err(), RecordError::SequenceExhausted);
}

#[test]
fn a_record_that_is_too_long_is_rejected() {
    let record = |bytes: usize| {
        NodeRecord::builder(1)
            .value("zz", &vec![1u8; bytes])
            .sign(&key())
    };
    assert_eq!(record(175).unwrap().encode().len(), MAX_RECORD);
    assert_eq!(
        record(176),
        Err(RecordError::TooLong {
            got: MAX_RECORD + 1,
            limit: MAX_RECORD
        })
    );
}

#[test]
fn every_flipped_bit_is_noticed() {
    let record = NodeRecord::builder(1).tcp(3).sign(&key()).unwrap();
    let bytes = record.encode();
    for bit in 0..8 * bytes.len() {
        let mut changed = bytes.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(NodeRecord::decode(&changed).is_err(), "bit {bit}");
    }
}

proptest! {
    #[test]
    fn text_and_bytes_round_trip(
        seq: u64,
        pairs in prop::collection::btree_map(
            prop::collection::vec(any::<u8>(), 0..6),
            prop::collection::vec(any::<u8>(), 0..12),
            0..6,
        ),
    ) {
        let mut builder = NodeRecord::builder(seq);
        for (key, value) in pairs {
            builder = builder.value(key, &value);
        }
        let record = builder.sign(&key()).unwrap();
        prop_assert_eq!(record.public_key(), &key().public_key());
        prop_assert_eq!(NodeRecord::decode(&record.encode()), Ok(record.clone()));
        prop_assert_eq!(record.to_string().parse(), Ok(record));
    }
}
