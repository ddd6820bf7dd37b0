//! The RLPx transport, without I/O: bytes go in, bytes come out.
//!
//! ```text
//!   Initiator::new ── auth ──▶ Recipient::read_auth ─▶ AuthReceived
//!   Initiator::read_ack ◀── ack ── AuthReceived::answer
//!          │                             │
//!          ▼                             ▼
//!       Session { Egress, Ingress }   Session { Egress, Ingress }
//!                 └── frames ──────────────────────┘
//! ```
//!
//! The handshake is a chain of types: each step consumes the one before, so a session cannot exist
//! without both packets. [`Egress`] seals messages into frames and [`Ingress`] opens them, both in
//! the caller's buffer. [`ReadBuffer`] is such a buffer for the reading side; its memory follows
//! the bytes that arrived, not the sizes that a remote announces.
//!
//! Randomness is an argument, and nothing here uses a clock or a socket.
//! Sources: the [RLPx transport protocol][rlpx], [EIP-8] (the handshake's packet format) and
//! [EIP-706] (Snappy compression).
//!
//! [rlpx]: https://github.com/ethereum/devp2p/blob/master/rlpx.md
//! [EIP-8]: https://eips.ethereum.org/EIPS/eip-8
//! [EIP-706]: https://eips.ethereum.org/EIPS/eip-706

mod binding;
mod ecies;
mod error;
mod frame;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod handshake;
mod mac;
pub mod message_id;
mod read_buffer;
mod secrets;
mod snappy;

pub use binding::ChannelBinding;
pub use error::{FrameError, HandshakeError, MessageIdError, SealError, SnappyError};
#[cfg(feature = "server")]
pub(crate) use frame::Prepared;
pub use frame::{Egress, Frame, Ingress, MAX_FRAME_SIZE, MAX_PAYLOAD, Opened, Pieces, max_payload};
pub use handshake::{
    AuthReceived, HandshakeRandomness, Initiator, Legacy, Recipient, Session, Step,
};
pub use read_buffer::ReadBuffer;

#[cfg(test)]
pub(crate) mod testing;
