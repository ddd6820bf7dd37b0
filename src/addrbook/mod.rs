//! The known nodes: addresses to dial, records of nodes, and bans.
//!
//! ```text
//!   AddressBook ── Clone handle: short lock, no await ──┐
//!                                                       ├─ Book    addresses in buckets   ┐ pure: time and
//!   Persistence ── one task: batches of changes ────────┤  NodeDb  records and bans       ┘ randomness are
//!        │ spawn_blocking                               ┘                                   arguments
//!      Store ── RedbStore (a file) · MemoryStore
//! ```
//!
//! An application holds an [`AddressBook`], which uses no sockets. The dialler takes an address
//! with [`AddressBook::draw`], which marks the attempt. The dialler then reports
//! [`good`](AddressBook::good) after the handshake, or [`failed`](AddressBook::failed).
//!
//! # Buckets
//!
//! An attacker who fills a book with chosen addresses gets all connections of the node that uses
//! the book. So the place of an address in the book depends on the address and its source:
//!
//! - An address that a source reported is **new**. 1024 buckets hold 64 new addresses each. The
//!   sources of one [`Group`] reach 64 of these buckets; with addresses that belong to one group,
//!   they reach only one of the 64. An address can be in up to eight buckets. If it is in n
//!   buckets, a report from another source adds it to one more with a chance of 1 in 2n.
//! - An address that a handshake has proved is **tried**. 64 buckets hold 256 tried addresses each,
//!   and the addresses of one group reach eight of them.
//! - A secret of the book determines which buckets these are, so that an attacker cannot aim at a
//!   certain bucket.
//! - A full new bucket drops its bad entries or, if there are none, the entry that was seen longest
//!   ago. A full tried bucket drops a bad entry. If there is none, its oldest entry is offered for a
//!   [probe](Book::probe), and keeps its place if the node answers.
//!
//! There is at most one entry for a node, and at most one for a host and port; a handshake decides
//! between addresses that conflict. The group of a node at a DNS name is given by the name's last
//! two parts. Names are accepted only from [`Source::Own`], and the book never looks them up.
//!
//! # On disk
//!
//! The store is [`redb`](https://docs.rs/redb): one file, no threads of its own, written in Rust,
//! with a stable file format, and maintained. A commit is a transaction of copy-on-write pages with
//! checksums, so a process or machine that dies at any moment leaves the last commit intact. A
//! log-structured database such as `fjall` pays with many files and background threads for write
//! rates that a book does not need, and SQLite or LMDB would bring in a C library. The rows have
//! their own format version.
//!
//! A damaged file causes [`StoreError::Damaged`] and is renamed. A file of a newer version causes
//! [`StoreError::Newer`] and is left unchanged. Neither file is ever deleted. An empty file counts
//! as a new one.
//!
//! # Example
//!
//! ```
//! use peermux::addrbook::{AddressBook, AddressBookConfig, Source, SystemClock, StoreError};
//! use peermux::{Enode, SecretKey};
//! use tokio_util::sync::CancellationToken;
//!
//! # async fn example(directory: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
//! let path = directory.join("addresses.redb");
//! let clock = SystemClock::new();
//! let config = AddressBookConfig::default();
//! let (book, persistence) = match AddressBook::open(&path, config.clone(), clock.clone()).await {
//!     Err(error @ StoreError::Damaged { .. }) => {
//!         eprintln!("{error}; starting with an empty address book");
//!         AddressBook::open(&path, config, clock).await?
//!     }
//!     opened => opened?,
//! };
//! let stop = CancellationToken::new();
//! let writer = tokio::spawn(persistence.run(stop.clone().cancelled_owned()));
//!
//! let key = SecretKey::generate().public_key();
//! let enode = Enode::new(key, ([9, 9, 9, 9], 30303).into());
//! book.add(&enode, Source::Own)?;
//! assert_eq!(book.draw(|_| true), Some(enode.clone()));
//! book.good(&enode)?;
//!
//! stop.cancel();
//! writer.await??;
//! # Ok(())
//! # }
//! # let directory = std::env::temp_dir().join(format!("peermux-doc-{}", std::process::id()));
//! # std::fs::create_dir_all(&directory).unwrap();
//! # let runtime = tokio::runtime::Runtime::new().unwrap();
//! # runtime.block_on(example(&directory)).unwrap();
//! # std::fs::remove_dir_all(directory).unwrap();
//! ```

mod book;
mod buckets;
mod config;
mod contest;
mod draw;
mod entry;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod handle;
mod keyed;
mod nodes;
mod persistence;
mod rows;
mod score;
mod shared;
mod store;
mod time;
mod tried;
mod unsaved;

#[cfg(test)]
mod tests;

pub use crate::node::{Group, Reach};
pub use book::{Added, Book};
pub use config::{AddError, BookConfig};
pub use entry::{Entry, Source};
pub use handle::{AddressBook, AddressBookConfig, BookSizes};
pub use nodes::{Ban, BanTarget, KnownNode, NodeDb, NodeDbConfig};
pub use persistence::{FlushError, Persistence};
pub use score::Score;
pub use store::{Change, MemoryStore, RedbStore, Row, Store, StoreError, Table};
pub use time::{Clock, SteadyClock, SystemClock};
pub use tried::Promotion;
