//! Keeps a node connected: decides what to dial, when to retry, and what to accept.
//!
//! A manager holds a number of *automatic* connections to addresses from a source, maintains
//! *permanent* ones, and dials *one-shot* ones. It also accepts connections from listeners. The
//! manager reports every connection to its owner in one ordered stream of events, and speaks no
//! protocol. It works with any types of address, [`Dialer`] and stream, and needs no other part of
//! this crate.
//!
//! ```
//! use peermux::connmgr::{ConnConfig, ConnEvent, ConnManager, RetryPolicy, TcpDialer};
//! use tokio::net::TcpListener;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! let own_addr = listener.local_addr()?;
//! let config = ConnConfig::default().with_target(0);
//! let (manager, handle, mut events) = ConnManager::builder(TcpDialer)
//!     .config(config)
//!     .listener(listener)
//!     .build()?;
//! let task = tokio::spawn(manager.run());
//!
//! // The manager connects to itself, since there is no other node here.
//! handle.connect_permanent(own_addr, RetryPolicy::default()).await?;
//! for _ in 0..2 {
//!     if let Some(ConnEvent::Opened { io, lease }) = events.recv().await {
//!         println!("{} is a {:?} connection with {}", lease.id(), lease.kind(), lease.addr());
//!         // Run a protocol on `io`. Then drop the lease, which reports the end.
//!         lease.mark_ready();
//!         drop((io, lease));
//!     }
//! }
//! handle.stop().await;
//! task.await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Parts
//!
//! A state machine makes the decisions. This state machine knows no socket, task or clock: its
//! inputs are commands and outcomes, its outputs actions. [`ConnManager`] is the task that carries
//! out the actions and owns all connections and requests. [`ConnHandle`] sends commands to the
//! manager, which answers each of them. [`ConnEvents`] is the stream of events. While too many
//! events are unread, the manager neither dials nor accepts, so no event is lost. Each connection
//! comes with its [`Lease`], whose drop *is* the report that the connection ended.
//!
//! # States of a request
//!
//! ```text
//!             ┌──────── failed, or ended: a permanent request ────────┐
//!             ▼                                                       │
//!          Pending ── dial succeeds ──▶ Established ── mark_ready ──▶ Ready
//!           │ ▲  │                           │                         │
//! dial fails│ │  └─ removed ──▶ Canceled     └───────── ends ──────────┴──▶ Disconnected
//!           ▼ │ time comes
//!         Failing            (not permanent: Failed)
//! ```
//!
//! | state | event | next state | effect |
//! |---|---|---|---|
//! | – | a request is made | `Pending` | address and node are claimed |
//! | `Pending` | dial succeeds | `Established` | [`Opened`](ConnEvent::Opened) |
//! | `Pending` | dial fails, permanent | `Failing` | [`DialFailed`](ConnEvent::DialFailed); dialled again after the wait |
//! | `Pending` | dial fails, not permanent, or the address can never be dialled | `Failed`, terminal | `DialFailed`; an automatic slot gets another address |
//! | `Failing` | the wait is over | `Pending` | dialled when a dial slot is free |
//! | `Pending`, `Failing` | `remove`, `disconnect`, stop | `Canceled`, terminal | a dial in flight is dropped |
//! | `Pending`, `Failing` | `disconnect` with [`Reconnect::Force`] | `Pending` | dialled at once |
//! | `Failing` | [`reconsider`](ConnHandle::reconsider), if this side refused the last attempt | `Pending` | dialled as if that attempt had not been made |
//! | `Established` | [`mark_ready`](Lease::mark_ready) | `Ready` | failures are forgotten |
//! | `Established`, `Ready` | connection dropped, `disconnect` | permanent or forced: `Pending`, dialled after a wait; others: `Disconnected`, terminal | [`Closed`](ConnEvent::Closed) |
//! | `Established`, `Ready` | `remove`, [`Reconnect::Never`], stop | `Disconnected`, terminal | `Closed` |
//! | – | a connection is accepted | `Established` | `Opened`, or [`InboundRejected`](ConnEvent::InboundRejected) |
//!
//! A request in a terminal state is forgotten, its id is never reused, and its address becomes
//! free. If a dial succeeds after it was cancelled, the connection is closed and never announced.
//!
//! # Waiting
//!
//! After the n-th failure in a row, a permanent request waits for a random time. This time is drawn
//! uniformly between the base of the request's [`Backoff`] and the smaller of base · 2ⁿ and the
//! cap. Only a connection that its owner marked ready, or that lasted 60 s, resets the failures,
//! because an open socket alone proves nothing.
//!
//! When thousands of requests wait, their dials are batched and delayed by up to half a second,
//! because waking up costs more than a dial.
//!
//! Automatic dials are limited to 8 at once, then 2 a second. After 25 failures in a row the
//! network counts as down. Then one dial at a time probes the network, with growing waits, until a
//! dial succeeds.
//!
//! The total number of dials in flight is limited, and automatic requests take turns with the
//! others. No two requests lead to the same address or node ([`ManagerError::AlreadyManaged`]).
//! Automatic requests avoid the groups of other requests and everything that was dialled within the
//! last 35 s.
//!
//! # Inbound
//!
//! [`admission`] limits unknown remotes. A [`Filter`] checks each accepted connection, and each
//! address before it is dialled.

pub mod admission;
mod backoff;
mod builder;
mod claims;
mod config;
mod dialer;
mod dials;
mod driver;
mod error;
mod events;
mod filter;
mod handle;
mod lease;
mod listener;
mod machine;
mod manager;
mod request;
mod source;
mod token_bucket;

pub use crate::settings::TooSmall;
pub use backoff::Backoff;
pub use builder::{Built, ConnManagerBuilder};
pub use config::ConnConfig;
pub use dialer::{Dialer, TcpDialer};
pub use error::{CloseReason, ConnectError, ManagerError, Refusal};
pub use events::{ConnEvent, ConnEvents};
pub use filter::{AllowAll, DialFilter, Filter};
pub use handle::{ConnHandle, Request};
pub use lease::Lease;
pub use listener::Listener;
pub use manager::ConnManager;
pub use request::{
    Address, Candidate, ConnState, Count, Counts, Family, Key, Kind, Reconnect, ReqId, RequestInfo,
    RetryPolicy,
};
pub use source::AddressSource;
pub(crate) use source::{Answer, DynSource};
pub use token_bucket::Rate;
