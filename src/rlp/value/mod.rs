//! Values of messages: how each type is written, read and bounded.

mod bounded;
mod error;
mod foreign;
#[doc(hidden)]
pub mod generated;
mod lists;
mod raw;
mod reader;
mod scalars;
#[cfg(test)]
mod tests;
mod traits;

pub use bounded::Bounded;
pub use error::ValueError;
pub use foreign::Foreign;
pub use raw::Raw;
pub use reader::ValueReader;
pub use traits::{Counted, RlpValue};

pub(crate) use reader::Memory;
