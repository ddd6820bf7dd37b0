//! `eth/69`, which says which blocks a node has ([EIP-7642](https://eips.ethereum.org/EIPS/eip-7642)).

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
            /// 69.
            version: u64,
            /// The network's number.
            network: u64,
            /// The hash of the first block.
            genesis: Hash,
            /// The fork identifier.
            fork_id: ForkId,
            /// The number of the first block that the sender has the body and receipts of.
            earliest: u64,
            /// The number of the last one.
            latest: u64,
            /// The hash of the last one.
            latest_hash: Hash,
        },
        /// New blocks.
        0x01 => NewBlockHashes(Vec<BlockId>),
        /// Transactions that the receiver may not have.
        0x02 => Transactions(Vec<Raw>),
        /// Asks for headers.
        0x03 => GetBlockHeaders(HeadersQuery) -> BlockHeaders,
        /// The headers that were asked for, from the first on, as far as the sender has them.
        0x04 => BlockHeaders(#[rlp(max = MAX_HEADERS)] Vec<Header>),
        /// Asks for the bodies of blocks.
        0x05 => GetBlockBodies(Vec<Hash>) -> BlockBodies,
        /// Bodies.
        0x06 => BlockBodies(Vec<Raw>),
        /// A new block.
        0x07 => NewBlock(Block),
        /// Transactions that can be asked for.
        0x08 => NewPooledTransactionHashes(PooledHashes),
        /// Asks for such transactions.
        0x09 => GetPooledTransactions(Vec<Hash>) -> PooledTransactions,
        /// The transactions that were asked for, without those that the sender does not have.
        0x0a => PooledTransactions(Vec<Raw>),
        /// Asks for the receipts of blocks.
        0x0f => GetReceipts(Vec<Hash>) -> Receipts,
        /// A list of receipts for each block, without their bloom filters.
        0x10 => Receipts(Vec<Raw>),
        /// Which blocks the sender has from now on.
        0x11 => BlockRangeUpdate(BlockRange),
    }
}

version!(Eth69, 69, requests69, BlockRangeUpdate);

status_with_blocks!(Eth69);

fn no_receipts() -> Receipts {
    Receipts(Vec::new())
}
