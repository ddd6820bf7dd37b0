//! Errors of records.

use crate::node::KeyError;
use crate::rlp::RlpError;

/// Why a node record is invalid or cannot be created.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The text does not begin with `enr:`.
    #[error("node record begins with {found:?} instead of \"enr:\"")]
    Prefix {
        /// The beginning of the text.
        found: String,
    },
    /// The text is not base64 for URLs without padding.
    #[error("node record is not URL-safe base64 without padding, at character {position}")]
    Base64 {
        /// The position of the error after the prefix, in characters from 0.
        position: usize,
    },
    /// The record is longer than [`MAX_RECORD`](super::MAX_RECORD).
    #[error("node record of {got} bytes, at most {limit} are allowed")]
    TooLong {
        /// The record's length in bytes.
        got: usize,
        /// The maximum length in bytes.
        limit: usize,
    },
    /// The record is not exactly one canonical RLP value.
    #[error("node record is not one canonical RLP value")]
    Canonical(#[source] RlpError),
    /// The record is not a list.
    #[error("node record is not a list")]
    NotAList,
    /// The list has too few elements.
    #[error("node record has {got} elements, at least {expected} are needed")]
    TooFewElements {
        /// The number of elements.
        got: usize,
        /// The required number of elements.
        expected: usize,
    },
    /// An element does not have the type that its position requires.
    #[error("node record's {field} cannot be decoded")]
    Field {
        /// The element's name.
        field: &'static str,
        /// The error in the element.
        source: RlpError,
    },
    /// The last key has no value.
    #[error("node record's last key has no value")]
    KeyWithoutValue,
    /// A key follows one that it should precede.
    #[error("node record's key {key:?} is not in order")]
    Unsorted {
        /// The key that is out of order.
        key: String,
    },
    /// A key occurs twice.
    #[error("node record contains the key {key:?} twice")]
    Duplicate {
        /// The key.
        key: String,
    },
    /// A key that the identity scheme requires is missing.
    #[error("node record has no key {key:?}")]
    Missing {
        /// The key.
        key: &'static str,
    },
    /// The identity scheme is not "v4".
    #[error("node record has identity scheme {found:?} instead of \"v4\"")]
    Scheme {
        /// The value of `id`.
        found: String,
    },
    /// The value of `secp256k1` is not a compressed public key.
    #[error("node record has an invalid public key")]
    Key(#[source] KeyError),
    /// The signature has the wrong length.
    #[error("node record has a signature of {got} bytes instead of {expected}")]
    SignatureLength {
        /// The signature's length in bytes.
        got: usize,
        /// The required length in bytes.
        expected: usize,
    },
    /// The signature does not match the key and the content.
    #[error("node record has an invalid signature")]
    Signature,
    /// The sequence number cannot be increased.
    #[error("node record's sequence number is at its maximum")]
    SequenceExhausted,
}
