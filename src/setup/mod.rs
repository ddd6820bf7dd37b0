//! Sets up a connection: auth and ack, then Hello both ways, as one-way steps.
//!
//! ```text
//!   stream ──initiate / accept──▶ Authenticated ──exchange_hello──▶ Established ──▶ driver
//!                                      │ refuse(reason)                  │ refuse(reason)
//! ```
//!
//! None of these steps has a deadline. The caller sets one for all of them, as
//! [`Server`](crate::Server) does.

mod authenticated;
#[cfg(debug_assertions)]
mod debug_build;
mod direction;
mod error;
mod established;
#[cfg(feature = "serde")]
mod failure_info;
mod handshake;
mod link;
mod turns;
mod wire;

pub use authenticated::Authenticated;
pub use direction::Direction;
pub use error::SetupError;
pub use established::{Established, Joined};
#[cfg(feature = "serde")]
pub use failure_info::FailureInfo;
pub use handshake::{ReceivedAuth, accept, initiate, receive_auth};
pub(crate) use handshake::{initiate_in_turn, receive_auth_in_turn};

pub(crate) use error::breach_reason;
pub(crate) use turns::Turns;
pub(crate) use wire::{DISCONNECT_TIMEOUT, LINGER_BYTES, Wire, drain};
