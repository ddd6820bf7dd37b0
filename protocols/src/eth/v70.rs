//! `eth/70`, where the receipts of a block can arrive in parts.
//!
//! See [EIP-7975](https://eips.ethereum.org/EIPS/eip-7975).

use peermux::messages;
use peermux::rlp::Raw;

use super::version::{status_with_blocks, version};
use super::{
    Block, BlockId, BlockRange, ForkId, Hash, Header, HeadersQuery, MAX_HEADERS, PooledHashes,
    Status,
};

messages! {
    /// The messages of `eth/70`.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum Eth70, length = 18, max_size = super::MAX_MESSAGE, max_memory = super::MAX_MESSAGE {
        /// The first message of each side.
        #[rlp(max_size = "1 KiB")]
        0x00 => Status {
            /// The version: 70.
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
        0x0f => GetReceipts {
            /// How many receipts of the first block to leave out.
            first_receipt: u64,
            /// The blocks.
            blocks: Vec<Hash>,
        } -> Receipts,
        /// A list of receipts for each block.
        0x10 => Receipts {
            /// Whether receipts are missing at the end of the last list.
            incomplete: bool,
            /// The lists.
            receipts: Vec<Raw>,
        },
        /// The range of blocks that the sender now has.
        0x11 => BlockRangeUpdate(BlockRange),
    }
}

version!(Eth70, 70, requests70, BlockRangeUpdate);

status_with_blocks!(Eth70);

fn no_receipts() -> Receipts {
    Receipts {
        incomplete: false,
        receipts: Vec::new(),
    }
}
