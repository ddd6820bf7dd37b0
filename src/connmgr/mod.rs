//! The connection manager.

mod backoff;
mod builder;
mod claims;
mod config;
mod connection;
mod dialer;
mod dials;
mod driver;
mod error;
mod events;
mod filter;
mod handle;
mod listener;
mod machine;
mod manager;
mod notices;
mod request;
mod slots;
mod source;
mod token_bucket;

pub use backoff::Backoff;
pub use builder::{Built, ConnManagerBuilder};
pub use config::ConnConfig;
pub use connection::{Connection, Lease};
pub use dialer::{Dialer, TcpDialer};
pub use error::{CloseReason, ConfigError, DialError, ManagerError, Refusal};
pub use events::{ConnEvent, ConnEvents};
pub use filter::{AllowAll, DialFilter, Filter};
pub use handle::{ConnHandle, Request};
pub use listener::Listener;
pub use manager::ConnManager;
pub use request::{
    Address, Candidate, ConnState, Count, Counts, Key, Kind, Reconnect, ReqId, RequestInfo,
    RetryPolicy,
};
pub use source::AddressSource;
pub use token_bucket::Rate;
