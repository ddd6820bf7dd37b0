use super::{DecoderError, MAX_DEPTH};

/// Why bytes are not the RLP value that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RlpError {
    /// The input ends before the value does.
    #[error("RLP value ends early")]
    Truncated,
    /// A length or a number is not in its shortest form, or a single byte below 0x80 has a length
    /// prefix.
    #[error("RLP value is not in its shortest form")]
    NotShortest,
    /// Lists are nested more than 64 deep.
    #[error("RLP lists are nested more than {MAX_DEPTH} deep")]
    TooDeep,
    /// Bytes follow the value where none may.
    #[error("{0} bytes follow the RLP value")]
    Trailing(usize),
    /// A byte string is in the place of a list.
    #[error("RLP value is not a list")]
    NotAList,
    /// A list is in the place of a byte string.
    #[error("RLP value is not a byte string")]
    NotAString,
    /// The list has too many or too few elements.
    #[error("the RLP list has too few or too many elements")]
    ElementCount,
    /// The byte string is too long or too short for what it stands for.
    #[error("RLP byte string has a wrong length")]
    Length,
    /// The byte string has another length than the only one that its type takes.
    #[error("a byte string of {wanted} bytes is wanted, not of {count}")]
    Bytes {
        /// The length that it should have.
        wanted: usize,
        /// The length that it has.
        count: usize,
    },
    /// The list has another number of items than the only one that its type takes.
    #[error("a list of {wanted} items is wanted, not of {count}")]
    Items {
        /// How many it should have.
        wanted: usize,
        /// How many it has.
        count: usize,
    },
    /// The list has more items, or the byte string more bytes, than it may have.
    #[error("at most {most} items or bytes are allowed, not {count}")]
    TooMany {
        /// How many there are.
        count: usize,
        /// How many there may be.
        most: usize,
    },
    /// The number is too large for its type.
    #[error("a number of at most {bits} bits is wanted")]
    NumberTooLarge {
        /// The most bits that it may have.
        bits: usize,
    },
    /// The byte string is not UTF-8, though it should be a text.
    #[error("the text is not UTF-8")]
    NotText,
    /// The values of the payload would take more memory than they may.
    #[error("the values take more than {limit} bytes of memory")]
    Memory {
        /// How much they may take, in bytes.
        limit: usize,
    },
    /// The value breaks a rule of its type.
    #[error("{0}")]
    Other(&'static str),
}

/// For implementors of [`Decodable`](super::Decodable).
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
