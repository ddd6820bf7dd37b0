//! Shared parts of the client handles of `echo` and `bench`.

mod error;
mod question;
mod registry;

pub use error::{ClientError, Totals};
pub(crate) use question::Question;
pub(crate) use registry::{Connection, Registry};
