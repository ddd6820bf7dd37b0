use peermux::rlp::{ValueError, ValueReader};
use peermux::{BytesMut, RlpValue};

use super::{Hash, Header};

/// The first block of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// The block with this number.
    Number(u64),
    /// The block with this hash.
    Hash(Hash),
}

impl RlpValue for Start {
    fn rlp_size(&self) -> usize {
        match self {
            Self::Number(number) => number.rlp_size(),
            Self::Hash(hash) => hash.rlp_size(),
        }
    }

    fn write_rlp(&self, out: &mut BytesMut) {
        match self {
            Self::Number(number) => number.write_rlp(out),
            Self::Hash(hash) => hash.write_rlp(out),
        }
    }

    /// Distinguishes a hash from a number by the length.
    fn read_rlp(from: &mut ValueReader<'_>) -> Result<Self, ValueError> {
        match from.clone().string()?.len() {
            32 => Hash::read_rlp(from).map(Self::Hash),
            _ => u64::read_rlp(from).map(Self::Number),
        }
    }
}

/// A query for headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, RlpValue)]
pub struct HeadersQuery {
    /// The first block.
    pub start: Start,
    /// The maximum number of headers.
    pub limit: u64,
    /// The number of blocks to skip between two headers.
    pub skip: u64,
    /// Whether block numbers decrease; otherwise they increase.
    pub reverse: bool,
}

impl HeadersQuery {
    /// Queries up to `limit` consecutive blocks, starting at this number.
    #[must_use]
    pub fn from_number(number: u64, limit: u64) -> Self {
        Self::of(Start::Number(number), limit)
    }

    /// Queries up to `limit` consecutive blocks, starting at this hash.
    #[must_use]
    pub fn from_hash(hash: Hash, limit: u64) -> Self {
        Self::of(Start::Hash(hash), limit)
    }

    fn of(start: Start, limit: u64) -> Self {
        Self {
            start,
            limit,
            skip: 0,
            reverse: false,
        }
    }

    /// Skips this number of blocks between two headers.
    #[must_use]
    pub fn with_skip(self, skip: u64) -> Self {
        Self { skip, ..self }
    }

    /// Returns headers in decreasing order of block numbers.
    #[must_use]
    pub fn reversed(self) -> Self {
        let reverse = true;
        Self { reverse, ..self }
    }

    /// Returns the queried block numbers, given the number of the first block.
    ///
    /// The numbers end at the bounds of `u64`. This function is for header stores, which know the
    /// block number of a hash.
    ///
    /// ```
    /// use peermux_protocols::eth::HeadersQuery;
    ///
    /// let query = HeadersQuery::from_number(7, 10).with_skip(2).reversed();
    /// assert_eq!(query.numbers(7).collect::<Vec<_>>(), [7, 4, 1]);
    /// ```
    pub fn numbers(&self, first: u64) -> impl Iterator<Item = u64> + use<> {
        let (step, reverse) = (self.skip.checked_add(1), self.reverse);
        let next = move |&number: &u64| {
            if reverse {
                number.checked_sub(step?)
            } else {
                number.checked_add(step?)
            }
        };
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        std::iter::successors(Some(first), next).take(limit)
    }

    /// Checks whether `headers` can answer this query. The error is the broken rule.
    pub(super) fn check(&self, headers: &[Header]) -> Result<(), &'static str> {
        if headers.len() as u64 > self.limit {
            return Err("there are no more headers than requested");
        }
        let Some(first) = headers.first() else {
            return Ok(());
        };
        let begins = match self.start {
            Start::Number(number) => number == first.number(),
            Start::Hash(hash) => hash == first.hash(),
        };
        if !begins {
            return Err("the first header is the requested one");
        }
        let numbers = self.numbers(first.number()).take(headers.len());
        if !numbers.eq(headers.iter().map(Header::number)) {
            return Err("the headers have the requested numbers");
        }
        Ok(())
    }
}
