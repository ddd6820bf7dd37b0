use super::{BlockRange, ForkFilter, ForkId, Hash};

/// The chain that a node claims to be on, and its head.
///
/// The node does not need to have any of the chain's blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The network's number: 1 for Ethereum's mainnet.
    pub network: u64,
    /// The genesis block and the forks.
    pub forks: ForkFilter,
    /// The newest block.
    pub head: Head,
}

/// The newest block of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The block's number.
    pub number: u64,
    /// The block's time, in Unix seconds.
    pub time: u64,
    /// The block's hash.
    pub hash: Hash,
    /// The sum of all difficulties up to this block. Only `eth/68` sends it.
    pub total_difficulty: u128,
    /// The number of the first block whose body and receipts the node has. `eth/68` does not send
    /// it.
    pub earliest: u64,
}

impl Head {
    /// Returns the head of a chain that consists only of its first block.
    #[must_use]
    pub fn genesis(hash: Hash, time: u64) -> Self {
        Self {
            number: 0,
            time,
            hash,
            total_difficulty: 0,
            earliest: 0,
        }
    }
}

impl Chain {
    /// Returns the Status that a node on this chain sends.
    #[must_use]
    pub fn status(&self, version: u64) -> Status {
        let head = &self.head;
        let is_old = version < 69;
        Status {
            version,
            network: self.network,
            genesis: self.forks.genesis(),
            fork_id: self.fork_id(),
            head: head.hash,
            total_difficulty: is_old.then_some(head.total_difficulty),
            blocks: (!is_old).then_some((head.earliest, head.number)),
        }
    }

    /// Returns the fork identifier.
    #[must_use]
    pub fn fork_id(&self) -> ForkId {
        self.forks.id(self.head.number, self.head.time)
    }
}

/// A node's first message: a description of itself and its chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The version of the protocol.
    pub version: u64,
    /// The network's number.
    pub network: u64,
    /// The hash of the first block.
    pub genesis: Hash,
    /// The fork identifier.
    pub fork_id: ForkId,
    /// The hash of the newest block.
    pub head: Hash,
    /// In `eth/68`: the sum of all difficulties up to the newest block.
    pub total_difficulty: Option<u128>,
    /// From `eth/69` on: the first and last block whose body and receipts the node has.
    pub blocks: Option<(u64, u64)>,
}

impl Status {
    /// Returns the range of blocks that the node has, from `eth/69` on.
    #[must_use]
    pub fn range(&self) -> Option<BlockRange> {
        let (earliest, latest) = self.blocks?;
        Some(BlockRange {
            earliest,
            latest,
            latest_hash: self.head,
        })
    }
}
