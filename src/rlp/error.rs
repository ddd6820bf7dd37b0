use super::{DecoderError, MAX_DEPTH};

/// Why bytes are not the expected RLP value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RlpError {
    /// The input ends before the value does.
    #[error("RLP value ends early")]
    Truncated,
    /// A length or a number is not in its shortest form.
    ///
    /// This includes a single byte below 0x80 with a length prefix.
    #[error("RLP value is not in its shortest form")]
    NotShortest,
    /// Lists are nested more than 64 deep.
    #[error("RLP lists are nested more than {MAX_DEPTH} deep")]
    TooDeep,
    /// Bytes follow the value where none are allowed.
    #[error("{0} bytes follow the RLP value")]
    Trailing(usize),
    /// A list was expected, but the value is a byte string.
    #[error("RLP value is not a list")]
    NotAList,
    /// A byte string was expected, but the value is a list.
    #[error("RLP value is not a byte string")]
    NotAString,
    /// The list has too many or too few elements.
    #[error("the RLP list has too few or too many elements")]
    ElementCount,
    /// The byte string is too long or too short for its type.
    #[error("RLP byte string has a wrong length")]
    Length,
    /// The byte string does not have the fixed length of its type.
    #[error("expected a byte string of {wanted} bytes, got {count}")]
    Bytes {
        /// The expected length.
        wanted: usize,
        /// The actual length.
        count: usize,
    },
    /// The list does not have the fixed number of items of its type.
    #[error("expected a list of {wanted} items, got {count}")]
    Items {
        /// The expected number of items.
        wanted: usize,
        /// The actual number of items.
        count: usize,
    },
    /// The list has too many items, or the byte string too many bytes.
    #[error("at most {most} items or bytes are allowed, not {count}")]
    TooMany {
        /// The actual number.
        count: usize,
        /// The largest number allowed.
        most: usize,
    },
    /// The number is too large for its type.
    #[error("the number does not fit into {bits} bits")]
    NumberTooLarge {
        /// The width of the type.
        bits: usize,
    },
    /// The byte string of a text is not valid UTF-8.
    #[error("the text is not UTF-8")]
    NotText,
    /// The values of the payload would take too much memory.
    #[error("the values take more than {limit} bytes of memory")]
    Memory {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The value breaks a rule of its type.
    #[error("{0}")]
    Other(&'static str),
}

/// Converts the error that an implementation of [`Decodable`](super::Decodable) returns.
impl From<DecoderError> for RlpError {
    fn from(error: DecoderError) -> Self {
        use DecoderError as E;
        match error {
            E::RlpExpectedToBeList => Self::NotAList,
            E::RlpExpectedToBeData => Self::NotAString,
            E::RlpIncorrectListLen => Self::ElementCount,
            E::RlpDataLenWithZeroPrefix
            | E::RlpListLenWithZeroPrefix
            | E::RlpInvalidIndirection => Self::NotShortest,
            E::RlpIsTooBig
            | E::RlpIsTooShort
            | E::RlpInconsistentLengthAndData
            | E::RlpInvalidLength => Self::Length,
            E::Custom(rule) => Self::Other(rule),
        }
    }
}
