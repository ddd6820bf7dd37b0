//! The macro that maps message codes to types.

/// Defines the typed messages of a subprotocol: an enum whose variants are its messages.
///
/// ```
/// use peermux::{Message, MessageError, RlpValue, WireMessage, messages};
///
/// messages! {
///     /// Looking after a cat.
///     #[derive(Debug, Clone, PartialEq)]
///     pub enum Cat, length = 5, max_size = "64 KiB" {
///         /// Feed it.
///         0x00 => Feed { grams: u64, food: String },
///         /// What it says.
///         0x01 => Says(String),
///         /// It sleeps.
///         0x02 => Sleeps,
///         /// Where it was, newest first.
///         #[rlp(max_size = "4 KiB")]
///         0x03 => Places {
///             #[rlp(max = 100)]
///             places: Vec<Place>,
///         },
///     }
/// }
///
/// /// A place, and the time when the cat arrived there.
/// #[derive(Debug, Clone, PartialEq, RlpValue)]
/// pub struct Place {
///     pub name: String,
///     pub seconds: u64,
/// }
///
/// let message = Message::new(Cat::Sleeps.code(), Cat::Sleeps.encode());
/// assert_eq!(message.payload[..], [0xc0]);
/// assert_eq!(Cat::decode(message), Ok(Cat::Sleeps));
///
/// let unknown = Cat::decode(Message::new(4, vec![0xc0]));
/// assert_eq!(unknown, Err(MessageError::UnknownCode { code: 4 }));
///
/// // [[["sofa", []]]]: a list takes the position of the seconds.
/// let wrong = Cat::decode(Message::new(3, b"\xc8\xc7\xc6\x84sofa\xc0".to_vec()));
/// let text = "message 0x03 of 9 bytes does not decode: \
///     Places.places[0].seconds: RLP value is not a byte string";
/// assert_eq!(wrong.unwrap_err().to_string(), text);
/// ```
///
/// # The set
///
/// | | |
/// |---|---|
/// | `length = N` | the number of codes that the protocol reserves; a code without a message is rejected as unknown |
/// | `max_size = "64 KiB"` | the largest payload in bytes, as a text or a `usize`; a larger one is neither decoded ([`MessageError::TooLarge`](crate::MessageError::TooLarge)) nor sent ([`SendError::TooLarge`](crate::SendError::TooLarge)) |
/// | `max_memory = "1 MiB"` | the maximum heap memory of a received message's values in bytes, not counting byte strings that share its payload; by default 4 MiB plus eight bytes for each byte of the payload |
///
/// `#[rlp(max_size = …, max_memory = …)]` on a message overrides the limits of the set. Derives and
/// other attributes apply to the enum.
///
/// # Messages
///
/// | message | payload |
/// |---|---|
/// | `Name { a: T, b: U }` | the RLP list `[a, b]`, of exactly these elements |
/// | `Name(T)` | the RLP value of `T` itself |
/// | `Name` | the empty list, `c0` |
/// | `Name { a: T, b: U } -> Answer`, and `Answer` itself | the same after an id: `[id, a, b]` |
/// | `Name(T) -> Answer` | `[id, T]`; if `T` is a struct, `[id, [a, b]]`, as in `eth/66` |
/// | `Name -> Answer` | `[id]` |
///
/// # Fields
///
/// A field is an [`RlpValue`](crate::RlpValue):
///
/// | type | RLP |
/// |---|---|
/// | `u8` to `u128` | a number |
/// | `bool` | the number 0 or 1 |
/// | `String` | a byte string of UTF-8 |
/// | [`Bytes`](crate::Bytes), `Vec<u8>`, `[u8; N]` | a byte string; `Bytes` shares the memory of the payload |
/// | `Vec<T>`, `[T; N]` | a list |
/// | [`Bounded<Vec<T>, N>`](crate::rlp::Bounded), or `#[rlp(max = N)]` before the field | a list of at most `N` items, or a byte string of at most `N` bytes; a longer one is rejected before it is built. `N` is a number or a constant |
/// | `Option<T>` | a list of zero or one item |
/// | `Option<T>` after `#[rlp(optional)]` | nothing, or the value; only the last fields of a list may be absent, e.g. fields that a later version has added. It combines with `max`: `#[rlp(optional, max = N)]` |
/// | tuples of up to eight | a list |
/// | a struct with `#[derive(RlpValue)]` | a list of its fields, with the same attributes |
/// | `Box<T>` | the same as `T` |
/// | `Ipv4Addr`, `Ipv6Addr`, `IpAddr`, [`NodeId`](crate::NodeId), [`PublicKey`](crate::PublicKey) | a byte string of the address, the id or the key |
/// | [`Raw`](crate::rlp::Raw) | any value, in its encoded form |
/// | [`Foreign<T>`](crate::rlp::Foreign) | a type of the `rlp` crate's traits |
///
/// A list of small items takes much more memory than its payload: 32 bytes for each empty
/// [`Bytes`](crate::Bytes), which takes one byte on the wire. `max_memory` limits this memory. A
/// `max` for each list and a `max_size` that fits the protocol are tighter limits and
/// self-documenting.
///
/// # Requests
///
/// `-> Answer` means that the message `Answer` of the same set answers this one. Several requests
/// may share an answer. On the wire, a request and its answer both begin with an id. Each of them
/// becomes a struct next to the enum. This struct gets the derives of the set and implements
/// [`Request`](crate::message::Request) or [`Response`](crate::message::Response). The enum's
/// variant holds the id and the struct:
///
/// ```
/// use peermux::message::{RequestMessages, Role};
/// use peermux::{WireMessage, messages};
///
/// messages! {
///     #[derive(Debug, PartialEq)]
///     pub enum Store, length = 3 {
///         /// Requests the values of some keys.
///         0x00 => Get { keys: Vec<String> } -> Values,
///         /// Their values.
///         0x01 => Values(Vec<Option<String>>),
///         /// A value has changed.
///         0x02 => Changed { key: String },
///     }
/// }
///
/// let get = Store::Get(7, Get { keys: vec!["a".into()] });
/// assert_eq!(get.role(), Role::Request(7));
/// assert_eq!(get.encode()[..], [0xc3, 0x07, 0xc1, b'a']);
/// let values = Store::Values(7, Values(vec![None]));
/// assert_eq!(values.encode()[..], [0xc3, 0x07, 0xc1, 0xc0]);
/// ```
///
/// # Errors
///
/// A mistake in a definition, for example two messages with the same code, is a compile error at
/// the position of the mistake:
///
/// ```compile_fail
/// peermux::messages! {
///     pub enum Cat, length = 2 {
///         0x01 => Says(String),
///         0x01 => Sleeps,
///     }
/// }
/// ```
#[macro_export]
macro_rules! messages {
    ($($set:tt)*) => {
        $crate::message::payload::messages! { ($crate) $($set)* }
    };
}

#[cfg(test)]
mod tests {
    use crate::message::{Request, RequestMessages, Response, Role};
    use crate::{Bytes, Message, MessageError, WireMessage};

    const MOST: usize = 3;

    messages! {
        #[derive(Debug, PartialEq)]
        enum Sample, length = 8, max_size = "1 KiB" {
            0x00 => Pair { left: u64, right: Bytes },
            0x01 => Blob(Bytes),
            0x02 => Nothing,
            #[rlp(max_size = MOST * 2)]
            0x03 => Words { #[rlp(max = MOST)] out: Vec<String>, #[rlp(optional)] list: Option<u8> },
            #[rlp(max_size = "1 MiB", max_memory = 100)]
            0x04 => Blobs(Vec<Bytes>),
            0x06 => Typed { r#type: u16 },
        }
    }

    fn round_trip(sample: &Sample) -> Message {
        let message = Message::new(sample.code(), sample.encode());
        assert_eq!(sample.to_payload(None), message.payload);
        assert_eq!(Sample::decode(message.clone()).as_ref(), Ok(sample));
        message
    }

    fn refused(code: u64, payload: &[u8]) -> MessageError {
        Sample::decode(Message::new(code, payload.to_vec())).expect_err("must be refused")
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
        let words = |list| Sample::Words {
            out: vec!["a".to_owned()],
            list,
        };
        assert_eq!(round_trip(&words(None)).payload[..], [0xc2, 0xc1, b'a']);
        assert_eq!(
            round_trip(&words(Some(7))).payload[..],
            [0xc3, 0xc1, b'a', 7]
        );
    }

    #[test]
    fn refuses_payloads_that_are_not_exactly_the_message() {
        assert_eq!(refused(5, &[0xc0]), MessageError::UnknownCode { code: 5 });
        for (code, payload) in [(2, &[0xc0, 0x00][..]), (1, &[0x81, 0x05]), (0, &[])] {
            assert!(matches!(
                refused(code, payload),
                MessageError::Malformed { .. }
            ));
        }
        for (code, payload) in [(2, &[0xc1, 0x01][..]), (1, &[0xc0]), (0, &[0xc1, 0x05])] {
            assert!(matches!(
                refused(code, payload),
                MessageError::Undecodable { .. }
            ));
        }
    }

    #[test]
    fn errors_name_the_field() {
        let path = |code, payload: &[u8]| match refused(code, payload) {
            MessageError::Undecodable { source, .. } => source.path().to_owned(),
            other => panic!("{other}"),
        };
        assert_eq!(path(0, &[0xc1, 0x05]), "Pair.right");
        assert_eq!(path(0, &[0xc3, 0x05, 0x80, 0x80]), "Pair");
        assert_eq!(path(1, &[0xc0]), "Blob");
        assert_eq!(path(3, &[0xc4, 0xc3, b'a', 0xc1, 0x80]), "Words.out[1]");
        assert_eq!(path(6, &[0xc1, 0xc0]), "Typed.type");
        let text =
            "message 0x06 of 2 bytes does not decode: Typed.type: RLP value is not a byte string";
        assert_eq!(refused(6, &[0xc1, 0xc0]).to_string(), text);
    }

    #[test]
    fn each_message_has_its_limits() {
        let (code, size) = (1, 1025);
        let large = refused(code, &[0x80; 1025]);
        assert_eq!(
            large,
            MessageError::TooLarge {
                code,
                size,
                limit: 1024
            }
        );
        assert!(matches!(
            refused(3, &[0x80; 7]),
            MessageError::TooLarge { limit: 6, .. }
        ));
        let words = refused(3, &[0xc5, 0xc4, b'a', b'b', b'c', b'd']).to_string();
        let limit = "Words.out: at most 3 items or bytes are allowed, not 4";
        assert!(words.ends_with(limit), "{words}");
        let blobs = refused(4, &Sample::Blobs(vec![Bytes::new(); 8]).encode()).to_string();
        assert!(
            blobs.ends_with("the values take more than 100 bytes of memory"),
            "{blobs}"
        );
        round_trip(&Sample::Blobs(vec![Bytes::new(); 2]));
    }

    messages! {
        /// A set with requests.
        #[derive(Debug, Clone, PartialEq)]
        enum Chain, length = 6 {
            /// Requests headers.
            0x00 => GetHeaders { first: u64, limit: u64 } -> Headers,
            /// Requests the newest header.
            0x01 => GetNewest -> Headers,
            /// Headers.
            0x02 => Headers(#[rlp(max = 2)] Vec<u64>),
            /// Requests the peer to stop.
            0x03 => Stop(String) -> Stopped,
            0x04 => Stopped,
            0x05 => NewBlock { number: u64 },
        }
    }

    fn chain(message: &Chain) -> Bytes {
        let payload = message.encode();
        let decoded = Chain::decode(Message::new(message.code(), payload.clone()));
        assert_eq!(decoded.as_ref(), Ok(message));
        payload
    }

    #[test]
    fn requests_and_their_answers_begin_with_the_id() {
        let get = GetHeaders { first: 1, limit: 2 };
        let headers = Headers(vec![7, 8]);
        let cases = [
            (get.clone().into_message(9), &[0xc3, 9, 1, 2][..]),
            (GetNewest.into_message(9), &[0xc1, 9]),
            (headers.into_message(9), &[0xc4, 9, 0xc2, 7, 8]),
            (Stop("now".to_owned()).into_message(0), b"\xc5\x80\x83now"),
            (Stopped.into_message(300), &[0xc3, 0x82, 1, 44]),
        ];
        for (message, payload) in cases {
            assert_eq!(chain(&message)[..], *payload, "{message:?}");
        }
        assert_eq!(
            GetHeaders::from_message(Chain::GetHeaders(5, get.clone())),
            Some((5, get))
        );
        assert_eq!(Headers::from_message(Chain::NewBlock { number: 5 }), None);
        assert_eq!((GetNewest::NAME, GetNewest::CODE), ("GetNewest", 1));
        assert_eq!((<Headers as Response>::NAME, Headers::CODE), ("Headers", 2));
    }

    #[test]
    fn each_message_has_its_role() {
        let role = |message: Chain| message.role();
        assert_eq!(role(Chain::GetNewest(5, GetNewest)), Role::Request(5));
        assert_eq!(role(Chain::Headers(6, Headers(vec![]))), Role::Response(6));
        assert_eq!(role(Chain::NewBlock { number: 7 }), Role::Other);
        let codes = 0..Chain::LENGTH.expect("typed");
        let (requests, responses) = (Chain::is_request, Chain::is_response);
        let requests: Vec<u64> = codes.clone().filter(|code| requests(*code)).collect();
        let responses: Vec<u64> = codes.filter(|code| responses(*code)).collect();
        assert_eq!(
            (&requests[..], &responses[..]),
            (&[0, 1, 3][..], &[2, 4][..])
        );
    }

    #[test]
    fn an_error_in_an_answer_names_the_field() {
        let path = |payload: &[u8]| match Chain::decode(Message::new(2, payload.to_vec())) {
            Err(MessageError::Undecodable { source, .. }) => source.path().to_owned(),
            other => panic!("{other:?}"),
        };
        assert_eq!(path(&[0xc2, 0xc0, 0xc0]), "Headers.id");
        assert_eq!(path(&[0xc4, 9, 0xc2, 7, 0xc0]), "Headers[1]");
        assert_eq!(path(&[0xc5, 9, 0xc3, 7, 7, 7]), "Headers");
    }
}
