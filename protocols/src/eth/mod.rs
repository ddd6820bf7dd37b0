//! `eth/68`, `eth/69` and `eth/70`, the protocol of Ethereum's nodes.
//!
//! This implementation does not maintain a chain: it is for crawlers, relays and test tools.
//!
//! Each peer first sends which chain it is on; a peer on another chain is refused. After that,
//! peers announce blocks and transactions, and request headers. This node reports the
//! announcements as [`Event`]s. Requests for bodies, receipts and transactions get empty answers.
//!
//! | code | name | payload | meaning |
//! |---|---|---|---|
//! | 0x00 | Status | `[version, network, total difficulty, head, genesis, fork id]`, from `eth/69` on `[version, network, genesis, fork id, earliest, latest, latest hash]` | the first message of each side, sent once |
//! | 0x01 | NewBlockHashes | `[[hash, number], …]` | new blocks |
//! | 0x02 | Transactions | `[transaction, …]` | transactions that the receiver may not have |
//! | 0x03 | GetBlockHeaders | `[id, [number or hash, limit, skip, reverse]]` | answered with BlockHeaders |
//! | 0x04 | BlockHeaders | `[id, [header, …]]` | up to [`MAX_HEADERS`] |
//! | 0x05 | GetBlockBodies | `[id, [hash, …]]` | answered with BlockBodies |
//! | 0x06 | BlockBodies | `[id, [body, …]]` | |
//! | 0x07 | NewBlock | `[[header, transactions, ommers], total difficulty]` | a new block |
//! | 0x08 | NewPooledTransactionHashes | `[types, [size, …], [hash, …]]` | transactions that can be requested |
//! | 0x09 | GetPooledTransactions | `[id, [hash, …]]` | answered with PooledTransactions |
//! | 0x0a | PooledTransactions | `[id, [transaction, …]]` | |
//! | 0x0f | GetReceipts | `[id, [hash, …]]`, in `eth/70` `[id, first receipt, [hash, …]]` | answered with Receipts |
//! | 0x10 | Receipts | `[id, [[receipt, …], …]]`, in `eth/70` `[id, incomplete, [[receipt, …], …]]` | |
//! | 0x11 | BlockRangeUpdate | `[earliest, latest, latest hash]` | from `eth/69` on: which blocks the sender has |
//!
//! A message has at most [`MAX_MESSAGE`] bytes. If announced hashes, sizes or ranges are
//! inconsistent, the peer is disconnected with
//! [`BREACH_OF_PROTOCOL`](peermux::DisconnectReason::BREACH_OF_PROTOCOL). Headers, blocks and
//! transactions are not verified. [`HandshakeError`] lists the disconnect reasons for peers that
//! are refused in the handshake.
//!
//! An application that does not read its [`Events`] stalls its peers, whose connections eventually
//! end as stalled. An application that does not need the events should drop them.
//!
//! The specification is
//! [`caps/eth.md`](https://github.com/ethereum/devp2p/blob/master/caps/eth.md). The differences
//! between the versions are in EIPs [5793](https://eips.ethereum.org/EIPS/eip-5793),
//! [7642](https://eips.ethereum.org/EIPS/eip-7642) and
//! [7975](https://eips.ethereum.org/EIPS/eip-7975).
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use peermux_protocols::eth::{Chain, Eth, ForkFilter, Hash, Head, HeadersQuery};
//!
//! let genesis = Hash::of(b"the first block");
//! let chain = Chain {
//!     network: 7,
//!     forks: ForkFilter::new(genesis).with_blocks([100, 200]),
//!     head: Head::genesis(genesis, 0),
//! };
//! let (ours, _) = Eth::builder(chain.clone()).build();
//! let (theirs, _) = Eth::builder(chain).build();
//! let connected = peermux::testing::connect(ours.protocols(), theirs.protocols()).await?;
//!
//! connected.left.running().await;
//!
//! let id = connected.left.id();
//! let headers = ours.headers(&id, HeadersQuery::from_number(0, 10)).await?;
//! assert!(headers.is_empty(), "it has none");
//! assert_eq!(ours.status(&id).map(|status| status.version), Some(70));
//! # Ok(())
//! # }
//! ```

mod builder;
mod chain;
mod error;
mod event;
mod fork;
mod handshake;
mod hash;
mod header;
mod peers;
mod query;
mod run;
mod store;
#[cfg(test)]
mod tests;
pub mod v68;
pub mod v69;
pub mod v70;
mod values;
mod version;

use std::ops::RangeInclusive;

pub use builder::EthBuilder;
pub use chain::{Chain, Head, Status};
pub use error::HeadersError;
pub use event::{Announced, Announcement, Event, Events};
pub use fork::{ForkError, ForkFilter, ForkId};
pub use handshake::HandshakeError;
pub use hash::Hash;
pub use header::Header;
pub use query::{HeadersQuery, Start};
pub use run::Eth;
pub use values::{Block, BlockId, BlockRange, PooledHashes};

/// The protocol's name.
pub const NAME: &str = "eth";
/// The supported versions.
pub const VERSIONS: RangeInclusive<u64> = 68..=70;
/// Maximum size of a message: 10 MiB, as in other implementations.
pub const MAX_MESSAGE: usize = 10 << 20;
/// Maximum number of headers in one response.
pub const MAX_HEADERS: usize = 1024;
/// Maximum size of the headers in a response that this side sends.
///
/// This is 2 MiB, as the specification recommends. The first header is sent whatever its size.
pub const MAX_RESPONSE: usize = 2 << 20;
