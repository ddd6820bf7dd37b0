//! Fork identifiers: which chain a node is on, and which forks it has passed.
//!
//! Fork identifiers follow [EIP-2124](https://eips.ethereum.org/EIPS/eip-2124). For forks that
//! happen at a time instead of a block number, they follow
//! [EIP-6122](https://eips.ethereum.org/EIPS/eip-6122).

use std::fmt;

use peermux::rlp::{Encodable, Reader, RlpStream};
use peermux::{NodeRecord, RlpValue};

use super::{Hash, NAME};

/// The start of Ethereum's mainnet in Unix seconds. A [`next`](ForkId::next) above this may be a
/// time; any other value is a block number.
const FIRST_TIME: u64 = 1_438_269_973;

/// A node's fork identifier.
#[derive(Clone, Copy, PartialEq, Eq, Hash, RlpValue)]
pub struct ForkId {
    /// The CRC-32 checksum of the genesis hash and of the passed forks.
    pub checksum: [u8; 4],
    /// The block number or time of the next known fork; 0 for none.
    pub next: u64,
}

impl ForkId {
    /// Makes an identifier; the checksum is a number, as in published tables of forks.
    #[must_use]
    pub fn new(checksum: u32, next: u64) -> Self {
        let checksum = checksum.to_be_bytes();
        Self { checksum, next }
    }
}

impl ForkId {
    /// Returns the fork identifier in a node's record, if there is one.
    ///
    /// The identifier is the entry `eth` ([ENR
    /// entry](https://github.com/ethereum/devp2p/blob/master/enr-entries/eth.md)), which shows a
    /// node's chain before a dial. The entry may be outdated.
    #[must_use]
    pub fn of_record(record: &NodeRecord) -> Option<Self> {
        let (_, value) = record.pairs().find(|(key, _)| *key == NAME.as_bytes())?;
        let mut id = Reader::new(value).list().ok()?.list().ok()?;
        let checksum = id.string().ok()?.try_into().ok()?;
        let next = id.number().ok()?;
        Some(Self { checksum, next })
    }

    /// Returns the value of the entry `eth` in the node's own record.
    ///
    /// Other nodes read it with [`of_record`](Self::of_record). When the head passes a fork, publish
    /// the new identifier with [`Server::set_record_entry`](peermux::Server::set_record_entry).
    ///
    /// ```
    /// use peermux::{SecretKey, Server};
    /// use peermux_protocols::eth::{self, ForkFilter, Hash};
    ///
    /// let id = ForkFilter::new(Hash::of(b"genesis")).id(0, 0);
    /// let builder = Server::builder(SecretKey::generate());
    /// let builder = builder.record_entry(eth::NAME, &id.record_entry());
    /// ```
    #[must_use]
    pub fn record_entry(&self) -> impl Encodable + use<> {
        RecordEntry(*self)
    }
}

/// The identifier as a record's entry.
///
/// The entry is a list, since later versions may add fields after the identifier.
struct RecordEntry(ForkId);

impl Encodable for RecordEntry {
    fn rlp_append(&self, stream: &mut RlpStream) {
        stream.begin_list(1).append_raw(&self.0.to_rlp(), 1);
    }
}

impl fmt::Display for ForkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { checksum, next } = self;
        write!(f, "{:08x}/{next}", u32::from_be_bytes(*checksum))
    }
}

impl fmt::Debug for ForkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ForkId({self})")
    }
}

/// Why two fork identifiers are incompatible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ForkError {
    /// The remote has neither passed nor announced a fork that this side has passed.
    #[error("the remote does not know a fork that this node has passed")]
    RemoteStale,
    /// The chains differ, or the remote passed a fork unknown to this side.
    #[error("the chains differ, or the remote passed a fork that this node does not know")]
    Incompatible,
}

/// Makes and checks the fork identifiers of a chain.
///
/// ```
/// use peermux_protocols::eth::{ForkError, ForkFilter, ForkId, Hash};
///
/// // A chain that has forked at block 100, and will fork again at a time.
/// let forks = ForkFilter::new(Hash::of(b"genesis")).with_blocks([100]).with_times(0, [1_700_000_000]);
/// let (before, ours) = (forks.id(99, 0), forks.id(100, 0));
/// assert_eq!((before.next, ours.next), (100, 1_700_000_000));
/// assert_eq!(forks.check(100, 0, before), Ok(()));
///
/// let stale = ForkId { next: 0, ..before };
/// assert_eq!(forks.check(100, 0, stale), Err(ForkError::RemoteStale));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForkFilter {
    genesis: Hash,
    /// `blocks` and `times` are ascending and without duplicates. They omit forks that are part of
    /// the genesis block.
    blocks: Vec<u64>,
    times: Vec<u64>,
}

impl ForkFilter {
    /// Makes the filter of a chain without forks.
    #[must_use]
    pub fn new(genesis: Hash) -> Self {
        Self {
            genesis,
            blocks: Vec::new(),
            times: Vec::new(),
        }
    }

    /// Sets the block numbers of the chain's forks, in any order.
    ///
    /// Forks at block 0 are part of the genesis block and are ignored.
    #[must_use]
    pub fn with_blocks(mut self, blocks: impl IntoIterator<Item = u64>) -> Self {
        self.blocks = in_order(blocks, 0);
        self
    }

    /// Sets the times of the chain's forks, in Unix seconds and any order.
    ///
    /// Forks up to the time of the genesis block are part of that block and are ignored.
    #[must_use]
    pub fn with_times(mut self, genesis_time: u64, times: impl IntoIterator<Item = u64>) -> Self {
        self.times = in_order(times, genesis_time);
        self
    }

    /// Returns the hash of the chain's first block.
    #[must_use]
    pub fn genesis(&self) -> Hash {
        self.genesis
    }

    /// Returns the identifier of a node whose newest block has this number and time.
    #[must_use]
    pub fn id(&self, block: u64, time: u64) -> ForkId {
        let passed = self.passed(block, time);
        ForkId {
            checksum: self.checksum(passed),
            next: self.fork(passed).unwrap_or(0),
        }
    }

    /// Checks a remote's identifier; `block` and `time` are those of this node's newest block.
    ///
    /// # Errors
    /// [`ForkError`] if the remote's identifier is incompatible with this node's.
    pub fn check(&self, block: u64, time: u64, remote: ForkId) -> Result<(), ForkError> {
        let passed = self.passed(block, time);
        if self.checksum(passed) == remote.checksum {
            // Both nodes have passed the same forks. The remote's next fork must still be in the
            // future here: otherwise this node, which has not passed the fork, is on another chain.
            let by_time = passed >= self.blocks.len() && !self.times.is_empty();
            let here = if by_time { time } else { block };
            let missed = here >= remote.next || (remote.next > FIRST_TIME && time >= remote.next);
            if remote.next > 0 && missed {
                return Err(ForkError::Incompatible);
            }
            return Ok(());
        }
        let all = self.blocks.len().saturating_add(self.times.len());
        let theirs = (0..=all).find(|&count| self.checksum(count) == remote.checksum);
        match theirs {
            // The remote has passed fewer forks than this node, so its next fork must be the one
            // that this node passed next.
            Some(count) if count < passed && self.fork(count) != Some(remote.next) => {
                Err(ForkError::RemoteStale)
            }
            // The remote has passed fewer forks and knows the next one, or the remote has passed
            // more.
            Some(_) => Ok(()),
            None => Err(ForkError::Incompatible),
        }
    }

    fn forks(&self) -> impl Iterator<Item = u64> {
        self.blocks.iter().chain(&self.times).copied()
    }

    fn fork(&self, index: usize) -> Option<u64> {
        self.forks().nth(index)
    }

    /// Returns how many forks come before the first one that a node has not passed.
    fn passed(&self, block: u64, time: u64) -> usize {
        let blocks = self.blocks.iter().map(|&fork| fork <= block);
        let times = self.times.iter().map(|&fork| fork <= time);
        blocks.chain(times).take_while(|&passed| passed).count()
    }

    /// Returns the checksum after this number of forks.
    fn checksum(&self, forks: usize) -> [u8; 4] {
        let genesis = crc32(0, &self.genesis.0);
        let passed = self.forks().take(forks);
        let sum = passed.fold(genesis, |sum, fork| crc32(sum, &fork.to_be_bytes()));
        sum.to_be_bytes()
    }
}

fn in_order(forks: impl IntoIterator<Item = u64>, genesis: u64) -> Vec<u64> {
    let mut forks: Vec<_> = forks.into_iter().filter(|&fork| fork > genesis).collect();
    forks.sort_unstable();
    forks.dedup();
    forks
}

/// Continues a CRC-32 checksum of IEEE 802.3; its bit-reversed polynomial is 0xedb88320.
fn crc32(sum: u32, bytes: &[u8]) -> u32 {
    let step = |sum: u32| (sum >> 1) ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 };
    let with_byte = |sum, &byte: &u8| (0..8).fold(sum ^ u32::from(byte), |sum, _| step(sum));
    !bytes.iter().fold(!sum, with_byte)
}
