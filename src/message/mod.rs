//! What a protocol sends and receives: raw messages, and typed ones that [`messages!`](crate::messages)
//! defines.

#[doc(hidden)]
pub mod fields;
mod macros;
#[expect(clippy::module_inception, reason = "the file of the type")]
mod message;

pub(crate) use message::Breach;
pub use message::{Message, MessageError, WireMessage};
