//! Values that are encoded as one byte string: numbers, texts, addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::{Bytes, BytesMut};

use super::{Counted, RlpValue, ValueError, ValueReader};
use crate::rlp::write::{MAX_HEADER, put_number, put_string};
use crate::rlp::{RlpError, number_of_digits};

macro_rules! numbers {
    ($($number:ty),+) => {$(
        impl RlpValue for $number {
            fn rlp_size(&self) -> usize {
                MAX_HEADER
            }

            #[inline]
            fn write_rlp(&self, out: &mut BytesMut) {
                put_number(out, u64::from(*self));
            }

            #[inline]
            fn read_rlp(from: &mut ValueReader<'_>) -> Result<Self, ValueError> {
                let number = number_of_digits(from.string()?);
                let number = number.map_err(|error| match error {
                    RlpError::Length => too_large::<Self>(),
                    error => error,
                })?;
                Self::try_from(number).map_err(|_| too_large::<Self>().into())
            }
        }
    )+};
}

fn too_large<T>() -> RlpError {
    RlpError::NumberTooLarge {
        bits: size_of::<T>() * 8,
    }
}

numbers!(u16, u32, u64);

/// Several `u8` values are encoded as one byte string, not as a list.
impl RlpValue for u8 {
    fn rlp_size(&self) -> usize {
        2
    }

    #[inline]
    fn write_rlp(&self, out: &mut BytesMut) {
        put_number(out, u64::from(*self));
    }

    #[inline]
    fn read_rlp(from: &mut ValueReader<'_>) -> Result<Self, ValueError> {
        match from.string()? {
            [] => Ok(0),
            [0, ..] => Err(RlpError::NotShortest.into()),
            [number] => Ok(*number),
            _ => Err(too_large::<Self>().into()),
        }
    }

    fn rlp_size_of(values: &[Self]) -> usize {
        values.len() + MAX_HEADER
    }

    fn write_rlp_of(values: &[Self], out: &mut BytesMut) {
        put_string(out, values);
    }

    fn read_rlp_vec(from: &mut ValueReader<'_>, most: usize) -> Result<Vec<Self>, ValueError> {
        let string = at_most(from.string()?, most)?;
        from.charge(string.len())?;
        Ok(string.to_vec())
    }

    fn read_rlp_array<const N: usize>(from: &mut ValueReader<'_>) -> Result<[Self; N], ValueError> {
        exactly(from)
    }
}

impl RlpValue for u128 {
    fn rlp_size(&self) -> usize {
        size_of::<Self>() + 1
    }

    fn write_rlp(&self, out: &mut BytesMut) {
        let leading = self.leading_zeros() as usize / 8;
        put_string(out, &self.to_be_bytes()[leading..]);
    }

    fn read_rlp(from: &mut ValueReader<'_>) -> Result<Self, ValueError> {
        let digits = from.string()?;
        if digits.first() == Some(&0) {
            return Err(RlpError::NotShortest.into());
        }
        if digits.len() > size_of::<Self>() {
            return Err(too_large::<Self>().into());
        }
        let sum = |sum, &digit| sum << 8 | Self::from(digit);
        Ok(digits.iter().fold(0, sum))
    }
}

impl RlpValue for bool {
    fn rlp_size(&self) -> usize {
        1
    }

    fn write_rlp(&self, out: &mut BytesMut) {
        put_number(out, u64::from(*self));
    }

    fn read_rlp(from: &mut ValueReader<'_>) -> Result<Self, ValueError> {
        match from.string()? {
            [] => Ok(false),
            [1] => Ok(true),
            _ => Err(RlpError::Other("a boolean is 0 or 1").into()),
        }
    }
}

impl RlpValue for String {
    fn rlp_size(&self) -> usize {
        self.len() + MAX_HEADER
    }

    #[inline]
    fn write_rlp(&self, out: &mut BytesMut) {
        put_string(out, self.as_bytes());
    }

    #[inline]
    fn read_rlp(from: &mut ValueReader<'_>) -> Result<Self, ValueError> {
        Self::read_rlp_at_most(from, usize::MAX)
    }
}

impl Counted for String {
    fn count(&self) -> usize {
        self.len()
    }

    #[inline]
    fn read_rlp_at_most(from: &mut ValueReader<'_>, most: usize) -> Result<Self, ValueError> {
        let string = at_most(from.string()?, most)?;
        let text = std::str::from_utf8(string).map_err(|_| RlpError::NotText)?;
        from.charge(text.len())?;
        Ok(text.to_owned())
    }
}

impl RlpValue for Bytes {
    fn rlp_size(&self) -> usize {
        self.len() + MAX_HEADER
    }

    #[inline]
    fn write_rlp(&self, out: &mut BytesMut) {
        put_string(out, self);
    }

    #[inline]
    fn read_rlp(from: &mut ValueReader<'_>) -> Result<Self, ValueError> {
        Ok(from.bytes()?)
    }
}

impl Counted for Bytes {
    fn count(&self) -> usize {
        self.len()
    }

    fn read_rlp_at_most(from: &mut ValueReader<'_>, most: usize) -> Result<Self, ValueError> {
        let bytes = from.bytes()?;
        at_most(&bytes, most)?;
        Ok(bytes)
    }
}

macro_rules! addresses {
    ($($address:ty, $length:literal);+) => {$(
        impl RlpValue for $address {
            fn rlp_size(&self) -> usize {
                $length + 1
            }

            fn write_rlp(&self, out: &mut BytesMut) {
                put_string(out, &self.octets());
            }

            fn read_rlp(from: &mut ValueReader<'_>) -> Result<Self, ValueError> {
                exactly::<$length>(from).map(Self::from)
            }
        }
    )+};
}

addresses!(Ipv4Addr, 4; Ipv6Addr, 16);

impl RlpValue for IpAddr {
    fn rlp_size(&self) -> usize {
        size_of::<Self>()
    }

    fn write_rlp(&self, out: &mut BytesMut) {
        match self {
            Self::V4(address) => address.write_rlp(out),
            Self::V6(address) => address.write_rlp(out),
        }
    }

    fn read_rlp(from: &mut ValueReader<'_>) -> Result<Self, ValueError> {
        let octets = from.string()?;
        let v4 = <[u8; 4]>::try_from(octets).map(Self::from);
        let address = v4.or_else(|_| <[u8; 16]>::try_from(octets).map(Self::from));
        let wrong = |_| RlpError::Other("an IP address has 4 or 16 bytes").into();
        address.map_err(wrong)
    }
}

/// Takes the next value, a byte string of exactly `N` bytes.
#[inline]
fn exactly<const N: usize>(from: &mut ValueReader<'_>) -> Result<[u8; N], ValueError> {
    let string = from.string()?;
    string.try_into().map_err(|_| {
        let count = string.len();
        RlpError::Bytes { wanted: N, count }.into()
    })
}

/// Rejects a byte string of more than `most` bytes.
fn at_most(string: &[u8], most: usize) -> Result<&[u8], RlpError> {
    match string.len() {
        count if count > most => Err(RlpError::TooMany { count, most }),
        _ => Ok(string),
    }
}
