//! `eth/68`, `eth/69` and `eth/70`: <https://github.com/ethereum/devp2p/blob/master/caps/eth.md>.

use peermux::message::{Request, Response};
use peermux::rlp::{Raw, RlpError, ValueError, ValueReader};
use peermux::{Bytes, BytesMut, RlpValue, messages};

use super::{ID, Theirs, hash};
use crate::foreign::Foreign;

messages! {
    #[derive(Debug, PartialEq)]
    enum Eth68, length = 17, max_size = "10 MiB" {
        0x00 => Status { version: u32, network: u64, difficulty: u128, head: [u8; 32], genesis: [u8; 32], fork: ForkId },
        0x03 => GetHeaders68(Query) -> Headers68,
        0x04 => Headers68(#[rlp(max = 1024)] Vec<Header>),
        0x08 => NewPooledTransactionHashes { types: Bytes, sizes: Vec<u32>, hashes: Vec<[u8; 32]> },
    }
}

messages! {
    #[derive(Debug, PartialEq)]
    enum Eth69, length = 18, max_size = "10 MiB" {
        0x00 => Status(Status),
        0x03 => GetHeaders(Query) -> Headers,
        0x04 => Headers(#[rlp(max = 1024)] Vec<Header>),
        0x05 => GetBodies(#[rlp(max = 1024)] Vec<[u8; 32]>) -> Bodies,
        0x06 => Bodies(#[rlp(max = 1024)] Vec<Body>),
        0x08 => NewPooledTransactionHashes { types: Bytes, sizes: Vec<u32>, hashes: Vec<[u8; 32]> },
        0x11 => BlockRangeUpdate { earliest: u64, latest: u64, hash: [u8; 32] },
    }
}

messages! {
    #[derive(Debug, PartialEq)]
    enum Eth70, length = 18, max_size = "10 MiB" {
        0x00 => Status(Status),
        0x0f => GetReceipts { first: u64, #[rlp(max = 1024)] blocks: Vec<[u8; 32]> } -> Receipts,
        0x10 => Receipts { incomplete: bool, #[rlp(max = 1024)] blocks: Vec<Vec<Receipt>> },
    }
}

/// The Status since `eth/69`.
#[derive(Debug, PartialEq, RlpValue)]
struct Status {
    version: u32,
    network: u64,
    genesis: [u8; 32],
    fork: ForkId,
    earliest: u64,
    latest: u64,
    latest_hash: [u8; 32],
}

#[derive(Debug, PartialEq, RlpValue)]
struct ForkId {
    hash: [u8; 4],
    next: u64,
}

#[derive(Debug, PartialEq, RlpValue)]
struct Query {
    origin: Origin,
    amount: u64,
    skip: u64,
    reverse: bool,
}

/// The first header of a query, as a hash or a number. It is decoded by hand because of its two
/// forms.
#[derive(Debug, PartialEq)]
enum Origin {
    Hash([u8; 32]),
    Number(u64),
}

impl RlpValue for Origin {
    fn rlp_size(&self) -> usize {
        33
    }

    fn write_rlp(&self, out: &mut BytesMut) {
        match self {
            Self::Hash(hash) => hash.write_rlp(out),
            Self::Number(number) => number.write_rlp(out),
        }
    }

    fn read_rlp(from: &mut ValueReader<'_>) -> Result<Self, ValueError> {
        match from.clone().string()?.len() {
            32 => RlpValue::read_rlp(from).map(Self::Hash),
            ..=8 => RlpValue::read_rlp(from).map(Self::Number),
            _ => Err(RlpError::Other("an origin is a hash or a number").into()),
        }
    }
}

#[derive(Debug, PartialEq, RlpValue)]
struct Header {
    parent: [u8; 32],
    uncles: [u8; 32],
    coinbase: [u8; 20],
    state: [u8; 32],
    transactions: [u8; 32],
    receipts: [u8; 32],
    bloom: [u8; 256],
    difficulty: u128,
    number: u64,
    gas_limit: u64,
    gas_used: u64,
    time: u64,
    #[rlp(max = 32)]
    extra: Vec<u8>,
    mix: [u8; 32],
    nonce: [u8; 8],
    #[rlp(optional)]
    base_fee: Option<u64>,
    #[rlp(optional)]
    withdrawals: Option<[u8; 32]>,
    #[rlp(optional)]
    blob_gas_used: Option<u64>,
    #[rlp(optional)]
    excess_blob_gas: Option<u64>,
    #[rlp(optional)]
    parent_beacon: Option<[u8; 32]>,
    #[rlp(optional)]
    requests: Option<[u8; 32]>,
}

#[derive(Debug, PartialEq, RlpValue)]
struct Body {
    /// The transactions. Each is a list, or a byte string that begins with the transaction's type.
    transactions: Vec<Raw>,
    uncles: Vec<Header>,
    #[rlp(optional)]
    withdrawals: Option<Vec<Withdrawal>>,
}

#[derive(Debug, PartialEq, RlpValue)]
struct Withdrawal {
    index: u64,
    validator: u64,
    address: [u8; 20],
    amount: u64,
}

#[derive(Debug, PartialEq, RlpValue)]
struct Receipt {
    kind: u8,
    status: u64,
    cumulative_gas: u64,
    logs: Vec<Log>,
}

#[derive(Debug, PartialEq, RlpValue)]
struct Log {
    address: [u8; 20],
    #[rlp(max = 4)]
    topics: Vec<[u8; 32]>,
    data: Bytes,
}

/// Returns a field of `N` bytes, all zero but the last.
fn last<const N: usize>(byte: u8) -> [u8; N] {
    let mut bytes = [0; N];
    bytes[N - 1] = byte;
    bytes
}

/// Returns a header with the fields up to a fork: no fork, London or Prague.
fn header(forks: u8) -> Header {
    let (london, prague) = (forks > 0, forks > 1);
    Header {
        parent: hash(1),
        uncles: hash(2),
        coinbase: [3; 20],
        state: hash(4),
        transactions: hash(5),
        receipts: hash(6),
        bloom: last(7),
        difficulty: 5 << 70,
        number: 1_920_000,
        gas_limit: 30_000_000,
        gas_used: 21_000,
        time: 1_700_000_000,
        extra: b"extra".to_vec(),
        mix: hash(8),
        nonce: last(9),
        base_fee: london.then_some(7),
        withdrawals: prague.then_some(hash(10)),
        blob_gas_used: prague.then_some(0),
        excess_blob_gas: prague.then_some(131_072),
        parent_beacon: prague.then_some(hash(11)),
        requests: prague.then_some(hash(12)),
    }
}

fn query(origin: Origin) -> Query {
    Query {
        origin,
        amount: 192,
        skip: 1,
        reverse: true,
    }
}

fn status(version: u32) -> Status {
    Status {
        version,
        network: 11_155_111,
        genesis: hash(1),
        fork: ForkId {
            hash: [0xed, 0x88, 0xb5, 0xfd],
            next: 1_760_427_360,
        },
        earliest: 0,
        latest: 23_000_000,
        latest_hash: hash(2),
    }
}

/// Returns an announcement of one transaction of each kind.
fn announced() -> (Bytes, Vec<u32>, Vec<[u8; 32]>) {
    let hashes = vec![hash(1), hash(2)];
    (Bytes::from_static(&[0, 2]), vec![127, 131_072], hashes)
}

pub(super) fn version_68(foreign: &Foreign) {
    let mut theirs = Theirs::start(foreign, "eth/68", 5);
    let status = Eth68::Status {
        version: 68,
        network: 1,
        difficulty: 256,
        head: hash(2),
        genesis: hash(1),
        fork: ForkId {
            hash: [0xdc, 0xe9, 0x6c, 0x2d],
            next: 1_710_338_135,
        },
    };
    theirs.compare("eth/68 Status", &status);
    for (name, origin) in [
        ("eth/68 GetBlockHeaders by number", Origin::Number(9_999)),
        ("eth/68 GetBlockHeaders by hash", Origin::Hash(hash(9))),
    ] {
        theirs.compare(name, &GetHeaders68(query(origin)).into_message(ID));
    }
    let headers = Headers68(vec![header(0), header(1), header(2)]);
    theirs.compare("eth/68 BlockHeaders", &headers.into_message(ID));
    let (types, sizes, hashes) = announced();
    let announced = Eth68::NewPooledTransactionHashes {
        types,
        sizes,
        hashes,
    };
    theirs.compare("eth/68 NewPooledTransactionHashes", &announced);
    theirs.end();
}

pub(super) fn version_69(foreign: &Foreign) {
    let mut theirs = Theirs::start(foreign, "eth/69", 8);
    theirs.compare("eth/69 Status", &Eth69::Status(status(69)));
    for (name, origin) in [
        ("eth/69 GetBlockHeaders by number", Origin::Number(9_999)),
        ("eth/69 GetBlockHeaders by hash", Origin::Hash(hash(9))),
    ] {
        theirs.compare(name, &GetHeaders(query(origin)).into_message(ID));
    }
    let headers = Headers(vec![header(0), header(1), header(2)]);
    theirs.compare("eth/69 BlockHeaders", &headers.into_message(ID));
    let bodies = GetBodies(vec![hash(1), hash(2)]);
    theirs.compare("eth/69 GetBlockBodies", &bodies.into_message(ID));
    theirs.compare(
        "eth/69 BlockBodies",
        &bodies_of_both_kinds().into_message(ID),
    );
    let (types, sizes, hashes) = announced();
    let announced = Eth69::NewPooledTransactionHashes {
        types,
        sizes,
        hashes,
    };
    theirs.compare("eth/69 NewPooledTransactionHashes", &announced);
    let update = Eth69::BlockRangeUpdate {
        earliest: 15,
        latest: 16,
        hash: hash(3),
    };
    theirs.compare("eth/69 BlockRangeUpdate", &update);
    theirs.end();
}

/// A legacy transaction.
#[derive(Debug, PartialEq, RlpValue)]
struct Legacy {
    nonce: u64,
    gas_price: u64,
    gas: u64,
    to: [u8; 20],
    value: u64,
    data: Bytes,
    v: u64,
    r: u64,
    s: u64,
}

/// A transaction of EIP-1559, without the leading type.
#[derive(Debug, PartialEq, RlpValue)]
struct Dynamic {
    chain: u64,
    nonce: u64,
    tip: u64,
    fee: u64,
    gas: u64,
    to: [u8; 20],
    value: u64,
    data: Bytes,
    access: Vec<Raw>,
    v: u64,
    r: u64,
    s: u64,
}

/// Returns two bodies: one with an uncle, and one with withdrawals, as in current blocks.
fn bodies_of_both_kinds() -> Bodies {
    let legacy = Raw::of(&Legacy {
        nonce: 1,
        gas_price: 2,
        gas: 21_000,
        to: [3; 20],
        value: 4,
        data: Bytes::from_static(&[5]),
        v: 27,
        r: 6,
        s: 7,
    });
    let dynamic = Dynamic {
        chain: 1,
        nonce: 8,
        tip: 9,
        fee: 10,
        gas: 11,
        to: [3; 20],
        value: 0,
        data: Bytes::new(),
        access: vec![],
        v: 1,
        r: 12,
        s: 13,
    };
    let typed = [&[2][..], &dynamic.to_rlp()].concat();
    let withdrawal = Withdrawal {
        index: 1,
        validator: 2,
        address: [3; 20],
        amount: 4,
    };
    Bodies(vec![
        Body {
            transactions: vec![legacy.clone()],
            uncles: vec![header(0)],
            withdrawals: None,
        },
        Body {
            transactions: vec![legacy, Raw::of(&typed)],
            uncles: vec![],
            withdrawals: Some(vec![withdrawal]),
        },
    ])
}

pub(super) fn version_70(foreign: &Foreign) {
    let mut theirs = Theirs::start(foreign, "eth/70", 3);
    theirs.compare("eth/70 Status", &Eth70::Status(status(70)));
    let get = GetReceipts {
        first: 3,
        blocks: vec![hash(1), hash(2)],
    };
    theirs.compare("eth/70 GetReceipts", &get.into_message(ID));
    let log = Log {
        address: [1; 20],
        topics: vec![hash(2)],
        data: Bytes::from_static(&[3]),
    };
    let receipt = |kind, status, cumulative_gas, logs| Receipt {
        kind,
        status,
        cumulative_gas,
        logs,
    };
    let block = vec![
        receipt(2, 1, 21_000, vec![log]),
        receipt(0, 0, 42_000, vec![]),
    ];
    let receipts = Receipts {
        incomplete: true,
        blocks: vec![block],
    };
    theirs.compare("eth/70 Receipts", &receipts.into_message(ID));
    theirs.end();
}
