//! `snap/1`: <https://github.com/ethereum/devp2p/blob/master/caps/snap.md>.

use peermux::message::{Request, Response};
use peermux::rlp::Raw;
use peermux::{Bytes, RlpValue, messages};

use super::{ID, Theirs, hash};
use crate::foreign::Foreign;

messages! {
    #[derive(Debug, PartialEq)]
    enum Snap, length = 8, max_size = "10 MiB" {
        0x00 => GetAccountRange { root: [u8; 32], origin: [u8; 32], limit: [u8; 32], bytes: u64 } -> AccountRange,
        0x01 => AccountRange { accounts: Vec<Account>, proof: Vec<Bytes> },
        0x02 => GetStorageRanges { root: [u8; 32], accounts: Vec<[u8; 32]>, origin: Bytes, limit: Bytes, bytes: u64 } -> StorageRanges,
        0x03 => StorageRanges { slots: Vec<Vec<Slot>>, proof: Vec<Bytes> },
        0x04 => GetByteCodes { hashes: Vec<[u8; 32]>, bytes: u64 } -> ByteCodes,
        0x05 => ByteCodes(Vec<Bytes>),
        0x06 => GetTrieNodes { root: [u8; 32], paths: Vec<Vec<Bytes>>, bytes: u64 } -> TrieNodes,
        0x07 => TrieNodes(Vec<Bytes>),
    }
}

#[derive(Debug, PartialEq, RlpValue)]
struct Account {
    hash: [u8; 32],
    /// The account in its slim form. It contains the nonce and the balance, then empty strings for
    /// an empty root and no code.
    body: Raw,
}

#[derive(Debug, PartialEq, RlpValue)]
struct Slot {
    hash: [u8; 32],
    data: Bytes,
}

const BYTES: u64 = 512 << 10;

fn proof() -> Vec<Bytes> {
    vec![Bytes::from_static(&[0xc1, 0x80]), Bytes::new()]
}

pub(super) fn version_1(foreign: &Foreign) {
    let mut theirs = Theirs::start(foreign, "snap/1", 8);
    accounts_and_storage(&mut theirs);
    codes_and_nodes(&mut theirs);
    theirs.end();
}

fn accounts_and_storage(theirs: &mut Theirs) {
    let get = GetAccountRange {
        root: hash(1),
        origin: hash(0),
        limit: hash(255),
        bytes: BYTES,
    };
    theirs.compare("snap/1 GetAccountRange", &get.into_message(ID));
    let account = Account {
        hash: hash(1),
        body: Raw::of(&(5u64, 6u64, Bytes::new(), Bytes::new())),
    };
    let range = AccountRange {
        accounts: vec![account],
        proof: proof(),
    };
    theirs.compare("snap/1 AccountRange", &range.into_message(ID));
    let get = GetStorageRanges {
        root: hash(1),
        accounts: vec![hash(1), hash(2)],
        origin: Bytes::new(),
        limit: Bytes::copy_from_slice(&hash(255)),
        bytes: BYTES,
    };
    theirs.compare("snap/1 GetStorageRanges", &get.into_message(ID));
    let slot = Slot {
        hash: hash(1),
        data: Bytes::from_static(&[5]),
    };
    let ranges = StorageRanges {
        slots: vec![vec![slot], vec![]],
        proof: proof(),
    };
    theirs.compare("snap/1 StorageRanges", &ranges.into_message(ID));
}

fn codes_and_nodes(theirs: &mut Theirs) {
    let get = GetByteCodes {
        hashes: vec![hash(1), hash(2)],
        bytes: BYTES,
    };
    theirs.compare("snap/1 GetByteCodes", &get.into_message(ID));
    let codes = ByteCodes(vec![Bytes::from_static(&[0x60, 0]), Bytes::new()]);
    theirs.compare("snap/1 ByteCodes", &codes.into_message(ID));
    let get = GetTrieNodes {
        root: hash(1),
        paths: vec![vec![Bytes::from_static(&[1]), Bytes::from_static(&[2, 3])]],
        bytes: BYTES,
    };
    theirs.compare("snap/1 GetTrieNodes", &get.into_message(ID));
    let nodes = TrieNodes(vec![Bytes::from_static(&[0xc0]), Bytes::new()]);
    theirs.compare("snap/1 TrieNodes", &nodes.into_message(ID));
}
