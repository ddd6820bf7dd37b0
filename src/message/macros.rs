//! The macro that maps message codes to RLP types.

/// Defines the typed messages of a subprotocol: an enum whose variants are its message codes.
///
/// Each variant takes one code and has one of three payloads:
///
/// | variant | payload |
/// |---|---|
/// | `Name { a: T, b: U }` | the RLP list `[a, b]`, of exactly these elements |
/// | `Name(T)` | the RLP value of `T` itself |
/// | `Name` | the empty list, `c0` |
///
/// Types implement [`Encodable`](crate::rlp::Encodable) and [`Decodable`](crate::rlp::Decodable).
/// `length` is the number of codes the protocol reserves; a code that is reserved but has no
/// variant is refused on receipt like an unknown one. Two variants with one code, or a code that
/// is not below `length`, do not compile.
///
/// ```
/// use peermux::{Message, MessageError, WireMessage, messages};
///
/// messages! {
///     /// Looking after a cat.
///     #[derive(Clone)]
///     pub enum Cat, length = 4 {
///         /// Feed it.
///         0x00 => Feed { grams: u64, food: String },
///         /// What it says.
///         0x01 => Says(String),
///         /// It sleeps.
///         0x02 => Sleeps,
///     }
/// }
///
/// let message = Message::new(Cat::Sleeps.code(), Cat::Sleeps.encode());
/// assert_eq!(message.payload[..], [0xc0]);
/// assert!(matches!(Cat::decode(message), Ok(Cat::Sleeps)));
/// let unknown = Message::new(3, vec![0xc0]);
/// assert!(matches!(Cat::decode(unknown), Err(MessageError::UnknownCode { code: 3 })));
/// ```
#[macro_export]
macro_rules! messages {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident, length = $length:literal {
            $(
                $(#[$variant_meta:meta])*
                $code:literal => $variant:ident
                    $( { $($field:ident : $field_type:ty),+ $(,)? } )?
                    $( ( $value_type:ty ) )?
            ),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, PartialEq, Eq)]
        $vis enum $name {
            $(
                $(#[$variant_meta])*
                $variant
                    $( { $(#[allow(missing_docs)] $field: $field_type),+ } )?
                    $( ( $value_type ) )?
            ),+
        }

        const _: () = {
            $( assert!($code < $length, "a message code is not below the length"); )+
            let codes: &[u64] = &[$($code),+];
            let mut i = 0;
            while i < codes.len() {
                let mut j = i + 1;
                while j < codes.len() {
                    assert!(codes[i] != codes[j], "two messages have the same code");
                    j += 1;
                }
                i += 1;
            }
        };

        impl $crate::WireMessage for $name {
            const LENGTH: ::core::option::Option<u64> = ::core::option::Option::Some($length);

            fn code(&self) -> u64 {
                match self {
                    $( Self::$variant { .. } => $code ),+
                }
            }

            fn encode(&self) -> $crate::Bytes {
                $crate::message::fields::encode(
                    |out| $crate::messages!(@append self, out, $(
                        $variant $( { $($field : $field_type),+ } )? $( ( $value_type ) )?),+))
            }

            fn to_payload(
                &self,
                spare: ::core::option::Option<&$crate::message::fields::Spare>,
            ) -> $crate::Bytes {
                #[allow(unused_imports)]
                use $crate::message::fields::{AnyField as _, Field, encode_shared};
                let size = match self {
                    $(
                        $crate::messages!(@pattern value, $variant
                            $( { $($field),+ } )? $( ( $value_type ) )?) =>
                            1 $( $( + Field::<$field_type>::new().size($field) )+ )?
                                $( + Field::<$value_type>::new().size(value) )?
                    ),+
                };
                encode_shared(
                    size,
                    spare,
                    |out| $crate::messages!(@append self, out, $(
                        $variant $( { $($field : $field_type),+ } )? $( ( $value_type ) )?),+))
            }

            fn decode(
                message: $crate::Message,
            ) -> ::core::result::Result<Self, $crate::MessageError> {
                let code = message.code;
                let size = message.payload.len();
                let payload = &message.payload;
                let malformed = |source| $crate::MessageError::Malformed { code, size, source };
                let decoded = match code {
                    $(
                        $code => {
                            $crate::rlp::check_exact(payload).map_err(malformed)?;
                            $crate::messages!(@decode payload, $variant
                                $( { $($field : $field_type),+ } )? $( ( $value_type ) )?)
                        }
                    )+
                    _ => return ::core::result::Result::Err(
                        $crate::MessageError::UnknownCode { code }),
                };
                decoded.map_err(
                    |source| $crate::MessageError::Undecodable { code, size, source })
            }
        }
    };

    (@pattern $value:ident, $variant:ident { $($field:ident),+ }) => { Self::$variant { $($field),+ } };
    (@pattern $value:ident, $variant:ident ( $value_type:ty )) => { Self::$variant($value) };
    (@pattern $value:ident, $variant:ident) => { Self::$variant };

    (@append $self:ident, $out:ident, $(
        $variant:ident $( { $($field:ident : $field_type:ty),+ } )? $( ( $value_type:ty ) )?
    ),+) => {
        match $self {
            $(
                $crate::messages!(@pattern value, $variant
                    $( { $($field),+ } )? $( ( $value_type ) )?) =>
                    $crate::messages!(@encode value, $out,
                        $( { $($field : $field_type),+ } )? $( ( $value_type ) )?)
            ),+
        }
    };

    (@encode $value:ident, $out:ident, { $($field:ident : $field_type:ty),+ }) => {{
        #[allow(unused_imports)]
        use $crate::message::fields::{AnyField as _, Field};
        $crate::rlp::put_list($out, |list| {
            $( Field::<$field_type>::new().append($field, list); )+
        });
    }};
    (@encode $value:ident, $out:ident, ( $value_type:ty )) => {{
        #[allow(unused_imports)]
        use $crate::message::fields::{AnyField as _, Field};
        Field::<$value_type>::new().append($value, $out);
    }};
    (@encode $value:ident, $out:ident,) => {
        $crate::rlp::put_list($out, |_| {})
    };

    (@decode $payload:ident, $variant:ident { $($field:ident : $field_type:ty),+ }) => {{
        #[allow(unused_imports)]
        use $crate::message::fields::{AnyField as _, Field};
        $crate::rlp::Reader::new($payload).list().and_then(|mut list| {
            $( let $field = Field::<$field_type>::new().decode(&mut list, $payload)?; )+
            list.end()?;
            ::core::result::Result::Ok(Self::$variant { $($field),+ })
        })
    }};
    (@decode $payload:ident, $variant:ident ( $value_type:ty )) => {{
        #[allow(unused_imports)]
        use $crate::message::fields::{AnyField as _, Field};
        Field::<$value_type>::new()
            .decode(&mut $crate::rlp::Reader::new($payload), $payload)
            .map(Self::$variant)
    }};
    (@decode $payload:ident, $variant:ident) => {
        $crate::rlp::Reader::new($payload)
            .list()
            .and_then(|list| list.end())
            .map(|()| Self::$variant)
    };
}

#[cfg(test)]
mod tests {
    use crate::{Bytes, Message, MessageError, WireMessage};

    messages! {
        enum Sample, length = 5 {
            0x00 => Pair { left: u64, right: Bytes },
            0x01 => Blob(Bytes),
            0x02 => Nothing,
        }
    }

    fn round_trip(sample: &Sample) -> Message {
        let message = Message::new(sample.code(), sample.encode());
        assert_eq!(Sample::decode(message.clone()).as_ref(), Ok(sample));
        message
    }

    #[test]
    fn each_form_has_its_payload() {
        let pair = round_trip(&Sample::Pair {
            left: 5,
            right: Bytes::from_static(b"cat"),
        });
        assert_eq!(pair.payload[..], [0xc5, 0x05, 0x83, b'c', b'a', b't']);
        assert_eq!(round_trip(&Sample::Blob(Bytes::new())).payload[..], [0x80]);
        assert_eq!(round_trip(&Sample::Nothing).payload[..], [0xc0]);
    }

    #[test]
    fn refuses_what_is_not_exactly_the_message() {
        let refused = |code, payload: &[u8]| {
            Sample::decode(Message::new(code, payload.to_vec())).expect_err("must be refused")
        };
        assert_eq!(refused(3, &[0xc0]), MessageError::UnknownCode { code: 3 });
        assert!(matches!(
            refused(2, &[0xc0, 0x00]),
            MessageError::Malformed { .. }
        ));
        assert!(matches!(
            refused(2, &[0xc1, 0x01]),
            MessageError::Undecodable { .. }
        ));
        assert!(matches!(
            refused(1, &[0xc0]),
            MessageError::Undecodable { .. }
        ));
        assert!(matches!(
            refused(1, &[0x81, 0x05]),
            MessageError::Malformed { .. }
        ));
        assert!(matches!(
            refused(0, &[0xc1, 0x05]),
            MessageError::Undecodable { .. }
        ));
        assert!(matches!(refused(0, &[]), MessageError::Malformed { .. }));
    }
}
