//! Ready-made subprotocols for [`peermux`], each in one folder with the same four files, so that
//! they are examples too: they use nothing but the public API.
//!
//! | protocol | what it does | codes |
//! |---|---|---|
//! | [`echo`] | returns each request's bytes | 2 |
//! | [`bench`](mod@bench) | measures throughput and round trips | 8 |
//! | [`chat`] | carries lines of text to all peers | 3 |
//! | [`eth`] | shakes hands with Ethereum's nodes and asks them for headers | 17, 18 |
//!
//! [`gossip`] is no subprotocol of its own but rests on [`peermux::comm`]: it spreads messages to all
//! identities of a network.
//!
//! Each protocol has one cheap handle for a whole node, which is registered with
//! [`ServerBuilder::protocol`](peermux::ServerBuilder::protocol) and kept by the application:
//!
//! ```
//! use peermux::{SecretKey, Server};
//! use peermux_protocols::echo::{self, Echo};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let key = || SecretKey::random(&mut rand::rng());
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

/// How many bytes a message may have that is made for a peer: `for_strangers`, if that is less, unless the
/// peer is of this machine.
fn most_for(peer: &peermux::Peer, most: usize, for_strangers: usize) -> usize {
    let is_stranger = |addr: std::net::SocketAddr| !addr.ip().is_loopback();
    match peer.remote_addr().is_some_and(is_stranger) {
        true => most.min(for_strangers),
        false => most,
    }
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
