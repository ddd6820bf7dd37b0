//! `eth/68`, `eth/69` and `eth/70`, the protocol of Ethereum's nodes, without a chain behind it: what
//! crawlers, relays and test tools need.
//!
//! Peers tell each other first which chain they are on; those of another chain are refused. Then they
//! announce blocks and transactions, which become [`Event`]s, and ask each other for headers. Requests
//! for bodies, receipts and transactions are answered with nothing.
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
//! | 0x08 | NewPooledTransactionHashes | `[types, [size, …], [hash, …]]` | transactions that can be asked for |
//! | 0x09 | GetPooledTransactions | `[id, [hash, …]]` | answered with PooledTransactions |
//! | 0x0a | PooledTransactions | `[id, [transaction, …]]` | |
//! | 0x0f | GetReceipts | `[id, [hash, …]]`, in `eth/70` `[id, first receipt, [hash, …]]` | answered with Receipts |
//! | 0x10 | Receipts | `[id, [[receipt, …], …]]`, in `eth/70` `[id, incomplete, [[receipt, …], …]]` | |
//! | 0x11 | BlockRangeUpdate | `[earliest, latest, latest hash]` | from `eth/69` on: which blocks the sender has |
//!
//! A message has up to [`MAX_MESSAGE`] bytes. Hashes, sizes and ranges have to make sense by
//! themselves, or the peer ends with
//! [`BREACH_OF_PROTOCOL`](peermux::DisconnectReason::BREACH_OF_PROTOCOL); headers, blocks and transactions are
//! not verified. How a peer ends that is refused at the beginning, [`HandshakeError`] says.
//!
//! An application that does not take its [`Events`] holds the peers up, until they end as
//! stalled; one that does not want them drops them.
//!
//! The specification is [`caps/eth.md`](https://github.com/ethereum/devp2p/blob/master/caps/eth.md), and for what
//! the versions do not share EIPs [5793](https://eips.ethereum.org/EIPS/eip-5793),
//! [7642](https://eips.ethereum.org/EIPS/eip-7642) and [7975](https://eips.ethereum.org/EIPS/eip-7975).
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
/// The versions that are spoken here.
pub const VERSIONS: RangeInclusive<u64> = 68..=70;
/// The most bytes that a message may have: 10 MiB, as in other implementations.
pub const MAX_MESSAGE: usize = 10 << 20;
/// The most headers in one response.
pub const MAX_HEADERS: usize = 1024;
/// About the most bytes in a response with headers that this side sends: 2 MiB, as is recommended.
pub const MAX_RESPONSE: usize = 2 << 20;
