//! Finds nodes, and is found, by [Node Discovery
//! v5](https://github.com/ethereum/devp2p/blob/master/discv5/discv5.md).
//!
//! The crate [`discv5`](https://docs.rs/discv5), which other clients use in production, implements
//! the protocol. This module adds the node's key and record, a socket that other protocols share,
//! and an interface with the types of this crate.
//!
//! ```
//! # tokio_test::block_on(async {
//! use std::sync::Arc;
//!
//! use peermux::discv5::{Discv5, Discv5Config, Sockets};
//! use peermux::{NodeRecord, SecretKey};
//! use tokio::net::UdpSocket;
//!
//! let start = async |bootnodes: Vec<NodeRecord>| {
//!     let key = SecretKey::generate();
//!     let socket = UdpSocket::bind("127.0.0.1:0").await?;
//!     let addr = socket.local_addr()?;
//!     let record = NodeRecord::builder(1).ip(addr.ip()).udp(addr.port()).sign(&key)?;
//!     let discovery = Discv5::builder(key, record.clone())
//!         .config(Discv5Config::default().with_private_networks(true))
//!         .bootnodes(bootnodes)
//!         .talk("greeting", |talk| async move { [b"hello ", &talk.request[..]].concat() })
//!         .start(Sockets::one(Arc::new(socket))?)
//!         .await?;
//!     Ok::<_, Box<dyn std::error::Error>>((discovery, record))
//! };
//! let ((_ann, _), record) = start(vec![]).await?;
//! let ((ben, _), _) = start(vec![record.clone()]).await?;
//! let answer = ben.talk(&record, "greeting", b"Ann").await?;
//! assert_eq!(answer, b"hello Ann");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! # Bans and rate limits of the crate
//! The crate's lists of banned nodes and addresses are shared by the whole process, so this module
//! bans no node. The crate's limit of packets per second stays off: it bans an address for an hour,
//! although anybody may have forged that address, and it would also drop packets of Discovery v4 on
//! the same socket.

mod builder;
mod config;
mod error;
mod events;
mod handle;
mod nodes;
mod record;
mod talk;

pub use builder::{Discv5Builder, Sockets};
pub use config::Discv5Config;
pub use error::Discv5Error;
pub use events::{Discv5Events, Frame, Observed};
pub use handle::Discv5;
pub use nodes::Nodes;
pub use talk::Talk;

#[cfg(test)]
mod tests;
