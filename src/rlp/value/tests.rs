use std::fmt::Debug;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate as here;
use crate::rlp::{Decodable, Encodable, Rlp, RlpError, RlpStream, RlpValue, check_exact};

fn refused<T: RlpValue + Debug>(payload: &[u8]) -> String {
    let payload = Bytes::copy_from_slice(payload);
    T::from_rlp(&payload).unwrap_err().to_string()
}

fn round_trip<T: RlpValue + Debug + PartialEq>(value: &T) -> Bytes {
    let payload = value.to_rlp();
    assert_eq!(T::from_rlp(&payload).as_ref(), Ok(value));
    assert!(value.rlp_size() + 8 >= payload.len(), "{value:?}");
    payload
}

/// Checks that this module and the `rlp` crate encode a value identically.
fn as_the_crate<T: RlpValue + Encodable + Debug + PartialEq>(value: &T) {
    assert_eq!(round_trip(value), crate::rlp::encode(value), "{value:?}");
}

/// Checks that canonical input decodes as in the `rlp` crate, and other input fails.
fn read_as_the_crate<T: RlpValue + Decodable + Debug + PartialEq>(bytes: &[u8]) {
    let payload = Bytes::copy_from_slice(bytes);
    let crates = match check_exact(bytes) {
        Ok(()) => Rlp::new(bytes).as_val::<T>().ok(),
        Err(_) => None,
    };
    assert_eq!(T::from_rlp(&payload).ok(), crates, "{bytes:x?}");
}

#[derive(Debug, Clone, PartialEq, RlpValue)]
#[rlp(crate = here)]
struct Header {
    parent: [u8; 32],
    #[rlp(max = 4)]
    extra: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, RlpValue)]
#[rlp(crate = here)]
struct Later {
    r#type: u8,
    #[rlp(optional)]
    fee: Option<u64>,
    #[rlp(optional)]
    root: Option<[u8; 4]>,
    #[rlp(optional, max = 2)]
    items: Option<Vec<u64>>,
}

#[derive(Debug, PartialEq, RlpValue)]
#[rlp(crate = here)]
struct Both<T, const N: usize>(T, [T; N]);

#[derive(Debug, PartialEq, RlpValue)]
#[rlp(crate = here, transparent)]
struct Name(String);

#[derive(Debug, PartialEq, RlpValue)]
#[rlp(crate = here)]
struct Nothing;

/// A list that may contain another list of the same type.
#[derive(Debug, PartialEq, RlpValue)]
#[rlp(crate = here)]
struct Nested(Option<Box<Nested>>);

#[test]
fn records_are_lists_of_their_fields() {
    let both = Both(
        Name("a".to_owned()),
        [Name("b".to_owned()), Name("c".to_owned())],
    );
    assert_eq!(round_trip(&both)[..], [0xc4, b'a', 0xc2, b'b', b'c']);
    assert_eq!(round_trip(&Nothing)[..], [0xc0]);
    assert_eq!(round_trip(&())[..], [0xc0]);
    assert_eq!(
        refused::<Nothing>(&[0xc1, 0x05]),
        "the RLP list has too few or too many elements"
    );
    assert_eq!(
        round_trip(&Nested(Some(Box::new(Nested(None)))))[..],
        [0xc3, 0xc2, 0xc1, 0xc0]
    );
}

#[test]
fn errors_contain_the_path() {
    let header = |parent: &[u8], extra: &[u8]| {
        (
            Bytes::copy_from_slice(parent),
            Bytes::copy_from_slice(extra),
        )
    };
    let headers = vec![header(&[7; 32], b"1234"), header(&[7; 31], b"")].to_rlp();
    let error = Vec::<Header>::from_rlp(&headers).unwrap_err();
    assert_eq!(error.path(), "[1].parent");
    assert_eq!(
        error.problem(),
        RlpError::Bytes {
            wanted: 32,
            count: 31
        }
    );
    let headers = (5u8, vec![header(&[7; 32], b"12345")]).to_rlp();
    assert_eq!(
        refused::<(u8, Vec<Header>)>(&headers),
        "1[0].extra: at most 4 items or bytes are allowed, not 5"
    );
    assert_eq!(
        refused::<Header>(&[0xc0]),
        "parent: the RLP list has too few or too many elements"
    );
    assert_eq!(
        refused::<Later>(&[0xc1, 0xc0]),
        "type: RLP value is not a byte string"
    );
    assert_eq!(
        refused::<(u8, u16)>(&(0u8, 257u16, 1u8).to_rlp()),
        "the RLP list has too few or too many elements"
    );
}

#[test]
fn optional_fields_at_the_end_may_be_omitted() {
    let later = |fee, root, items: Option<&[u64]>| Later {
        r#type: 2,
        fee,
        root,
        items: items.map(<[_]>::to_vec),
    };
    assert_eq!(round_trip(&later(None, None, None))[..], [0xc1, 2]);
    assert_eq!(round_trip(&later(Some(0), None, None))[..], [0xc2, 2, 0x80]);
    assert_eq!(
        round_trip(&later(Some(7), None, Some(&[9])))[..],
        [0xc5, 2, 7, 0x80, 0xc1, 9]
    );
    // The type of `fee` is a number, so it accepts the empty string as 0.
    let gap = later(None, Some([1; 4]), None).to_rlp();
    assert_eq!(gap[..], [0xc7, 2, 0x80, 0x84, 1, 1, 1, 1]);
    assert_eq!(
        Later::from_rlp(&gap),
        Ok(later(Some(0), Some([1; 4]), None))
    );
    // The last field here is `root`, whose type does not accept the empty string.
    assert_eq!(
        refused::<Later>(&[0xc3, 2, 7, 0x80]),
        "root: expected a byte string of 4 bytes, got 0"
    );
    assert_eq!(
        refused::<Later>(&[0xc7, 2, 7, 0x80, 0xc3, 1, 2, 3]),
        "items: at most 2 items or bytes are allowed, not 3"
    );
    let more = [0xca, 2, 7, 0x84, 1, 1, 1, 1, 0xc1, 3, 4];
    assert_eq!(
        refused::<Later>(&more),
        "the RLP list has too few or too many elements"
    );
}

#[test]
fn numbers_must_fit_their_width() {
    assert_eq!(
        refused::<u8>(&[0x82, 1, 0]),
        "the number does not fit into 8 bits"
    );
    assert_eq!(
        refused::<u16>(&[0x83, 1, 0, 0]),
        "the number does not fit into 16 bits"
    );
    assert_eq!(
        refused::<u64>(&[0x89, 1, 0, 0, 0, 0, 0, 0, 0, 0]),
        "the number does not fit into 64 bits"
    );
    assert_eq!(refused::<bool>(&[0x02]), "a boolean is 0 or 1");
    assert_eq!(refused::<String>(&[0x81, 0xff]), "the text is not UTF-8");
}

#[test]
fn byte_strings_share_the_payload_and_others_do_not() {
    let payload = (Bytes::from_static(b"0123"), b"4567".to_vec()).to_rlp();
    let (shared, copied) = <(Bytes, Vec<u8>)>::from_rlp(&payload).unwrap();
    assert!(payload.as_ptr_range().contains(&shared.as_ptr()));
    assert!(!payload.as_ptr_range().contains(&copied.as_ptr()));
}

#[test]
fn lists_are_limited_to_their_number() {
    let three = vec![1u16, 2, 3];
    assert_eq!(round_trip(&[1u16, 2, 3]), round_trip(&three));
    assert_eq!(
        refused::<[u16; 2]>(&three.to_rlp()),
        "expected a list of 2 items, got 3"
    );
    let bounded = Bounded::<_, 3>::new(three.clone()).unwrap();
    assert_eq!(round_trip(&bounded), three.to_rlp());
    assert_eq!(bounded.len(), 3);
    let too_many = "at most 2 items or bytes are allowed, not 3";
    assert_eq!(refused::<Bounded<Vec<u16>, 2>>(&three.to_rlp()), too_many);
    assert_eq!(refused::<Bounded<Box<String>, 2>>(b"\x83abc"), too_many);
    assert_eq!(
        refused::<Bounded<Option<Bytes>, 2>>(b"\xc4\x83abc"),
        too_many
    );
    assert!(Bounded::<_, 2>::new(three).is_err());
}

#[test]
fn addresses_encode_as_their_bytes() {
    let (v4, v6) = (Ipv4Addr::new(10, 0, 0, 1), Ipv6Addr::LOCALHOST);
    assert_eq!(round_trip(&v4), round_trip(&IpAddr::V4(v4)));
    assert_eq!(round_trip(&v6), round_trip(&IpAddr::V6(v6)));
    assert_eq!(
        refused::<IpAddr>(&[5; 1]),
        "an IP address has 4 or 16 bytes"
    );
}

#[test]
fn values_stay_within_the_memory_limit() {
    // Each item takes one byte in the payload and 32 in memory.
    let empties = vec![Bytes::new(); 1 << 20].to_rlp();
    let limit = (4 << 20) + 8 * empties.len();
    let error = Vec::<Bytes>::from_rlp(&empties).unwrap_err();
    assert_eq!(error.problem(), RlpError::Memory { limit });
    // The same payload fits as numbers, and so does a payload of fewer items.
    assert!(Vec::<u64>::from_rlp(&empties).is_ok());
    assert!(Vec::<Bytes>::from_rlp(&vec![Bytes::new(); 1 << 16].to_rlp()).is_ok());
    // The memory of nested lists is added up.
    let nested = vec![vec![String::new(); 1 << 10]; 1 << 10].to_rlp();
    assert!(matches!(
        Vec::<Vec<String>>::from_rlp(&nested).unwrap_err().problem(),
        RlpError::Memory { .. }
    ));
}

#[test]
fn nesting_is_bounded_before_anything_is_read() {
    let deep = (0..100).fold(Nested(None), |inner, _| Nested(Some(Box::new(inner))));
    let error = Nested::from_rlp(&deep.to_rlp()).unwrap_err();
    assert_eq!(error.problem(), RlpError::TooDeep);
}

#[test]
fn raw_values_keep_their_encoding() {
    let payload = (5u8, vec![String::new()], Bytes::from_static(b"cat")).to_rlp();
    let items = Vec::<Raw>::from_rlp(&payload).unwrap();
    let encoded: Vec<_> = items.iter().map(Raw::as_bytes).collect();
    assert_eq!(encoded, [&[5][..], &[0xc1, 0x80], b"\x83cat"]);
    assert!(
        payload
            .as_ptr_range()
            .contains(&items[2].as_bytes().as_ptr())
    );
    assert_eq!(round_trip(&items), payload);
    assert_eq!(Raw::of(&5u8), items[0]);
    assert_eq!(Raw::new(vec![0x81, 5]), Err(RlpError::NotShortest));
    assert_eq!(Raw::new(vec![5, 5]), Err(RlpError::Trailing(1)));
}

#[test]
fn foreign_types_are_values_in_a_wrapper() {
    let values = (Foreign(300usize), Foreign(vec![1u8, 2]));
    assert_eq!(round_trip(&values)[..], [0xc6, 0x82, 1, 44, 0x82, 1, 2]);
    assert_eq!(
        refused::<Foreign<usize>>(&[0xc0]),
        "RLP value is not a byte string"
    );
}

/// Encodes a list with the `rlp` crate.
fn list_by_the_crate(items: &[String]) -> Vec<u8> {
    let mut stream = RlpStream::new();
    stream.append_list::<String, _>(items);
    stream.out().to_vec()
}

proptest! {
    #[test]
    fn values_encode_as_in_the_crate(
        (a, b, c, d, e) in any::<(u8, u16, u32, u64, u128)>(),
        shift in 0u32..128,
        flag: bool,
        text: String,
        bytes: Vec<u8>,
        texts in prop::collection::vec(any::<String>(), 0..80),
    ) {
        as_the_crate(&a);
        as_the_crate(&(b >> (shift % 16)));
        as_the_crate(&(c >> (shift % 32)));
        as_the_crate(&(d >> (shift % 64)));
        as_the_crate(&(e >> shift));
        as_the_crate(&flag);
        as_the_crate(&text);
        as_the_crate(&Bytes::from(bytes.clone()));
        as_the_crate(&Box::new(d));
        as_the_crate(&flag.then_some(text.clone()));
        as_the_crate(&bytes);
        prop_assert_eq!(round_trip(&texts), list_by_the_crate(&texts));
        let mut stream = RlpStream::new_list(4);
        stream.append(&d).append_list::<String, _>(&texts).append(&text);
        stream.append_raw(&list_by_the_crate(&texts), 1);
        let tuple = (d, texts.clone(), text, texts);
        prop_assert_eq!(round_trip(&tuple), stream.out());
    }

    #[test]
    fn any_bytes_decode_as_in_the_crate(
        bytes in prop::collection::vec(any::<u8>(), 0..20),
        short in prop::collection::vec(prop_oneof![Just(0xc0u8), Just(0xc1), Just(0x80), Just(0), Just(1), Just(0x82)], 0..5),
    ) {
        for bytes in [bytes, short] {
            read_as_the_crate::<u8>(&bytes);
            read_as_the_crate::<u16>(&bytes);
            read_as_the_crate::<u64>(&bytes);
            read_as_the_crate::<u128>(&bytes);
            read_as_the_crate::<bool>(&bytes);
            read_as_the_crate::<String>(&bytes);
            read_as_the_crate::<Vec<u8>>(&bytes);
            read_as_the_crate::<Bytes>(&bytes);
            read_as_the_crate::<Option<u8>>(&bytes);
        }
    }

    #[test]
    fn decoded_payloads_encode_to_the_same_bytes(
        bytes in prop::collection::vec(prop_oneof![Just(0xc0u8), Just(0x80), 0u8..4, 0xc0..0xc8u8, 0x80..0x88u8], 0..24),
    ) {
        type Items = Vec<(u8, Vec<Option<String>>, Bytes)>;
        let payload = Bytes::from(bytes);
        if let Ok(items) = Items::from_rlp(&payload) {
            prop_assert_eq!(items.to_rlp(), payload.clone());
        }
        if let Ok(later) = Later::from_rlp(&payload) {
            prop_assert_eq!(later.to_rlp(), payload);
        }
    }
}
