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

mod builder;
mod dial;
mod error;
mod handle;
mod listener;
mod peer_set;
mod setup;
mod socket;
mod tie_break;

pub use builder::ServerBuilder;
pub use error::{DialError, ShutdownTimedOut, StartError};
pub use handle::Server;
pub use socket::SocketOptions;
