//! Checks each message byte for byte.
//!
//! Messages with an id are the test vectors of [EIP-2481](https://eips.ethereum.org/EIPS/eip-2481).

use std::fmt::Debug;

use peermux::rlp::Raw;
use peermux::{Message, MessageError, WireMessage};

use super::v68::Eth68;
use super::v69::Eth69;
use super::v70::Eth70;
use super::*;

const ID: u64 = 1111;

/// The header in the EIP and the header's hash.
const HEADER: &str = concat!(
    "f901f9",
    "a00000000000000000000000000000000000000000000000000000000000000000",
    "a00000000000000000000000000000000000000000000000000000000000000000",
    "940000000000000000000000000000000000000000",
    "a00000000000000000000000000000000000000000000000000000000000000000",
    "a00000000000000000000000000000000000000000000000000000000000000000",
    "a00000000000000000000000000000000000000000000000000000000000000000",
    "b90100",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "8208ae820d0582115c8215b3821a0a827788",
    "a00000000000000000000000000000000000000000000000000000000000000000",
    "880000000000000000",
);
const HEADER_HASH: &str = "8c2f2af15b7b563b6ab1e09bed0e9caade7ed730aec98b70a993597a797579a9";

/// The transactions in the EIP.
const TRANSACTIONS: [&str; 2] = [
    "f867088504a817c8088302e2489435353535353535353535353535353535353535358202008025a064b1702d9298fee62dfeccc57d322a463ad55ca201256d01f62b45b2e1c21c12a064b1702d9298fee62dfeccc57d322a463ad55ca201256d01f62b45b2e1c21c10",
    "f867098504a817c809830334509435353535353535353535353535353535353535358202d98025a052f8f61201b2b11a78d6e866abc9c3db2ae8631fa656bfe5cb53668255367afba052f8f61201b2b11a78d6e866abc9c3db2ae8631fa656bfe5cb53668255367afb",
];
const HASHES: &str = "f842a000000000000000000000000000000000000000000000000000000000deadc0dea000000000000000000000000000000000000000000000000000000000feedbeef";

fn small(number: u32) -> Hash {
    let mut hash = Hash::default();
    hash.0[28..].copy_from_slice(&number.to_be_bytes());
    hash
}

fn hashes() -> Vec<Hash> {
    vec![small(0xdead_c0de), small(0xfeed_beef)]
}

fn raw(text: &str) -> Raw {
    Raw::new(hex(text)).expect("a value")
}

/// Checks a message against its code and payload.
fn is<M: WireMessage + PartialEq + Debug>(message: &M, code: u64, payload: &str) {
    assert_eq!(message.code(), code, "{message:?}");
    assert_eq!(message.encode(), hex(payload), "{message:?}");
    let decoded = M::decode(Message::new(code, hex(payload)));
    assert_eq!(decoded.as_ref(), Ok(message));
}

/// Returns the encoding of a hash whose bytes are all equal.
fn item(byte: &str) -> String {
    format!("a0{}", byte.repeat(32))
}

#[test]
fn status() {
    let (one, two) = (Hash([1; 32]), Hash([2; 32]));
    let fork_id = ForkId::new(0xdead_beef, 0xbadd_cafe);
    let (one_rlp, two_rlp) = (item("01"), item("02"));
    let old = Eth68::Status {
        version: 68,
        network: 1,
        total_difficulty: 58_750_000_000_000_000_000_000,
        head: two,
        genesis: one,
        fork_id,
    };
    let text = format!("f85a44018a0c70d808a128d7380000{two_rlp}{one_rlp}ca84deadbeef84baddcafe");
    is(&old, 0, &text);
    let new = Eth69::Status {
        version: 69,
        network: 11_155_111,
        genesis: one,
        fork_id,
        earliest: 0,
        latest: 5,
        latest_hash: two,
    };
    let text = format!("f8544583aa36a7{one_rlp}ca84deadbeef84baddcafe8005{two_rlp}");
    is(&new, 0, &text);
    let newest = Eth70::Status {
        version: 70,
        network: 11_155_111,
        genesis: one,
        fork_id,
        earliest: 0,
        latest: 5,
        latest_hash: two,
    };
    is(&newest, 0, &text.replacen("45", "46", 1));
    let large = Eth69::decode(Message::new(0, vec![0x80; 1025]));
    assert!(matches!(large, Err(MessageError::TooLarge { .. })));
}

/// Checks the messages that all versions share.
macro_rules! shared {
    ($version:ident, $messages:ident) => {{
        use super::$version::*;
        let get = |start| {
            let (limit, skip) = (5, 5);
            let query = HeadersQuery {
                start,
                limit,
                skip,
                reverse: false,
            };
            $messages::GetBlockHeaders(ID, GetBlockHeaders(query))
        };
        let by_hash =
            "e8820457e4a000000000000000000000000000000000000000000000000000000000deadc0de050580";
        is(&get(Start::Hash(hashes()[0])), 3, by_hash);
        is(&get(Start::Number(9999)), 3, "ca820457c682270f050580");
        let header = Header::from_rlp(&hex(HEADER)).expect("a header");
        let headers = $messages::BlockHeaders(ID, BlockHeaders(vec![header]));
        is(&headers, 4, &format!("f90202820457f901fc{HEADER}"));
        let two_hashes = format!("f847820457{HASHES}");
        let bodies = $messages::GetBlockBodies(ID, GetBlockBodies(hashes()));
        is(&bodies, 5, &two_hashes);
        let transactions = format!("f8d2{}{}", TRANSACTIONS[0], TRANSACTIONS[1]);
        let body = format!("f902d3{transactions}f901fc{HEADER}");
        let bodies = $messages::BlockBodies(ID, BlockBodies(vec![raw(&body)]));
        is(&bodies, 6, &format!("f902dc820457f902d6{body}"));
        let pooled = $messages::GetPooledTransactions(ID, GetPooledTransactions(hashes()));
        is(&pooled, 9, &two_hashes);
        let all: Vec<_> = TRANSACTIONS.iter().map(|one| raw(one)).collect();
        let pooled = $messages::PooledTransactions(ID, PooledTransactions(all.clone()));
        is(&pooled, 0x0a, &format!("f8d7820457{transactions}"));
        is(&$messages::Transactions(all), 2, &transactions);

        let block = BlockId {
            hash: Hash([1; 32]),
            number: 7,
        };
        let one = item("01");
        is(
            &$messages::NewBlockHashes(vec![block]),
            1,
            &format!("e3e2{one}07"),
        );
        let block = format!("f902d3f901f9{}{transactions}c0", &HEADER[6..]);
        let block = Block {
            block: raw(&block.replacen("f902d3", "f902d1", 1)),
            total_difficulty: 1 << 70,
        };
        let text = block
            .block
            .as_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"));
        let text = text.collect::<String>();
        is(
            &$messages::NewBlock(block),
            7,
            &format!("f902de{text}89400000000000000000"),
        );
        let announced = PooledHashes {
            types: hex("0203"),
            sizes: vec![1, 300],
            hashes: hashes(),
        };
        let announced = $messages::NewPooledTransactionHashes(announced);
        is(&announced, 8, &format!("f84c820203c40182012c{HASHES}"));
    }};
}

#[test]
fn messages_of_all_versions() {
    shared!(v68, Eth68);
    shared!(v69, Eth69);
    shared!(v70, Eth70);
}

#[test]
fn receipts_and_ranges_of_each_version() {
    let asked = format!("f847820457{HASHES}");
    is(
        &Eth68::GetReceipts(ID, v68::GetReceipts(hashes())),
        0x0f,
        &asked,
    );
    is(
        &Eth69::GetReceipts(ID, v69::GetReceipts(hashes())),
        0x0f,
        &asked,
    );
    let receipts = || vec![raw("c20180"), raw("c0")];
    let answered = "c8820457c4c20180c0";
    is(
        &Eth68::Receipts(ID, v68::Receipts(receipts())),
        0x10,
        answered,
    );
    is(
        &Eth69::Receipts(ID, v69::Receipts(receipts())),
        0x10,
        answered,
    );
    let part = v70::GetReceipts {
        first_receipt: 300,
        blocks: hashes(),
    };
    let asked = format!("f84a82045782012c{HASHES}");
    is(&Eth70::GetReceipts(ID, part), 0x0f, &asked);
    let part = v70::Receipts {
        incomplete: true,
        receipts: receipts(),
    };
    is(&Eth70::Receipts(ID, part), 0x10, "c982045701c4c20180c0");

    let range = BlockRange {
        earliest: 0,
        latest: 300,
        latest_hash: Hash([1; 32]),
    };
    let text = format!("e58082012c{}", item("01"));
    is(&Eth69::BlockRangeUpdate(range), 0x11, &text);
    is(&Eth70::BlockRangeUpdate(range), 0x11, &text);
    let unknown = Eth68::decode(Message::new(0x11, hex(&text)));
    assert_eq!(unknown, Err(MessageError::UnknownCode { code: 0x11 }));
}

#[test]
fn a_header_is_decoded_up_to_its_number() {
    let header = Header::from_rlp(&hex(HEADER)).expect("a header");
    assert_eq!((header.number(), header.parent()), (3333, Hash::default()));
    assert_eq!(header.hash(), hash(HEADER_HASH));
    assert_eq!(header.as_bytes(), &hex(HEADER));
    // Additional or missing fields make no difference.
    let parent = item("05");
    for rest in ["", "80", "c0"] {
        let length = 33 + 8 + 3 + rest.len() / 2 - 1;
        let text = format!("{:02x}{parent}80808080808080820d05{rest}", 0xc0 + length);
        let header = Header::from_rlp(&hex(&text)).expect("a header");
        assert_eq!((header.number(), header.parent()), (3333, Hash([5; 32])));
    }
    for wrong in [
        "80",
        "c0",
        "c105",
        &format!("e1{parent}"),
        &format!("e9{parent}80808080808080c0"),
    ] {
        assert!(Header::from_rlp(&hex(wrong)).is_err(), "{wrong}");
    }
}

#[test]
fn a_received_header_shares_the_memory_of_its_message() {
    let payload = hex(&format!("f90202820457f901fc{HEADER}"));
    let start = payload.as_ptr() as usize;
    let place = start..start + payload.len();
    let decoded = Eth70::decode(Message::new(4, payload));
    let Ok(Eth70::BlockHeaders(ID, headers)) = decoded else {
        panic!("{decoded:?}");
    };
    assert!(place.contains(&(headers.0[0].as_bytes().as_ptr() as usize)));
}

#[test]
fn a_start_is_a_number_or_a_hash() {
    for wrong in [
        "c0",
        "820005",
        "89010000000000000000",
        &format!("9f{}", "01".repeat(31)),
    ] {
        assert!(Start::from_rlp(&hex(wrong)).is_err(), "{wrong}");
    }
    assert_eq!(Start::from_rlp(&hex("80")), Ok(Start::Number(0)));
}

#[test]
fn a_response_contains_no_more_headers_than_fit() {
    let header = format!("eb{}80808080808080820d05", item("05"));
    let header = Header::from_rlp(&hex(&header)).expect("a header");
    let of = |count| v70::BlockHeaders(vec![header.clone(); count]);
    let decoded = |count| {
        let payload = Eth70::BlockHeaders(ID, of(count)).encode();
        Eth70::decode(Message::new(4, payload))
    };
    assert!(decoded(MAX_HEADERS).is_ok());
    let error = decoded(MAX_HEADERS + 1).expect_err("too many");
    assert!(error.to_string().contains("at most 1024"), "{error}");
}
