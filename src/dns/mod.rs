//! Lists of nodes in the DNS, by [EIP-1459](https://eips.ethereum.org/EIPS/eip-1459).
//!
//! A list consists of TXT records. Its root is at a [`Domain`], is signed, and names the first
//! entries of two trees: one of [node records](crate::NodeRecord), one of links to other lists. The
//! label of each [`Entry`] is the hash of its text, so the root's signature covers all entries, and
//! it does not matter which server answers. A [`Link`] holds the domain of a list and the key that
//! signs it.
//!
//! A [`Client`] reads lists through a [`Resolver`]: [`Client::walk`] finds one node after another,
//! with no more lookups than it needs; [`Client::sync`] reads a whole list. A failure at one name
//! is a [`DnsError`] about that name, and stops nothing else. [`Tree`] makes lists, to be published
//! with any DNS server. No list is built in.
//!
//! ```no_run
//! # #[cfg(feature = "dns-resolver")]
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use peermux::dns::{Client, DnsResolver, Link};
//!
//! let list: Link = "enrtree://AM5FCQLWIZX2QFPNJAP7VUERCCRNGRHWZG3YYHIUV7BVDQ5FDPRT2@nodes.example.org".parse()?;
//! let client = Client::builder(DnsResolver::system()?).build()?;
//! let mut walk = client.walk([list]);
//! while let Some(found) = walk.next().await {
//!     match found {
//!         Ok(node) => println!("{}", node.to_enode()),
//!         Err(error) => eprintln!("{error}"),
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod client;
mod config;
mod domain;
mod entry;
mod error;
mod hash;
#[cfg(feature = "dns-resolver")]
mod hickory;
mod link;
mod list;
mod machine;
mod memory;
mod pass;
mod reader;
mod resolver;
mod root;
mod synced;
#[cfg(test)]
mod tests;
mod tree;
mod walk;

pub use client::{Client, ClientBuilder};
pub use config::Config;
pub use domain::Domain;
pub use entry::Entry;
pub use error::{DnsError, EntryError, LookupError, TreeError};
pub use hash::EntryHash;
#[cfg(feature = "dns-resolver")]
pub use hickory::DnsResolver;
pub use link::Link;
pub use resolver::Resolver;
pub use root::Root;
pub use synced::SyncedTree;
pub use tree::{SignedTree, Tree};
pub use walk::Walk;

/// The maximum length of an entry's text, in bytes.
///
/// An answer that contains an entry must fit into one packet.
pub const MAX_TEXT: usize = 512;
