//! Requests and responses, over a protocol of typed messages.
//!
//! A set of [`messages!`](crate::messages) declares which response answers which request.
//! [`Requests`] is one handle for the whole node, and is cheap to clone. The functions in the
//! handle answer the requests of all peers. Any task can use the handle to send requests to one
//! peer, or to [any peer](Requests::any).
//!
//! - Many requests to one peer may be open. Their responses arrive in any order and are matched by
//!   id. A request does not spawn a task.
//! - [`RequestConfig`] sets limits for each peer: open requests, requests answered at a time, and
//!   requests that wait to be answered.
//! - Each request ends with its response, or with a [`RequestError`] that names the peer and the
//!   cause. Dropping a call cancels its request.
//! - The responses of a peer yield an [`Estimate`] of how fast the peer is. The estimate determines
//!   how much to [request](Requests::capacity) from the peer, and whether the peer is
//!   [slow](Requests::is_slow).
//!
//! # Example
//!
//! A key-value store between two nodes:
//!
//! ```
//! use std::collections::HashMap;
//! use std::sync::Arc;
//!
//! use peermux::requests::Requests;
//! use peermux::{Protocol, SecretKey, Server, messages};
//!
//! messages! {
//!     #[derive(Debug, Clone, PartialEq)]
//!     pub enum Store, length = 2 {
//!         /// Requests the values of some keys.
//!         0x00 => Get { #[rlp(max = 100)] keys: Vec<String> } -> Values,
//!         /// Their values, in the same order.
//!         0x01 => Values(#[rlp(max = 100)] Vec<Option<String>>),
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // One node answers.
//! let stored = Arc::new(HashMap::from([("cat", "Tom"), ("mouse", "Jerry")]));
//! let answering = Requests::<Store>::builder()
//!     .answer(move |_peer, get: Get| {
//!         let stored = Arc::clone(&stored);
//!         async move {
//!             let value = |key: String| stored.get(&*key).map(|value| value.to_string());
//!             Ok(Values(get.keys.into_iter().map(value).collect()))
//!         }
//!     })
//!     .build();
//! let answering_node = Server::builder(SecretKey::generate())
//!     .listen("127.0.0.1:0".parse()?)
//!     .protocol(answering.protocol(Protocol::typed("kv", 1)))
//!     .start()
//!     .await?;
//!
//! // The other node asks. Its handle serves all peers, and any task may hold a clone.
//! let asking = Requests::<Store>::new();
//! let asking_node = Server::builder(SecretKey::generate())
//!     .protocol(asking.protocol(Protocol::typed("kv", 1)))
//!     .start()
//!     .await?;
//! let peer = asking_node.dial(&answering_node.enode()).await?;
//!
//! let get = Get { keys: vec!["cat".into(), "dog".into()] };
//! let Values(values) = asking.request(&peer.id(), get).await?;
//! assert_eq!(values, [Some("Tom".into()), None]);
//! # Ok(())
//! # }
//! ```
//!
//! In [`answer`](RequestsBuilder::answer), the types of the function's argument and result select
//! the request. [`Requests::protocol_with`] is for a protocol with further messages.

mod answers;
mod any;
mod builder;
mod config;
mod conn;
mod error;
mod estimate;
mod handle;
mod incoming;
mod messages;
mod registry;
mod remote;
mod serving;
mod slow;
mod stats;

pub use any::AnyPeer;
pub use builder::RequestsBuilder;
pub use config::{RequestConfig, Unasked, WhenOpen};
pub use conn::RequestConn;
pub use error::RequestError;
pub use estimate::Estimate;
pub use handle::{BeforeRequests, Requests};
pub use stats::RequestStats;
