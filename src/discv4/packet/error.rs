//! Errors of packets.

use crate::node::{KeyError, RecordError};
use crate::rlp::RlpError;

/// Why bytes are not a valid packet, or why a packet cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PacketError {
    /// The bytes are too few for hash, signature and type.
    #[error("packet of {got} bytes, at least {least} are needed")]
    TooShort {
        /// The packet's length in bytes.
        got: usize,
        /// The minimum length.
        least: usize,
    },
    /// The packet is longer than [`MAX_PACKET`](super::MAX_PACKET).
    #[error("packet of {got} bytes, at most {limit} are allowed")]
    TooLong {
        /// The packet's length in bytes.
        got: usize,
        /// The maximum length.
        limit: usize,
    },
    /// The first 32 bytes are not the hash of the rest.
    ///
    /// So the datagram is not a packet of this protocol.
    #[error("packet does not begin with its hash")]
    Hash,
    /// The type is not one of the six known types.
    #[error("packet has the unknown type {found:#04x}")]
    Kind {
        /// The type.
        found: u8,
    },
    /// No public key can be recovered from the signature.
    #[error("packet has an invalid signature")]
    Signature(#[source] KeyError),
    /// The data is not a list, or an element is invalid for its position.
    #[error("{packet} packet's {field} cannot be decoded")]
    Field {
        /// The packet's name.
        packet: &'static str,
        /// The element.
        field: &'static str,
        /// The error.
        source: RlpError,
    },
    /// The record in an `ENRResponse` is not valid.
    #[error("ENRResponse packet's record is not valid")]
    Record(#[source] RecordError),
}
