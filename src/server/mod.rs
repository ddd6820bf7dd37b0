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
//! // Once, and for ever.
//! let peer = server.dial(&"enode://…@192.0.2.1:30303".parse()?).await?;
//! println!("connected to {}", peer.full_name());
//! server.add_static("enode://…@192.0.2.2:30303".parse()?).await?;
//! server.shutdown(Duration::from_secs(5)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Who is connected
//!
//! | nodes | how they come | dialled again |
//! |---|---|---|
//! | asked for | [`Server::dial`] | no |
//! | static | [`Server::add_static`] | for ever, after growing waits |
//! | dynamic | an [`AddressSource`](crate::connmgr::AddressSource) or a [`NodeStore`] finds them | another one takes the place |
//! | inbound | they dial us | – |
//!
//! The server's [connection manager](crate::connmgr) owns listeners, dials and waits; the server
//! decides and runs the peers. Dialled and inbound ones share
//! [`max_peers`](ServerConfig::max_peers) places by the [dial ratio](ServerConfig::dial_ratio): with
//! 50 places and a source, 17 are kept for dialled peers. Static nodes take theirs from these.
//! [Trusted](Server::trust) nodes are exempt from the limits. Now and then a node of which a store
//! is [in doubt](NodeStore::probe) is asked whether it is still there, which makes it no peer.
//!
//! # What a connection passes
//!
//! ```text
//!   dialled                                   inbound
//!   permitted network? banned? connected?     a slot of max_pending, else it waits in the kernel
//!   dialled a moment ago? room?               permitted network? banned? here a moment ago?
//!        │                                    its network's and all set-ups' bounds
//!        └───────────────┬─────────────────────────┘
//!             auth, ack  │  of two simultaneous connections one waits
//!          checkpoint 1  │  banned, too many, connected, itself  → Disconnect instead of Hello
//!                         │  (whether a dialling node is banned or connected: after its Hello, which
//!                         │  proves who it is)
//!                 Hello  │
//!          checkpoint 2  │  no protocol in common, and checkpoint 1 again  → Disconnect
//!                        ▼
//!                      a peer
//! ```
//!
//! What does not get so far is a [`ConnectionEvent`]; what happens to peers is a
//! [`PeerEvent`](crate::PeerEvent). Both feeds are bounded and hold nobody up.
//!
//! # Behind a router
//!
//! A node says in its [record](Server::record) where others reach it: at the address that is
//! [advertised](ServerConfig::with_advertise), or that a router [maps](ServerBuilder::nat) to it, or that it
//! listens on, or that [others see](Server::observed), in this order. [`Nat`] says how a router is asked;
//! a [`Gateway`] is one that maps ports by other means. A mapping lasts 20 minutes and is renewed at half
//! of them; a router that does not answer is asked again after 15 s, later after up to 10 minutes. It is
//! asked for its own address every two minutes, since that may change. Only a
//! [public](crate::node::Reach::Public) address counts. When the server stops, the mapping is ended, for
//! which it waits 2 s.
//!
//! # Other sockets
//!
//! A [`Dialer`](crate::connmgr::Dialer) of [`Enode`](crate::Enode)s takes the place of TCP with
//! [`ServerBuilder::dialer`]: a proxy, a pipe in memory. [`ServerBuilder::listener`] does the same for
//! the other direction.

mod accept;
mod advertised;
mod broadcast;
mod builder;
mod checks;
mod config;
mod connection;
mod dial;
#[cfg(any(feature = "discv4", feature = "discv5"))]
mod discovery;
mod error;
mod events;
mod local_node;
mod mapping;
mod meters;
mod nat;
#[cfg(feature = "serde")]
mod peer_view;
mod protocol_peers;
mod reconfigure;
mod recordings;
#[cfg(feature = "metrics")]
mod sampler;
#[expect(clippy::module_inception, reason = "the file of the type")]
mod server;
mod shared;
mod start;
mod static_nodes;
mod suspend;

pub use advertised::{Advertised, AdvertisedError};
pub use broadcast::{BroadcastError, BroadcastPolicy, BroadcastReport, NotSent, WhenSlow};
pub use builder::ServerBuilder;
pub use checks::{BanInfo, NetList, NetListError, NodeStore, StoreSizes};
pub use config::ServerConfig;
pub use dial::{NodeAddr, NodeDialer};
#[cfg(any(feature = "discv4", feature = "discv5"))]
pub use discovery::Discovery;
pub use error::{
    DialError, DialOutcome, ReconfigureError, ServerFailed, ShutdownTimedOut, StartError,
    StaticNodeError,
};
pub use events::ConnectionEvent;
pub use local_node::EntryError;
pub use nat::{
    Gateway, GatewayError, Nat, NatError, NatNotBuilt, PortMapping, PortProtocol, PortRequest,
};
#[cfg(feature = "serde")]
pub use peer_view::PeerView;
pub use protocol_peers::{PeerChange, ProtocolPeers};
pub use server::Server;
pub use static_nodes::StaticNode;
