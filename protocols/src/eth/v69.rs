//! `eth/69`, whose Status contains the range of a node's blocks.
//!
//! See [EIP-7642](https://eips.ethereum.org/EIPS/eip-7642).

use peermux::messages;
use peermux::rlp::Raw;

use super::version::{status_with_blocks, version};
use super::{
    Block, BlockId, BlockRange, ForkId, Hash, Header, HeadersQuery, MAX_HEADERS, PooledHashes,
    Status,
};

messages! {
    /// The messages of `eth/69`.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum Eth69, length = 18, max_size = super::MAX_MESSAGE, max_memory = super::MAX_MESSAGE {
        /// The first message of each side.
        #[rlp(max_size = "1 KiB")]
        0x00 => Status {
            /// The version: 69.
            version: u64,
            /// The network's number.
            network: u64,
            /// The hash of the first block.
            genesis: Hash,
            /// The fork identifier.
            fork_id: ForkId,
            /// The number of the first block whose body and receipts the sender has.
            earliest: u64,
            /// The number of the last block whose body and receipts the sender has.
            latest: u64,
            /// The hash of the last block whose body and receipts the sender has.
            latest_hash: Hash,
        },
        /// New blocks.
        0x01 => NewBlockHashes(Vec<BlockId>),
        /// Transactions that the receiver may not have.
        0x02 => Transactions(Vec<Raw>),
        /// Requests headers.
        0x03 => GetBlockHeaders(HeadersQuery) -> BlockHeaders,
        /// The requested headers that the sender has, starting with the first one.
        0x04 => BlockHeaders(#[rlp(max = MAX_HEADERS)] Vec<Header>),
        /// Requests the bodies of blocks.
        0x05 => GetBlockBodies(Vec<Hash>) -> BlockBodies,
        /// The requested bodies.
        0x06 => BlockBodies(Vec<Raw>),
        /// A new block.
        0x07 => NewBlock(Block),
        /// Transactions that can be requested.
        0x08 => NewPooledTransactionHashes(PooledHashes),
        /// Requests announced transactions.
        0x09 => GetPooledTransactions(Vec<Hash>) -> PooledTransactions,
        /// The requested transactions that the sender has.
        0x0a => PooledTransactions(Vec<Raw>),
        /// Requests the receipts of blocks.
        0x0f => GetReceipts(Vec<Hash>) -> Receipts,
        /// A list of receipts for each block, without their bloom filters.
        0x10 => Receipts(Vec<Raw>),
        /// The range of blocks that the sender now has.
        0x11 => BlockRangeUpdate(BlockRange),
    }
}

version!(Eth69, 69, requests69, BlockRangeUpdate);

status_with_blocks!(Eth69);

fn no_receipts() -> Receipts {
    Receipts(Vec::new())
}
