//! `eth/68`, which announces transactions with types and sizes.
//!
//! See [EIP-5793](https://eips.ethereum.org/EIPS/eip-5793).

use peermux::messages;
use peermux::rlp::Raw;

use super::version::version;
use super::{
    Block, BlockId, ForkId, Hash, Header, HeadersQuery, MAX_HEADERS, PooledHashes, Status,
};

messages! {
    /// The messages of `eth/68`.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum Eth68, length = 17, max_size = super::MAX_MESSAGE, max_memory = super::MAX_MESSAGE {
        /// The first message of each side.
        #[rlp(max_size = "1 KiB")]
        0x00 => Status {
            /// The version: 68.
            version: u64,
            /// The network's number.
            network: u64,
            /// The sum of all difficulties up to the newest block.
            total_difficulty: u128,
            /// The hash of the newest block.
            head: Hash,
            /// The hash of the first block.
            genesis: Hash,
            /// The fork identifier.
            fork_id: ForkId,
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
        /// A list of receipts for each block.
        0x10 => Receipts(Vec<Raw>),
    }
}

version!(Eth68, 68, requests68);

fn status_message(ours: &Status) -> Eth68 {
    Eth68::Status {
        version: ours.version,
        network: ours.network,
        total_difficulty: ours.total_difficulty.unwrap_or(0),
        head: ours.head,
        genesis: ours.genesis,
        fork_id: ours.fork_id,
    }
}

fn status_of(message: &Eth68) -> Option<Status> {
    let Eth68::Status {
        version,
        network,
        total_difficulty,
        head,
        genesis,
        fork_id,
    } = *message
    else {
        return None;
    };
    Some(Status {
        version,
        network,
        genesis,
        fork_id,
        head,
        total_difficulty: Some(total_difficulty),
        blocks: None,
    })
}

fn no_receipts() -> Receipts {
    Receipts(Vec::new())
}
