//! Values that contain others: lists, options, boxes and tuples.

use bytes::BytesMut;

use super::{Counted, RlpValue, ValueError, ValueReader};
use crate::rlp::write::{MAX_HEADER, put_list};

impl<T: RlpValue> RlpValue for Vec<T> {
    fn rlp_size(&self) -> usize {
        T::rlp_size_of(self)
    }

    #[inline]
    fn write_rlp(&self, out: &mut BytesMut) {
        T::write_rlp_of(self, out);
    }

    #[inline]
    fn read_rlp(from: &mut ValueReader<'_>) -> Result<Self, ValueError> {
        T::read_rlp_vec(from, usize::MAX)
    }
}

impl<T: RlpValue> Counted for Vec<T> {
    fn count(&self) -> usize {
        self.len()
    }

    #[inline]
    fn read_rlp_at_most(from: &mut ValueReader<'_>, most: usize) -> Result<Self, ValueError> {
        T::read_rlp_vec(from, most)
    }
}

impl<T: RlpValue, const N: usize> RlpValue for [T; N] {
    fn rlp_size(&self) -> usize {
        T::rlp_size_of(self)
    }

    #[inline]
    fn write_rlp(&self, out: &mut BytesMut) {
        T::write_rlp_of(self, out);
    }

    #[inline]
    fn read_rlp(from: &mut ValueReader<'_>) -> Result<Self, ValueError> {
        T::read_rlp_array(from)
    }
}

impl<T: RlpValue> RlpValue for Option<T> {
    fn rlp_size(&self) -> usize {
        MAX_HEADER + self.as_ref().map_or(0, T::rlp_size)
    }

    fn write_rlp(&self, out: &mut BytesMut) {
        put_list(out, |list| {
            self.iter().for_each(|value| value.write_rlp(list));
        });
    }

    fn read_rlp(from: &mut ValueReader<'_>) -> Result<Self, ValueError> {
        read_option(from, T::read_rlp)
    }
}

/// A bound on an option applies to the value in it.
impl<T: Counted> Counted for Option<T> {
    fn count(&self) -> usize {
        self.as_ref().map_or(0, T::count)
    }

    fn read_rlp_at_most(from: &mut ValueReader<'_>, most: usize) -> Result<Self, ValueError> {
        read_option(from, |list| T::read_rlp_at_most(list, most))
    }
}

fn read_option<'a, T>(
    from: &mut ValueReader<'a>,
    read: impl FnOnce(&mut ValueReader<'a>) -> Result<T, ValueError>,
) -> Result<Option<T>, ValueError> {
    let mut list = from.list()?;
    if list.is_empty() {
        return Ok(None);
    }
    let value = read(&mut list)?;
    list.end()?;
    Ok(Some(value))
}

impl<T: RlpValue> RlpValue for Box<T> {
    fn rlp_size(&self) -> usize {
        T::rlp_size(self)
    }

    fn write_rlp(&self, out: &mut BytesMut) {
        T::write_rlp(self, out);
    }

    fn read_rlp(from: &mut ValueReader<'_>) -> Result<Self, ValueError> {
        from.charge(size_of::<T>())?;
        T::read_rlp(from).map(Self::new)
    }
}

impl<T: Counted> Counted for Box<T> {
    fn count(&self) -> usize {
        T::count(self)
    }

    fn read_rlp_at_most(from: &mut ValueReader<'_>, most: usize) -> Result<Self, ValueError> {
        from.charge(size_of::<T>())?;
        T::read_rlp_at_most(from, most).map(Self::new)
    }
}

/// The unit type is encoded as the empty list.
impl RlpValue for () {
    fn rlp_size(&self) -> usize {
        1
    }

    fn write_rlp(&self, out: &mut BytesMut) {
        put_list(out, |_| {});
    }

    fn read_rlp(from: &mut ValueReader<'_>) -> Result<Self, ValueError> {
        Ok(from.list()?.end()?)
    }
}

macro_rules! tuples {
    ($($($value:ident $index:tt),+;)+) => {$(
        impl<$($value: RlpValue),+> RlpValue for ($($value,)+) {
            fn rlp_size(&self) -> usize {
                MAX_HEADER $(+ self.$index.rlp_size())+
            }

            fn write_rlp(&self, out: &mut BytesMut) {
                put_list(out, |list| {
                    $(self.$index.write_rlp(list);)+
                });
            }

            fn read_rlp(from: &mut ValueReader<'_>) -> Result<Self, ValueError> {
                let mut list = from.list()?;
                let values = ($(
                    $value::read_rlp(&mut list).map_err(|error| error.in_field($index))?,
                )+);
                list.end()?;
                Ok(values)
            }
        }
    )+};
}

tuples! {
    A 0;
    A 0, B 1;
    A 0, B 1, C 2;
    A 0, B 1, C 2, D 3;
    A 0, B 1, C 2, D 3, E 4;
    A 0, B 1, C 2, D 3, E 4, F 5;
    A 0, B 1, C 2, D 3, E 4, F 5, G 6;
    A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7;
}
