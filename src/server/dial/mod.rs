//! Dials nodes: the requests, the sources of nodes, and the dialer.

mod addr;
mod dialer;
#[cfg(feature = "dns")]
mod listed;
mod node_dialer;
mod prober;
mod race;
mod request;
mod routes;
#[cfg(test)]
mod soak;
mod source;
mod waiters;

pub use addr::NodeAddr;
pub use node_dialer::NodeDialer;

pub(crate) use addr::{candidate, node_of};
pub(crate) use dialer::{ServerDialer, open};
pub(crate) use prober::Prober;
pub(crate) use request::{dial, dial_over};
pub(crate) use source::{Mixed, Remembered, nodes_of};
pub(crate) use waiters::Waiters;
