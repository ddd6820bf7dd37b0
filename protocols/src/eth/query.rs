use peermux::rlp::{ValueError, ValueReader};
use peermux::{BytesMut, RlpValue};

use super::{Hash, Header};

/// The block that a query begins with.
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

    /// The length tells them apart.
    fn read_rlp(from: &mut ValueReader<'_>) -> Result<Self, ValueError> {
        match from.clone().string()?.len() {
            32 => Hash::read_rlp(from).map(Self::Hash),
            _ => u64::read_rlp(from).map(Self::Number),
        }
    }
}

/// Which headers are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, RlpValue)]
pub struct HeadersQuery {
    /// The first one.
    pub start: Start,
    /// How many at most.
    pub limit: u64,
    /// How many blocks to leave out between two of them.
    pub skip: u64,
    /// Whether the numbers fall; otherwise they rise.
    pub reverse: bool,
}

impl HeadersQuery {
    /// Up to `limit` blocks, one after the other, from the one with this number on.
    #[must_use]
    pub fn from_number(number: u64, limit: u64) -> Self {
        Self::of(Start::Number(number), limit)
    }

    /// Up to `limit` blocks, one after the other, from the one with this hash on.
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

    /// Leaves out this number of blocks between two.
    #[must_use]
    pub fn with_skip(self, skip: u64) -> Self {
        Self { skip, ..self }
    }

    /// Goes backwards.
    #[must_use]
    pub fn reversed(self) -> Self {
        let reverse = true;
        Self { reverse, ..self }
    }

    /// The numbers of the blocks that are asked for, if the first one has the number `first`; they end
    /// where numbers do. For stores, which know the number of a hash.
    ///
    /// ```
    /// use peermux_protocols::eth::HeadersQuery;
    ///
    /// let query = HeadersQuery::from_number(7, 10).with_skip(2).reversed();
    /// assert_eq!(query.numbers(7).collect::<Vec<_>>(), [7, 4, 1]);
    /// ```
    pub fn numbers(&self, first: u64) -> impl Iterator<Item = u64> + use<> {
        let (step, reverse) = (self.skip.checked_add(1), self.reverse);
        let next = move |&number: &u64| match reverse {
            true => number.checked_sub(step?),
            false => number.checked_add(step?),
        };
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        std::iter::successors(Some(first), next).take(limit)
    }

    /// Whether `headers` can answer this: the error is the rule that they break.
    pub(super) fn check(&self, headers: &[Header]) -> Result<(), &'static str> {
        if headers.len() as u64 > self.limit {
            return Err("there are no more headers than were asked for");
        }
        let Some(first) = headers.first() else {
            return Ok(());
        };
        let begins = match self.start {
            Start::Number(number) => number == first.number(),
            Start::Hash(hash) => hash == first.hash(),
        };
        if !begins {
            return Err("the first header is the one that was asked for");
        }
        let numbers = self.numbers(first.number()).take(headers.len());
        match numbers.eq(headers.iter().map(Header::number)) {
            true => Ok(()),
            false => Err("the headers have the numbers that were asked for"),
        }
    }
}
