use std::ops::Deref;

use bytes::BytesMut;

use super::{Counted, RlpValue, ValueError, ValueReader};
use crate::rlp::RlpError;

/// A list of at most `N` items, or a string of at most `N` bytes.
///
/// On receipt, a longer list or string is rejected before it is built.
///
/// ```
/// use peermux::RlpValue;
/// use peermux::rlp::{Bounded, RlpError};
///
/// type Hashes = Bounded<Vec<[u8; 32]>, 2>;
///
/// let three = vec![[7; 32]; 3];
/// let payload = three.to_rlp();
/// let error = Hashes::from_rlp(&payload).unwrap_err();
/// assert_eq!(error.problem(), RlpError::TooMany { count: 3, most: 2 });
/// assert!(Hashes::new(three).is_err());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Bounded<T, const N: usize>(T);

impl<T: Counted, const N: usize> Bounded<T, N> {
    /// Wraps a value of at most `N` items or bytes.
    ///
    /// # Errors
    /// [`RlpError::TooMany`] if `value` has more.
    pub fn new(value: T) -> Result<Self, RlpError> {
        match value.count() {
            count if count > N => Err(RlpError::TooMany { count, most: N }),
            _ => Ok(Self(value)),
        }
    }
}

impl<T, const N: usize> Bounded<T, N> {
    /// Returns the value without its bound.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T, const N: usize> Deref for Bounded<T, N> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Counted, const N: usize> RlpValue for Bounded<T, N> {
    fn rlp_size(&self) -> usize {
        self.0.rlp_size()
    }

    fn write_rlp(&self, out: &mut BytesMut) {
        self.0.write_rlp(out);
    }

    fn read_rlp(from: &mut ValueReader<'_>) -> Result<Self, ValueError> {
        T::read_rlp_at_most(from, N).map(Self)
    }
}
