//! Discovery for a server: one socket, one record, and sources of nodes to dial.

mod beside;
mod counted;
mod filter;
#[cfg(feature = "discv4")]
mod kept;
#[cfg(feature = "discv5")]
mod refresh;
mod settings;
mod socket;
#[cfg(feature = "discv4")]
mod source;
mod started;

pub use settings::Discovery;

pub(crate) use beside::run;
pub(crate) use socket::{Bound, bind};
pub(crate) use started::{Running, start};
