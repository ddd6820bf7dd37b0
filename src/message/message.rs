use std::error::Error;
use std::fmt;

use bytes::Bytes;

use crate::rlp::{RlpError, ValueError};
use crate::spare::Spare;

/// A raw message: a code relative to its protocol, and an undecoded payload.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// The code, below the protocol's length.
    pub code: u64,
    /// The uncompressed payload. By convention it is a single RLP value, but this is not checked.
    ///
    /// A received payload of up to 1 KiB shares a chunk of 4 KiB with other messages of its
    /// protocol, and so do the [`Bytes`] of a typed message. Copy payloads that are kept for long,
    /// so that they do not keep the chunk allocated.
    pub payload: Bytes,
}

impl Message {
    /// Returns a message of `code` with a payload that is already encoded.
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

/// The messages of a [`ProtocolConn`](crate::ProtocolConn).
///
/// The messages are raw [`Message`]s, or an enum made with [`messages!`](crate::messages).
pub trait WireMessage: Sized + Send + 'static {
    /// The number of codes of a typed set; `None` for raw messages.
    const LENGTH: Option<u64>;

    /// The message's code, relative to the protocol.
    fn code(&self) -> u64;

    /// The largest payload, in bytes, of a message with this code.
    ///
    /// For a message of [`messages!`](crate::messages), this is its `max_size`. A larger payload is
    /// neither sent nor decoded.
    #[must_use]
    fn max_size(_code: u64) -> usize {
        usize::MAX
    }

    /// The encoded payload.
    fn encode(&self) -> Bytes;

    /// The encoded payload, for a message that is sent immediately.
    ///
    /// The payload may share memory with other payloads, and then keeps all of that memory
    /// allocated. It may also reuse the memory of an earlier payload.
    #[doc(hidden)]
    fn to_payload(&self, _spare: Option<&Spare>) -> Bytes {
        self.encode()
    }

    /// Decodes a received payload, which must be exactly one canonical RLP value.
    ///
    /// # Errors
    /// [`MessageError`] for a code that the set does not contain, and for a payload that does not
    /// match the code.
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

/// A received message that its protocol cannot accept.
///
/// If a handler returns this error, the peer is disconnected with
/// [`BREACH_OF_PROTOCOL`](crate::DisconnectReason::BREACH_OF_PROTOCOL).
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
        /// The error in the payload.
        source: RlpError,
    },
    /// The payload is RLP, but does not have the shape that the code requires.
    Undecodable {
        /// The code received, relative to the protocol.
        code: u64,
        /// The payload's size in bytes.
        size: usize,
        /// The error in a value of the payload; its path begins with the message's name.
        source: ValueError,
    },
    /// The payload is larger than the protocol allows for this message.
    TooLarge {
        /// The code received, relative to the protocol.
        code: u64,
        /// The payload's size in bytes.
        size: usize,
        /// The largest allowed size in bytes.
        limit: usize,
    },
    /// The message is well-formed, but the protocol does not allow it here.
    NotAllowed {
        /// The code received, relative to the protocol.
        code: u64,
        /// The rule that the message breaks.
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
                    "message {code:#04x} of {size} bytes exceeds its limit of {limit} bytes"
                )
            }
            Self::NotAllowed { code, rule } => {
                write!(f, "message {code:#04x} breaks the protocol: {rule}")
            }
        }
    }
}

impl Error for MessageError {
    /// Returns `Breach`, which shows that the remote is at fault. If another error wraps this one
    /// as `transparent`, the chain of sources omits this one, but still contains `Breach`.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&Breach)
    }
}

/// The source of each [`MessageError`]; it shows that the remote is at fault.
#[derive(Debug, thiserror::Error)]
#[error("the remote broke the protocol")]
pub(crate) struct Breach;
