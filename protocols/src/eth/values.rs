//! What messages of all versions are made of.

use peermux::rlp::Raw;
use peermux::{Bytes, MessageError, RlpValue};

use super::Hash;

/// A block's hash and number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, RlpValue)]
pub struct BlockId {
    /// Its hash.
    pub hash: Hash,
    /// Its number.
    pub number: u64,
}

/// A whole block, as chains without proof of stake pass them on.
#[derive(Debug, Clone, PartialEq, Eq, RlpValue)]
pub struct Block {
    /// The list of its header, transactions and ommers.
    pub block: Raw,
    /// The sum of all difficulties up to this block.
    pub total_difficulty: u128,
}

/// Transactions that can be asked for, each with three values in the same places.
#[derive(Debug, Clone, PartialEq, Eq, RlpValue)]
pub struct PooledHashes {
    /// Their types, a byte each.
    pub types: Bytes,
    /// Their sizes in bytes.
    pub sizes: Vec<u32>,
    /// Their hashes.
    pub hashes: Vec<Hash>,
}

impl PooledHashes {
    pub(super) fn check(&self, code: u64) -> Result<(), MessageError> {
        let count = self.hashes.len();
        match self.types.len() == count && self.sizes.len() == count {
            true => Ok(()),
            false => Err(MessageError::NotAllowed {
                code,
                rule: "there are as many types and sizes as hashes",
            }),
        }
    }
}

/// The blocks of which a node has the bodies and receipts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, RlpValue)]
pub struct BlockRange {
    /// The number of the first one.
    pub earliest: u64,
    /// The number of the last one.
    pub latest: u64,
    /// The hash of the last one.
    pub latest_hash: Hash,
}

impl BlockRange {
    /// Whether there can be such a range: the error is the rule that it breaks.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        if self.earliest > self.latest {
            return Err("the earliest block is not behind the latest");
        }
        match self.latest_hash.is_zero() {
            true => Err("the latest block has a hash"),
            false => Ok(()),
        }
    }
}
