//! A node that listens, dials, selects its peers, and runs them.
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
//! // Dial one node once, and keep a connection to another node.
//! let peer = server.dial(&"enode://…@192.0.2.1:30303".parse()?).await?;
//! println!("connected to {}", peer.full_name());
//! server.add_static("enode://…@192.0.2.2:30303".parse()?).await?;
//! server.shutdown(Duration::from_secs(5)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Kinds of peers
//!
//! | nodes | origin | dialled again |
//! |---|---|---|
//! | requested | [`Server::dial`] | no |
//! | static | [`Server::add_static`] | always, after growing waits |
//! | dynamic | an [`AddressSource`](crate::connmgr::AddressSource) or a [`NodeStore`] finds them | replaced by another node |
//! | inbound | they dial us | – |
//!
//! The server's [connection manager](crate::connmgr) owns the listeners, the dials and the waits
//! between dials; the server checks connections and runs the peers. Dialled and inbound peers share
//! [`max_peers`](ServerConfig::max_peers) seats according to the [dial
//! ratio](ServerConfig::dial_ratio). With 50 seats and a source, 17 are reserved for dialled peers,
//! including static nodes. [Trusted](Server::trust) nodes are exempt from the limits. Occasionally
//! the server tests whether a node that a store [doubts](NodeStore::probe) still answers. Such a
//! test does not make the node a peer.
//!
//! # Checks of a connection
//!
//! ```text
//!   dialled                                   inbound
//!   permitted network? banned? connected?     a slot of max_pending, else it waits in the kernel
//!   dialled a moment ago? room?               permitted network? banned? here a moment ago?
//!        │                                    limits on set-ups, per network and in total
//!        └───────────────┬─────────────────────────┘
//!             auth, ack  │  if both nodes dial each other, one connection waits
//!          checkpoint 1  │  banned, too many, connected, itself  → Disconnect instead of Hello
//!                        │  (inbound: banned and connected only after the Hello, which proves
//!                        │  the node's identity)
//!                 Hello  │
//!          checkpoint 2  │  no protocol in common, and checkpoint 1 again  → Disconnect
//!                        ▼
//!                      a peer
//! ```
//!
//! A [`ConnectionEvent`] reports a connection that produces no peer, and
//! [`PeerEvent`](crate::PeerEvent)s report a peer. Both feeds are bounded and never block the
//! server.
//!
//! # Behind a router
//!
//! A node's [record](Server::record) contains the address at which others reach it. The
//! [advertised](ServerConfig::with_advertise) address takes precedence. The address that a router
//! [maps](ServerBuilder::nat), the listening address, and the address that [others
//! see](Server::observed) follow in this order. [`Nat`] selects the protocol for the router, and a
//! [`Gateway`] maps ports by other means.
//!
//! A mapping lasts 20 minutes and is renewed after 10. If the router does not answer, the server
//! retries after 15 s, and then after growing waits of up to 10 minutes. The server requests the
//! router's external address every two minutes, since that address may change. Only a
//! [public](crate::node::Reach::Public) address is added to the record. When the server stops, it
//! removes the mapping, and waits up to 2 s for the router.
//!
//! # Other sockets
//!
//! [`ServerBuilder::dialer`] replaces TCP by another [`Dialer`](crate::connmgr::Dialer) of
//! [`Enode`](crate::Enode)s, such as a proxy or a pipe in memory. [`ServerBuilder::listener`] adds
//! a listener of any type to the one on the configured address.

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
#[expect(clippy::module_inception, reason = "the file is named after its type")]
mod server;
mod shared;
mod start;
mod static_nodes;
mod suspend;
mod weak;

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
pub use weak::WeakServer;
