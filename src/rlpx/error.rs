//! Errors, one enum for each operation.

use crate::fault::Fault;
use crate::node::KeyError;
use crate::rlp::RlpError;

/// Why a handshake failed.
///
/// Close the connection without a message: until both packets are read, there are no secrets to
/// encrypt a message with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// A packet announces more bytes than the receiver accepts.
    #[error("handshake packet of {got} bytes, at most {max} are accepted")]
    PacketTooLarge {
        /// Bytes announced by the size prefix.
        got: usize,
        /// Bytes accepted after the size prefix.
        max: usize,
    },
    /// A packet announces fewer bytes than the encryption alone adds.
    #[error("handshake packet of {got} bytes, at least {min} are needed")]
    PacketTooSmall {
        /// Bytes announced by the size prefix.
        got: usize,
        /// Bytes of a packet with an empty plaintext.
        min: usize,
    },
    /// The authentication tag is wrong: the packet is for another key, or was changed.
    #[error("handshake packet has a wrong authentication tag")]
    TagMismatch,
    /// A public key in the packet is not a point on the curve.
    #[error("handshake packet holds an invalid public key")]
    InvalidPublicKey(#[source] KeyError),
    /// The initiator's ephemeral key cannot be recovered from its signature.
    #[error("handshake packet holds an invalid signature")]
    InvalidSignature(#[source] KeyError),
    /// The plaintext does not start with a canonical RLP value.
    #[error("handshake packet is not canonical RLP")]
    NotCanonical(#[source] RlpError),
    /// The plaintext does not start with an RLP list.
    #[error("handshake packet is not an RLP list")]
    NotAList,
    /// The list has fewer elements than the packet's format requires.
    #[error("handshake packet has {got} list elements, at least {expected} are needed")]
    TooFewElements {
        /// Elements in the list.
        got: usize,
        /// Elements required by the format.
        expected: usize,
    },
    /// An element has the wrong number of bytes, or is a list.
    #[error("{element} in handshake packet has {got} bytes instead of {expected}")]
    ElementLength {
        /// The element's name.
        element: &'static str,
        /// Bytes in the element; 0 for a list.
        got: usize,
        /// Bytes required by the format.
        expected: usize,
    },
    /// The given padding makes our own packet larger than receivers accept.
    #[error("{got} bytes of padding make a handshake packet larger than {max} bytes")]
    PaddingTooLong {
        /// Bytes of padding.
        got: usize,
        /// Bytes accepted after the size prefix.
        max: usize,
    },
}

impl HandshakeError {
    /// Returns who is at fault.
    ///
    /// Anybody can send a bad packet, so [`Fault::Remote`] proves nothing about the node that the
    /// remote claims to be.
    pub fn fault(&self) -> Fault {
        match self {
            Self::PaddingTooLong { .. } => Fault::Local,
            _ => Fault::Remote,
        }
    }
}

/// Why a received frame is rejected.
///
/// After an error from [`Ingress::open`](super::Ingress::open) the connection is lost, because the
/// cipher states of the two sides can no longer agree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The MAC of a header is wrong.
    ///
    /// If the MAC of the first frame's header is wrong, the two sides do not share a key.
    #[error("frame header has a wrong MAC")]
    HeaderMac,
    /// The MAC of a body is wrong.
    #[error("frame body has a wrong MAC")]
    BodyMac,
    /// A frame is larger than the current limit.
    #[error("frame of {got} bytes, at most {max} are accepted")]
    FrameTooLarge {
        /// Bytes announced by the header.
        got: usize,
        /// Bytes accepted.
        max: usize,
    },
    /// The message id is missing or malformed.
    #[error("frame has no valid message id")]
    MessageId(#[from] MessageIdError),
    /// The uncompressed payload is larger than the limit.
    #[error("payload of {got} bytes, at most {max} are accepted")]
    PayloadTooLarge {
        /// The payload's length; for a compressed one, the length that it declares.
        got: u64,
        /// Bytes accepted.
        max: usize,
    },
    /// A compressed payload is malformed.
    #[error("payload is not valid Snappy data")]
    Snappy(#[from] SnappyError),
    /// An earlier frame was rejected.
    #[error("an earlier frame of this connection was rejected")]
    AlreadyFailed,
}

impl FrameError {
    /// Returns [`Fault::Remote`].
    ///
    /// Only the holder of the session's secrets, or something that changes bytes in transit, can
    /// cause a frame to be rejected.
    pub fn fault(&self) -> Fault {
        Fault::Remote
    }
}

/// Why compressed data is malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SnappyError {
    /// The data is empty, without even a length.
    #[error("no data")]
    Empty,
    /// The length prefix takes more than five bytes, or is cut off.
    #[error("length cannot be read")]
    Length,
    /// The declared length is more than data of this size can expand to.
    #[error("{compressed} bytes cannot expand to {declared}")]
    Expansion {
        /// Bytes declared.
        declared: usize,
        /// Bytes of compressed data.
        compressed: usize,
    },
    /// The data does not decode to exactly the declared length.
    #[error("data does not decode to the declared length of {declared} bytes")]
    Corrupt {
        /// Bytes declared.
        declared: usize,
    },
}

/// Why bytes do not start with a message id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageIdError {
    /// The frame ends before the id does.
    #[error("message id is missing or cut off")]
    Missing,
    /// The id is not in its shortest form.
    #[error("message id is not canonical RLP")]
    NotCanonical,
    /// The id is an RLP list.
    #[error("message id is not an integer")]
    NotAnInteger,
    /// The id takes more than 64 bits.
    #[error("message id overflows 64 bits")]
    Overflow,
}

/// Why a message cannot be sent.
///
/// Nothing has been written and no state has changed, so the connection can still be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The payload is larger than the maximum that every receiver accepts.
    #[error("payload of {got} bytes, at most {max} can be sent")]
    PayloadTooLarge {
        /// Bytes given.
        got: usize,
        /// [`MAX_PAYLOAD`](super::MAX_PAYLOAD).
        max: usize,
    },
    /// Id and payload, after compression, do not fit into one frame.
    #[error("frame of {got} bytes, at most {max} can be sent")]
    FrameTooLarge {
        /// Bytes of id and compressed payload.
        got: usize,
        /// [`MAX_FRAME_SIZE`](super::MAX_FRAME_SIZE).
        max: usize,
    },
    /// The compressor rejected the payload, which it never does below 4 GiB.
    #[error("payload of {got} bytes cannot be compressed")]
    Compression {
        /// Bytes given.
        got: usize,
    },
}

impl SealError {
    /// Returns [`Fault::Local`].
    pub fn fault(&self) -> Fault {
        Fault::Local
    }
}
