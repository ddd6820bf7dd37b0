//! Values in the messages of all versions.

use peermux::rlp::Raw;
use peermux::{Bytes, MessageError, RlpValue};

use super::Hash;

/// A block's hash and number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, RlpValue)]
pub struct BlockId {
    /// The block's hash.
    pub hash: Hash,
    /// The block's number.
    pub number: u64,
}

/// A whole block, as chains without proof of stake broadcast it.
#[derive(Debug, Clone, PartialEq, Eq, RlpValue)]
pub struct Block {
    /// The RLP list of the header, the transactions and the ommers.
    pub block: Raw,
    /// The sum of all difficulties up to this block.
    pub total_difficulty: u128,
}

/// Transactions that can be requested; entry `i` of each list describes transaction `i`.
#[derive(Debug, Clone, PartialEq, Eq, RlpValue)]
pub struct PooledHashes {
    /// The types of the transactions, one byte each.
    pub types: Bytes,
    /// The sizes of the transactions in bytes.
    pub sizes: Vec<u32>,
    /// The hashes of the transactions.
    pub hashes: Vec<Hash>,
}

impl PooledHashes {
    pub(super) fn check(&self, code: u64) -> Result<(), MessageError> {
        let count = self.hashes.len();
        if self.types.len() != count || self.sizes.len() != count {
            return Err(MessageError::NotAllowed {
                code,
                rule: "there are as many types and sizes as hashes",
            });
        }
        Ok(())
    }
}

/// The blocks whose bodies and receipts a node has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, RlpValue)]
pub struct BlockRange {
    /// The number of the first block.
    pub earliest: u64,
    /// The number of the last block.
    pub latest: u64,
    /// The hash of the last block.
    pub latest_hash: Hash,
}

impl BlockRange {
    /// Checks whether the range can exist. The error is the rule that the range breaks.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        if self.earliest > self.latest {
            return Err("the earliest block is not after the latest");
        }
        if self.latest_hash.is_zero() {
            return Err("the latest block has a hash");
        }
        Ok(())
    }
}
