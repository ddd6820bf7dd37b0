//! Ready-made subprotocols for [`peermux`].
//!
//! Each subprotocol has its own folder. All use only the public API, so they are also examples.
//!
//! | protocol | what it does | codes |
//! |---|---|---|
//! | [`echo`] | returns each request's bytes | 2 |
//! | [`bench`](mod@bench) | measures throughput and round trips | 8 |
//! | [`chat`] | carries lines of text to all peers | 3 |
//! | [`eth`] | exchanges handshakes with Ethereum's nodes and requests headers | 17, 18 |
//!
//! [`gossip`] is not a subprotocol. It uses [`peermux::comm`] to spread messages to all identities
//! of a network.
//!
//! Each protocol has one handle for a whole node, which is cheap to clone. Register a clone with
//! [`ServerBuilder::protocol`](peermux::ServerBuilder::protocol) and keep one in the application:
//!
//! ```
//! use peermux::{SecretKey, Server};
//! use peermux_protocols::echo::{self, Echo};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let key = || SecretKey::generate();
//! let listener = Server::builder(key())
//!     .listen("127.0.0.1:0".parse()?)
//!     .protocol(Echo::new(echo::Config::default()))
//!     .start()
//!     .await?;
//!
//! let echo = Echo::new(echo::Config::default());
//! let dialer = Server::builder(key()).protocol(echo.clone()).start().await?;
//! let peer = dialer.dial(&listener.enode()).await?;
//! let took = echo.client(&peer).await?.round_trip("hello").await?;
//! println!("echoed after {took:?}");
//! # Ok(())
//! # }
//! ```
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]
#![forbid(unsafe_code)]

pub mod bench;
pub mod chat;
mod client;
pub mod echo;
pub mod eth;
pub mod gossip;
mod mutex;

pub use client::{ClientError, Totals};

/// Returns the maximum size in bytes of a message that this node makes for `peer`. The limit is
/// `most`; for a peer whose address is not a loopback address it is at most `for_strangers`.
fn most_for(peer: &peermux::Peer, most: usize, for_strangers: usize) -> usize {
    let is_stranger = |addr: std::net::SocketAddr| !addr.ip().is_loopback();
    if peer.remote_addr().is_some_and(is_stranger) {
        most.min(for_strangers)
    } else {
        most
    }
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
