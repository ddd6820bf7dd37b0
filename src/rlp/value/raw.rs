use bytes::{Bytes, BytesMut};

use super::{RlpValue, ValueError, ValueReader};
use crate::rlp::{RlpError, check_exact};

/// A value in its encoded form.
///
/// Use it where several forms are allowed, e.g. for a transaction, which is a list or a byte
/// string. Use it also for values that are only passed on. A received value shares the memory of
/// its payload.
///
/// ```
/// use peermux::RlpValue;
/// use peermux::rlp::Raw;
///
/// let payload = (7u64, "cat".to_owned()).to_rlp();
/// let items = Vec::<Raw>::from_rlp(&payload).unwrap();
/// assert_eq!(items[1].as_bytes(), b"\x83cat");
/// assert_eq!(String::from_rlp(&items[1].clone().into_bytes()), Ok("cat".to_owned()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Raw(Bytes);

impl Raw {
    /// Wraps a value that is already encoded.
    ///
    /// # Errors
    /// [`RlpError`] unless `bytes` is exactly one value in canonical form.
    pub fn new(bytes: impl Into<Bytes>) -> Result<Self, RlpError> {
        let bytes = bytes.into();
        check_exact(&bytes)?;
        Ok(Self(bytes))
    }

    /// Encodes a value.
    #[must_use]
    pub fn of(value: &impl RlpValue) -> Self {
        Self(value.to_rlp())
    }

    /// Returns the encoded value, with its header.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the encoded value, with its header.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

impl RlpValue for Raw {
    fn rlp_size(&self) -> usize {
        self.0.len()
    }

    fn write_rlp(&self, out: &mut BytesMut) {
        out.extend_from_slice(&self.0);
    }

    fn read_rlp(from: &mut ValueReader<'_>) -> Result<Self, ValueError> {
        let value = from.raw()?;
        Ok(Self(from.shared(value)))
    }
}
