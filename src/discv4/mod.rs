//! Finds nodes, and is found, by [Node Discovery
//! v4](https://github.com/ethereum/devp2p/blob/master/discv4.md), with
//! [EIP-868](https://eips.ethereum.org/EIPS/eip-868) (requests for records).
//!
//! Each node keeps a table of other nodes, arranged by their distance from itself. The distance of
//! two nodes is the exclusive or of their ids. To find the nodes nearest to a target, a lookup asks
//! the nearest nodes that it knows for nearer ones, until no answer contains a nearer node. Pings
//! are answered at a limited rate, and other requests only if the sender has proven its endpoint,
//! so that nobody can flood a third party with our answers.
//!
//! [`Discv4`] is a running node. On a lower level, [`Machine`] takes and returns packets without a
//! socket, and [`packet`] is the codec.
//!
//! ```
//! use peermux::discv4::{Contact, Discv4, Discv4Config};
//! use peermux::{NodeRecord, SecretKey};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A private network on this machine.
//! let config = Discv4Config::default().with_private_networks(true);
//! let mut nodes = Vec::new();
//! let mut seeds = Vec::new();
//! for _ in 0..2 {
//!     let key = SecretKey::generate();
//!     let record = NodeRecord::builder(1).sign(&key)?;
//!     let node = Discv4::builder(key.clone(), record)
//!         .config(config)
//!         .seeds(seeds.clone())
//!         .bind("127.0.0.1:0".parse()?)?;
//!     let addr = node.local_addr().ok_or("a socket of its own")?;
//!     seeds.push(Contact::new(key.public_key(), addr, 0));
//!     nodes.push(node);
//! }
//! // The second one finds the first, which is its seed.
//! let record = nodes[1].resolve(&seeds[0].to_enode()).await?;
//! assert_eq!(record.public_key(), seeds[0].public_key());
//! # Ok(())
//! # }
//! ```

mod bonds;
mod builder;
mod config;
mod contact;
mod distance;
mod driver;
mod error;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod handle;
mod limiter;
mod lookup;
pub mod machine;
mod networks;
pub mod packet;
mod socket;
mod table;
mod walk;

pub use builder::Discv4Builder;
pub use config::Discv4Config;
pub use contact::Contact;
pub use error::Discv4Error;
pub use handle::Discv4;
pub use machine::{Found, LookupDone, Machine, Observation};
pub use socket::{DatagramSender, Inlet, UdpSender};
pub use table::TableEntry;
pub use walk::RandomWalk;

use crate::node::{NodeRecord, SecretKey};

impl Discv4 {
    /// Prepares a node with this key and its own record.
    pub fn builder(key: SecretKey, record: NodeRecord) -> Discv4Builder {
        Discv4Builder::new(key, record)
    }
}

#[cfg(test)]
mod tests;
