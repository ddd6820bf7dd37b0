//! A node: it listens and dials, decides whom it wants, and runs its peers.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use peermux::{Protocol, SecretKey, Server};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let protocol = Protocol::builder("mirror", 1, 1).run(|_peer, mut conn| async move {
//!     while let Some(message) = conn.recv().await? {
//!         conn.send(&message).await?;
//!     }
//!     Ok(())
//! });
//! let server = Server::builder(SecretKey::generate())
//!     .listen("127.0.0.1:0".parse()?)
//!     .protocol(protocol)
//!     .start()
//!     .await?;
//! println!("listening as {}", server.enode());
//!
//! let peer = server.dial(&"enode://…@192.0.2.1:30303".parse()?).await?;
//! println!("connected to {}", peer.full_name());
//! server.shutdown(Duration::from_secs(5)).await?;
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "addrbook")]
mod address_book;
mod builder;
mod config;
mod connections;
mod dial;
mod error;
mod events;
mod gate;
mod gated_dialer;
mod handle;
mod listener;
mod memory;
mod net_list;
mod node_addr;
mod node_dialer;
mod peer_set;
mod run_peer;
mod setup;
mod socket;
mod socket_io;
mod source;
mod static_nodes;
mod tie_break;
mod waiters;

pub use builder::ServerBuilder;
pub use config::ServerConfig;
pub use error::{DialError, ShutdownTimedOut, StartError, StaticNodeError};
pub use events::ConnectionEvent;
pub use handle::Server;
pub use memory::NodeMemory;
pub use net_list::{NetList, NetListError};
pub use node_dialer::NodeDialer;
pub use socket::SocketOptions;
pub use source::{NodeSource, Wanted};
