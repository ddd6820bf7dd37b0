//! Raw messages, and typed ones that [`messages!`](crate::messages) defines.

mod encoded;
mod macros;
#[expect(clippy::module_inception, reason = "the file of the type")]
mod message;
#[doc(hidden)]
pub mod payload;
mod request;

pub use encoded::Encoded;
pub(crate) use message::Breach;
pub use message::{Message, MessageError, WireMessage};
pub use request::{Request, RequestMessages, Response, Role};
