//! The check for canonical RLP, compared with its definition.
//!
//! Bytes are canonical if a lenient reader and a writer reproduce them.

use peermux::rlp::{Rlp, RlpError, RlpStream, check_canonical, check_exact};

use super::assert_explained;

/// The maximum depth that `check_canonical` accepts.
const MAX_DEPTH: usize = 64;

/// The maximum depth of this reader, which is greater but still fits on the stack.
const READ_DEPTH: usize = 512;

enum Value<'a> {
    Data(&'a [u8]),
    List(Vec<Value<'a>>),
}

impl<'a> Value<'a> {
    /// Reads one value in any form from `bytes`. Returns `None` if the bytes end early.
    fn read(bytes: &mut &'a [u8], depth: usize) -> Option<Self> {
        let (&first, rest) = bytes.split_first()?;
        let small = usize::from(first & 0x3f);
        let (list, length, rest) = match first {
            0..0x80 => {
                let (data, rest) = bytes.split_at(1);
                *bytes = rest;
                return Some(Self::Data(data));
            }
            _ if small < 56 => (first >= 0xc0, small, rest),
            _ => {
                let (digits, rest) = rest.split_at_checked(small - 55)?;
                let length = digits
                    .iter()
                    .fold(0u128, |sum, &digit| (sum << 8) | u128::from(digit));
                (first >= 0xc0, usize::try_from(length).ok()?, rest)
            }
        };
        let (mut payload, rest) = rest.split_at_checked(length)?;
        *bytes = rest;
        if !list {
            return Some(Self::Data(payload));
        }
        let mut values = Vec::new();
        while !payload.is_empty() && depth < READ_DEPTH {
            values.push(Self::read(&mut payload, depth + 1)?);
        }
        Some(Self::List(values))
    }

    fn write(&self, out: &mut RlpStream) {
        match self {
            Self::Data(data) => {
                out.append(data);
            }
            Self::List(values) => {
                out.begin_list(values.len());
                for value in values {
                    value.write(out);
                }
            }
        }
    }

    /// Returns how deeply non-empty lists are nested.
    fn depth(&self) -> usize {
        match self {
            Self::List(values) if !values.is_empty() => {
                1 + values.iter().map(Self::depth).max().unwrap_or(0)
            }
            _ => 0,
        }
    }

    /// Checks that the RLP crate decodes the same value.
    fn assert_same(&self, rlp: &Rlp<'_>) {
        match self {
            Self::Data(data) => assert_eq!(rlp.data(), Ok(*data)),
            Self::List(values) => {
                assert_eq!(rlp.item_count(), Ok(values.len()));
                for (value, item) in values.iter().zip(rlp.iter()) {
                    value.assert_same(&item);
                }
            }
        }
    }
}

/// Checks any bytes.
pub fn rlp(data: &[u8]) {
    let checked = check_canonical(data);
    let mut rest = data;
    let Some(value) = Value::read(&mut rest, 0) else {
        assert!(checked.is_err());
        return;
    };
    let length = data.len() - rest.len();
    let depth = value.depth();
    let mut written = RlpStream::new();
    value.write(&mut written);
    let canonical = written.out() == data[..length];
    match checked {
        Ok(checked) => {
            assert!(canonical && depth <= MAX_DEPTH);
            assert_eq!(checked, length);
            value.assert_same(&Rlp::new(&data[..length]));
        }
        Err(error) => {
            assert_explained(&error);
            // If the bytes are both too deep and not canonical, either error may be reported.
            assert!(match error {
                RlpError::TooDeep => depth > MAX_DEPTH,
                RlpError::NotShortest => !canonical,
                // Bytes that end early were handled above. This includes a list whose last element
                // extends beyond the list.
                RlpError::Truncated => false,
                _ => false,
            });
        }
    }
    let exact = match checked {
        Ok(length) if length < data.len() => Err(RlpError::Trailing(data.len() - length)),
        Ok(_) => Ok(()),
        Err(error) => Err(error),
    };
    assert_eq!(check_exact(data), exact);
}
