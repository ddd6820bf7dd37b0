use std::error::Error;
use std::fmt;

use bytes::Bytes;

use crate::rlp::{RlpError, ValueError};
use crate::spare::Spare;

/// A message as it is routed: a code relative to its protocol, and an undecoded payload.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// The code, from 0 to the protocol's length, exclusive.
    pub code: u64,
    /// The payload, uncompressed; a single RLP value by convention, which nothing here looks into.
    ///
    /// A received one of up to 1 KiB shares a chunk of 4 KiB with its neighbours of the same
    /// protocol, as do the [`Bytes`] that a typed message holds: copy what is kept for long.
    pub payload: Bytes,
}

impl Message {
    /// A message of `code` with a payload that is already encoded.
    #[must_use]
    pub fn new(code: u64, payload: impl Into<Bytes>) -> Self {
        Self {
            code,
            payload: payload.into(),
        }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Message {{ code: {:#04x}, {} bytes }}",
            self.code,
            self.payload.len()
        )
    }
}

/// What a [`ProtocolConn`](crate::ProtocolConn) carries: raw [`Message`]s, or an enum made with
/// [`messages!`](crate::messages).
pub trait WireMessage: Sized + Send + 'static {
    /// How many codes the set takes, for typed messages; `None` if the protocol states it.
    const LENGTH: Option<u64>;

    /// The message's code, relative to the protocol.
    fn code(&self) -> u64;

    /// The most bytes that the payload of a message with this code may have, by the protocol's own
    /// word: `max_size` in [`messages!`](crate::messages). A larger one is neither sent nor decoded.
    #[must_use]
    fn max_size(_code: u64) -> usize {
        usize::MAX
    }

    /// The encoded payload.
    fn encode(&self) -> Bytes;

    /// The encoded payload, for a message that goes out at once: it may share memory with others,
    /// which it would keep alive, or use memory that an earlier one has left.
    #[doc(hidden)]
    fn to_payload(&self, _spare: Option<&Spare>) -> Bytes {
        self.encode()
    }

    /// Decodes a received payload, which must be exactly one canonical RLP value.
    ///
    /// # Errors
    /// [`MessageError`] for a code that the set does not have, and for a payload that is not what
    /// the code says.
    fn decode(message: Message) -> Result<Self, MessageError>;
}

impl WireMessage for Message {
    const LENGTH: Option<u64> = None;

    fn code(&self) -> u64 {
        self.code
    }

    fn encode(&self) -> Bytes {
        self.payload.clone()
    }

    fn decode(message: Message) -> Result<Self, MessageError> {
        Ok(message)
    }
}

/// A received message that its protocol cannot accept. A handler that returns it ends the peer
/// with [`BREACH_OF_PROTOCOL`](crate::DisconnectReason::BREACH_OF_PROTOCOL).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MessageError {
    /// The protocol has no such message.
    UnknownCode {
        /// The code received, relative to the protocol.
        code: u64,
    },
    /// The payload is not one canonical RLP value.
    Malformed {
        /// The code received, relative to the protocol.
        code: u64,
        /// The payload's size in bytes.
        size: usize,
        /// What is wrong with it.
        source: RlpError,
    },
    /// The payload is RLP, but not of the shape that the code asks for.
    Undecodable {
        /// The code received, relative to the protocol.
        code: u64,
        /// The payload's size in bytes.
        size: usize,
        /// Which value in it is wrong, and how; the path begins with the message's name.
        source: ValueError,
    },
    /// The payload is larger than the protocol allows for this message.
    TooLarge {
        /// The code received, relative to the protocol.
        code: u64,
        /// The payload's size in bytes.
        size: usize,
        /// The most bytes that it may have.
        limit: usize,
    },
    /// The message is well-formed but not allowed here, in the protocol's own judgement.
    NotAllowed {
        /// The code received, relative to the protocol.
        code: u64,
        /// The rule that it breaks.
        rule: &'static str,
    },
}

impl fmt::Display for MessageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownCode { code } => write!(f, "unknown message code {code:#04x}"),
            Self::Malformed { code, size, source } => {
                write!(
                    f,
                    "message {code:#04x} of {size} bytes is malformed: {source}"
                )
            }
            Self::Undecodable { code, size, source } => {
                write!(
                    f,
                    "message {code:#04x} of {size} bytes does not decode: {source}"
                )
            }
            Self::TooLarge { code, size, limit } => {
                write!(
                    f,
                    "message {code:#04x} of {size} bytes is larger than its {limit} bytes"
                )
            }
            Self::NotAllowed { code, rule } => {
                write!(f, "message {code:#04x} breaks the protocol: {rule}")
            }
        }
    }
}

impl Error for MessageError {
    /// An error that is `transparent` about this one passes it over in the chain of sources; what
    /// stands behind it there still says whose fault it was.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&Breach)
    }
}

/// What stands behind a [`MessageError`] in a chain of sources.
#[derive(Debug, thiserror::Error)]
#[error("the remote broke the protocol")]
pub(crate) struct Breach;
