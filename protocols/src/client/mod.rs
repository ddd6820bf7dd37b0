//! The parts that the clients of `echo` and `bench` share.

mod error;
mod question;
mod registry;

pub use error::{ClientError, Totals};
pub(crate) use question::Question;
pub(crate) use registry::{Connection, Registry};
