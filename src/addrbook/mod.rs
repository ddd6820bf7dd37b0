//! Whom we know: addresses to dial, and what is remembered of the nodes behind them.
//!
//! ```text
//!   AddressBook ── Clone handle: short lock, no await ──┐
//!                                                       ├─ Book    addresses in buckets   ┐ pure: time and
//!   Persistence ── one task: batches of changes ────────┤  NodeDb  records and bans       ┘ randomness are
//!        │ spawn_blocking                               ┘                                   arguments
//!      Store ── RedbStore (a file) · MemoryStore
//! ```
//!
//! [`AddressBook`] is what an application holds. It knows no sockets: the one who dials takes an
//! address with [`AddressBook::draw`], which marks the attempt, and reports
//! [`good`](AddressBook::good) after the handshake or [`failed`](AddressBook::failed).
//!
//! # Buckets
//!
//! Whoever fills a book with addresses of its own gets all the connections of the node that draws
//! from it. So a place in the book depends on where an address is and who told of it:
//!
//! - An address that somebody told of is **new**. 1024 buckets hold 64 new addresses each. All that
//!   the sources of one [`Group`] tell reaches 64 of the buckets, and what they tell of one group
//!   just one. An address can be in up to eight of them, each further one being half as likely.
//! - An address that a handshake has proved is **tried**. 64 buckets hold 256 tried addresses each,
//!   and the addresses of one group reach eight of them.
//! - Which buckets these are depends on a secret of the book, so that nobody can aim at one.
//! - A full new bucket drops its bad entries or, if there are none, the one seen longest ago. In a
//!   full tried bucket nothing gives way untested: the older entry is offered for a
//!   [probe](Book::probe) and keeps its place if it answers.
//!
//! A node has one entry, and so has a host and port; a handshake decides between two claims. A
//! node at a DNS name is grouped by the name's last two parts. Names are taken from our own side
//! only and never looked up by the book.
//!
//! # On disk
//!
//! The store is [`redb`](https://docs.rs/redb): one file, no threads of its own, written in Rust,
//! with a stable file format, and maintained. A commit is a transaction of copy-on-write pages with
//! checksums, so a process or machine that dies at any moment leaves the last commit intact. A
//! log-structured database such as `fjall` buys write rates that a book does not need with many
//! files and background threads, and SQLite or LMDB bring a C library. The rows carry a format
//! version of their own.
//!
//! A file that is not what was written gives [`StoreError::Damaged`] and is renamed, one that a
//! newer version wrote gives [`StoreError::Newer`] and is left alone; neither is ever deleted.
//! An empty file is a new one.
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
//! let key = SecretKey::random(&mut rand::rng()).public_key();
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
