//! Disconnect and its reasons.

use std::fmt;

use bytes::{Bytes, BytesMut};

use crate::rlp::write::{put_list, put_number};

/// The longest uncompressed payload that is decoded; two bytes are the norm.
const MAX_PAYLOAD: usize = 2048;

/// The reason for the end of a connection: one byte, with names for some values.
///
/// A value without a name is kept unchanged. The type implements [`Error`](std::error::Error), so a
/// protocol can return a reason as its error, to choose what is sent to the remote.
///
/// ```
/// use peermux::p2p::DisconnectReason;
///
/// assert_eq!(DisconnectReason(0x04), DisconnectReason::TOO_MANY_PEERS);
/// assert_eq!(DisconnectReason::TOO_MANY_PEERS.to_string(), "too many peers");
/// assert_eq!(DisconnectReason(12).to_string(), "unknown disconnect reason 12");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DisconnectReason(pub u8);

macro_rules! reasons {
    ($($(#[$doc:meta])+ $name:ident = $code:literal, $text:literal;)+) => {
        impl DisconnectReason {
            $($(#[$doc])+ pub const $name: Self = Self($code);)+

            /// All reasons with a name, in the order of their codes.
            pub const NAMED: &'static [Self] = &[$(Self::$name),+];

            /// Returns the constant's name and text, or `None` for a value without a name.
            const fn entry(self) -> Option<(&'static str, &'static str)> {
                match self.0 {
                    $($code => Some((stringify!($name), $text)),)+
                    _ => None,
                }
            }
        }
    };
}

reasons! {
    /// The remote, or our own caller, requested the disconnect.
    REQUESTED = 0x00, "disconnect requested";
    /// The socket failed. Never sent, since the socket is gone.
    NETWORK_ERROR = 0x01, "network error";
    /// A malformed message, invalid RLP, or a message id without a protocol.
    BREACH_OF_PROTOCOL = 0x02, "breach of protocol";
    /// No shared capability, or disconnected to make room for another peer.
    USELESS_PEER = 0x03, "useless peer";
    /// No free slot.
    TOO_MANY_PEERS = 0x04, "too many peers";
    /// A connection to this node already exists.
    ALREADY_CONNECTED = 0x05, "already connected";
    /// The version of the base protocol is not supported.
    INCOMPATIBLE_VERSION = 0x06, "incompatible p2p protocol version";
    /// The Hello's public key is missing, all zero, or has the wrong length.
    INVALID_IDENTITY = 0x07, "invalid node identity";
    /// The node is shutting down, or a protocol's handler has ended normally.
    CLIENT_QUITTING = 0x08, "client quitting";
    /// The node is not the dialled one, or its Hello contradicts the handshake.
    UNEXPECTED_IDENTITY = 0x09, "unexpected identity";
    /// Both ends are the same node.
    CONNECTED_TO_SELF = 0x0a, "connected to self";
    /// The remote was silent for too long.
    READ_TIMEOUT = 0x0b, "read timeout";
    /// A subprotocol's own reason.
    SUBPROTOCOL_ERROR = 0x10, "subprotocol error";
    /// A Disconnect whose payload cannot be decoded. Never sent.
    INVALID = 0xff, "invalid disconnect reason";
}

impl DisconnectReason {
    /// Returns the reason if `error` is a reason, or the source of one.
    #[cfg(feature = "server")]
    pub(crate) fn of(error: &(dyn std::error::Error + 'static)) -> Option<Self> {
        let behind = || error.downcast_ref().map(|Code(code)| Self(*code));
        error.downcast_ref().copied().or_else(behind)
    }

    /// Returns the reason, or `None` if it is never sent.
    #[cfg(feature = "server")]
    pub(crate) fn sent(self) -> Option<Self> {
        (self != Self::NETWORK_ERROR && self != Self::INVALID).then_some(self)
    }

    /// Returns the reason's name in lower case for a metric, or `unknown`.
    #[cfg(feature = "server")]
    pub(crate) fn label(self) -> String {
        let name = self.entry().map(|(name, _)| name.to_ascii_lowercase());
        name.unwrap_or_else(|| "unknown".to_owned())
    }

    /// Encodes the payload of a Disconnect: a list of one integer.
    ///
    /// For all reasons below 0x80 it is two bytes long.
    pub fn encode(self) -> Bytes {
        let mut payload = BytesMut::new();
        put_list(&mut payload, |list| put_number(list, self.0.into()));
        payload.freeze()
    }
}

/// Reads the reason of a Disconnect, or returns `None` if it contains none.
///
/// `data` is the bytes after the message id; `compressed` is whether Snappy is on.
///
/// This never fails, because the connection ends in any case: the reason of malformed data is
/// [`DisconnectReason::INVALID`]. It accepts all forms that peers are known to send: a list of one
/// integer (devp2p), a bare integer (EthereumJS, older go-ethereum), zero as `80` or `00`, an empty
/// list, no data, further elements, and bytes after the value. With Snappy on, it also accepts the
/// uncompressed forms of at most two bytes (EthereumJS, reth while it rejects a Hello).
pub fn decode_disconnect(data: &[u8], compressed: bool) -> Option<DisconnectReason> {
    if !compressed || data.is_empty() {
        return decode_payload(data);
    }
    let mut payload = [0; MAX_PAYLOAD];
    match decompress(data, &mut payload) {
        Some(payload) => decode_payload(payload),
        None if data.len() <= 2 => decode_payload(data),
        None => Some(DisconnectReason::INVALID),
    }
}

fn decompress<'b>(data: &[u8], payload: &'b mut [u8]) -> Option<&'b [u8]> {
    let declared = snap::raw::decompress_len(data).ok()?;
    let payload = payload.get_mut(..declared)?;
    let written = snap::raw::Decoder::new().decompress(data, payload).ok()?;
    payload.get(..written)
}

/// Reads the reason from an uncompressed payload.
///
/// The RLP reader is not used here, because it would reject some forms that peers send (`00`, a
/// list cut short). These forms are not canonical but have a clear meaning.
fn decode_payload(data: &[u8]) -> Option<DisconnectReason> {
    let (declared, behind) = match data {
        [] | [0xc0, ..] => return None,
        [head @ 0xc1..=0xf7, behind @ ..] => (usize::from(head - 0xc0), behind),
        [0xf8, declared @ 56..=0xff, behind @ ..] => (usize::from(*declared), behind),
        bare => (bare.len(), bare),
    };
    let elements = behind.get(..declared).unwrap_or(behind);
    Some(match elements {
        [code @ 0x00..=0x7f, ..] => DisconnectReason(*code),
        [0x80, ..] => DisconnectReason(0),
        [0x81, code @ 0x80..=0xff, ..] => DisconnectReason(*code),
        _ => DisconnectReason::INVALID,
    })
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.entry() {
            Some((_, text)) => f.pad(text),
            None => write!(f, "unknown disconnect reason {}", self.0),
        }
    }
}

impl fmt::Debug for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.entry().map_or("unnamed", |(name, _)| name);
        write!(f, "DisconnectReason({name} = {:#04x})", self.0)
    }
}

impl std::error::Error for DisconnectReason {
    /// Returns an error with the reason's code.
    ///
    /// If a `transparent` error wraps a reason, the chain of sources skips the reason, but still
    /// contains this code.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        CODES.get(usize::from(self.0)).map(|code| code as _)
    }
}

/// A reason's code, which is the source of the reason in a chain of errors.
#[derive(Debug, Clone, Copy)]
struct Code(u8);

static CODES: [Code; 256] = {
    let mut codes = [Code(0); 256];
    let mut code = u8::MAX;
    while code > 0 {
        codes[code as usize] = Code(code);
        code -= 1;
    }
    codes
};

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "disconnect reason {:#04x}", self.0)
    }
}

impl std::error::Error for Code {}

#[cfg(feature = "serde")]
mod with_serde {
    use serde::ser::SerializeStruct;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::DisconnectReason;

    /// Serialises as `{"code": 4, "text": "too many peers"}`.
    impl Serialize for DisconnectReason {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut fields = serializer.serialize_struct("DisconnectReason", 2)?;
            fields.serialize_field("code", &self.0)?;
            fields.serialize_field("text", &self.to_string())?;
            fields.end()
        }
    }

    /// Deserialises from the code alone; the text is for people.
    impl<'de> Deserialize<'de> for DisconnectReason {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            #[derive(Deserialize)]
            struct Fields {
                code: u8,
            }
            Fields::deserialize(deserializer).map(|fields| Self(fields.code))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_table_defines_constants_names_and_texts() {
        assert_eq!(DisconnectReason::NAMED.len(), 14);
        assert!(DisconnectReason::NAMED.is_sorted());
        assert_eq!(
            format!("{:?}", DisconnectReason::READ_TIMEOUT),
            "DisconnectReason(READ_TIMEOUT = 0x0b)"
        );
        assert_eq!(
            format!("{:?}", DisconnectReason(0x0c)),
            "DisconnectReason(unnamed = 0x0c)"
        );
        assert_eq!(
            DisconnectReason(200).to_string(),
            "unknown disconnect reason 200"
        );
    }

    #[test]
    fn encodes_as_a_list_of_one() {
        assert_eq!(DisconnectReason::REQUESTED.encode()[..], [0xc1, 0x80]);
        assert_eq!(
            DisconnectReason::SUBPROTOCOL_ERROR.encode()[..],
            [0xc1, 0x10]
        );
        assert_eq!(DisconnectReason(0x80).encode()[..], [0xc2, 0x81, 0x80]);
    }

    #[test]
    fn the_first_element_of_a_long_list_is_read() {
        let mut long = vec![0xf8, 56, 0x04];
        long.resize(58, 0x01);
        assert_eq!(
            decode_disconnect(&long, false),
            Some(DisconnectReason::TOO_MANY_PEERS)
        );
    }

    #[test]
    fn an_element_does_not_reach_beyond_its_list() {
        assert_eq!(
            decode_disconnect(&[0xc1, 0x81, 0x90], false),
            Some(DisconnectReason::INVALID)
        );
    }

    #[test]
    fn a_declared_length_allocates_nothing() {
        // 16 MiB − 1, declared in four bytes.
        let bomb = [0xff, 0xff, 0xff, 0x07, 0x00, 0x04];
        assert_eq!(
            decode_disconnect(&bomb, true),
            Some(DisconnectReason::INVALID)
        );
    }

    #[test]
    fn no_data_means_no_reason() {
        assert_eq!(decode_disconnect(&[], true), None);
        assert_eq!(decode_disconnect(&[0x00], true), None);
        assert_eq!(decode_disconnect(&[0xc0], true), None);
    }

    #[cfg(feature = "serde")]
    #[test]
    fn serialises_with_code_and_text() {
        let json = serde_json::to_string(&DisconnectReason(4)).unwrap();
        assert_eq!(json, r#"{"code":4,"text":"too many peers"}"#);
        let back: DisconnectReason = serde_json::from_str(&json).unwrap();
        assert_eq!(back, DisconnectReason::TOO_MANY_PEERS);
    }

    proptest! {
        #[test]
        fn every_reason_round_trips(code: u8) {
            let reason = DisconnectReason(code);
            let payload = reason.encode();
            prop_assert_eq!(decode_disconnect(&payload, false), Some(reason));
            let compressed = snap::raw::Encoder::new().compress_vec(&payload).unwrap();
            prop_assert_eq!(decode_disconnect(&compressed, true), Some(reason));
            if payload.len() <= 2 {
                prop_assert_eq!(decode_disconnect(&payload, true), Some(reason));
            }
        }
    }
}
