//! Hello, with which each side introduces itself.

use bytes::{Bytes, BytesMut};

use super::{Capability, DisconnectReason, P2P_VERSION};
use crate::fault::Fault;
use crate::node::PublicKey;
use crate::printable::printable;
use crate::rlp::write::{put_list, put_number, put_string};
use crate::rlp::{Reader, RlpError, check_canonical};

/// The longest accepted Hello payload, in bytes; other implementations use the same limit.
pub const MAX_HELLO: usize = 2048;

/// The maximum number of capabilities in a Hello.
///
/// Real nodes list fewer than ten. A Hello of 2 KiB has room for hundreds of tiny capabilities,
/// each of which takes many times its encoded size in memory.
pub const MAX_CAPABILITIES: usize = 64;

/// The minimum number of list elements of a Hello.
const ELEMENTS: usize = 5;

/// The longest [`Hello::client_text`], in characters.
const CLIENT_TEXT: usize = 128;

/// The payload of each side's first frame.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hello {
    /// The version of the base protocol, see [`P2P_VERSION`](super::P2P_VERSION).
    ///
    /// A peer with a version other than ours is accepted too.
    pub version: u64,
    /// The name of the node's software, which may be any bytes.
    ///
    /// Use [`client_text`](Self::client_text) for display.
    pub client: Bytes,
    /// The node's capabilities, in the order of the Hello.
    ///
    /// Decoding omits entries whose name is not printable ASCII: no protocol of ours can have such
    /// a name, so they cannot match. Decoding fails if there are more than [`MAX_CAPABILITIES`].
    pub capabilities: Vec<Capability>,
    /// The TCP port on which the node claims to listen, or 0.
    ///
    /// A legacy field. It is not checked, and may exceed 16 bits.
    pub listen_port: u64,
    /// The node's static key. Compare it with the key that the handshake proved.
    pub public_key: PublicKey,
}

impl Hello {
    /// Returns a Hello with [our version](super::P2P_VERSION) of the base protocol and no port.
    ///
    /// `client` is the name of the software, and `public_key` the node's static key.
    pub fn new(
        client: impl Into<Bytes>,
        capabilities: Vec<Capability>,
        public_key: PublicKey,
    ) -> Self {
        Self {
            version: P2P_VERSION,
            client: client.into(),
            capabilities,
            listen_port: 0,
            public_key,
        }
    }

    /// Encodes the payload, without the message id.
    ///
    /// With a long client name or many capabilities the payload may exceed [`MAX_HELLO`], in which
    /// case remotes reject it.
    pub fn encode(&self) -> Bytes {
        let mut payload = BytesMut::new();
        put_list(&mut payload, |hello| {
            put_number(hello, self.version);
            put_string(hello, &self.client);
            put_list(hello, |list| {
                for capability in &self.capabilities {
                    put_list(list, |pair| {
                        put_string(pair, capability.name().as_bytes());
                        put_number(pair, capability.version());
                    });
                }
            });
            put_number(hello, self.listen_port);
            put_string(hello, &self.public_key.to_bytes());
        });
        payload.freeze()
    }

    /// Reads a payload, the bytes after the message id.
    ///
    /// As [EIP-8](https://eips.ethereum.org/EIPS/eip-8) requires, further list elements and bytes
    /// after the list are ignored. The encoding must be canonical.
    ///
    /// # Errors
    /// [`HelloError`] if the payload is too long or malformed, or contains an invalid key; send its
    /// [`reason`](HelloError::reason) to the remote.
    pub fn decode(payload: &[u8]) -> Result<Self, HelloError> {
        if payload.len() > MAX_HELLO {
            return Err(HelloError::TooLong {
                got: payload.len(),
                limit: MAX_HELLO,
            });
        }
        check_canonical(payload).map_err(HelloError::Canonical)?;
        let mut hello = Reader::new(payload)
            .list()
            .map_err(|_| HelloError::NotAList)?;
        let got = hello.count();
        if got < ELEMENTS {
            return Err(HelloError::TooFewElements {
                got,
                expected: ELEMENTS,
            });
        }
        let field = |field| move |source| HelloError::Field { field, source };
        Ok(Self {
            version: hello.number().map_err(field("version"))?,
            client: Bytes::copy_from_slice(hello.string().map_err(field("client"))?),
            capabilities: capabilities(hello.list().map_err(field("capabilities"))?)?,
            listen_port: hello.number().map_err(field("listen port"))?,
            public_key: public_key(hello.string().map_err(field("public key"))?)?,
        })
    }

    /// Returns the client's name for logs, in at most 128 characters.
    ///
    /// Invalid UTF-8 and characters that control a terminal are replaced.
    pub fn client_text(&self) -> String {
        printable(&String::from_utf8_lossy(&self.client), CLIENT_TEXT)
    }
}

/// Why a Hello is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HelloError {
    /// The payload is longer than [`MAX_HELLO`].
    #[error("hello of {got} bytes, at most {limit} are allowed")]
    TooLong {
        /// The payload's length in bytes.
        got: usize,
        /// The maximum length.
        limit: usize,
    },
    /// The payload does not begin with a canonical RLP value.
    #[error("hello is not canonical RLP")]
    Canonical(#[source] RlpError),
    /// The payload is not a list.
    #[error("hello is not a list")]
    NotAList,
    /// The list has too few elements.
    #[error("hello has {got} elements, at least {expected} are needed")]
    TooFewElements {
        /// The number of elements.
        got: usize,
        /// The required number of elements.
        expected: usize,
    },
    /// An element has the wrong type.
    #[error("hello's {field} cannot be decoded")]
    Field {
        /// The element's name.
        field: &'static str,
        /// The error in the element.
        source: RlpError,
    },
    /// A capability is not a pair of name and version.
    #[error("hello's capability {index} has {got} elements instead of 2")]
    CapabilityElements {
        /// The capability's index in the list.
        index: usize,
        /// The number of elements of the capability.
        got: usize,
    },
    /// There are more capabilities than [`MAX_CAPABILITIES`].
    #[error("hello lists {got} capabilities, at most {limit} are allowed")]
    TooManyCapabilities {
        /// The number of capabilities.
        got: usize,
        /// The maximum number.
        limit: usize,
    },
    /// The public key has the wrong length.
    #[error("hello's public key has {got} bytes instead of 64")]
    KeyLength {
        /// The key's length in bytes.
        got: usize,
    },
    /// The public key is all zero.
    #[error("hello's public key is zero")]
    KeyZero,
    /// The public key is not on the curve, so it is not the handshake's key.
    #[error("hello's public key is not on the curve")]
    KeyNotOnCurve,
}

impl HelloError {
    /// Returns the reason to send to the remote.
    pub fn reason(&self) -> DisconnectReason {
        match self {
            Self::KeyLength { .. } | Self::KeyZero => DisconnectReason::INVALID_IDENTITY,
            Self::KeyNotOnCurve => DisconnectReason::UNEXPECTED_IDENTITY,
            _ => DisconnectReason::BREACH_OF_PROTOCOL,
        }
    }

    /// Returns [`Fault::Remote`].
    pub fn fault(&self) -> Fault {
        Fault::Remote
    }
}

fn capabilities(mut list: Reader<'_>) -> Result<Vec<Capability>, HelloError> {
    let field = |source| HelloError::Field {
        field: "capabilities",
        source,
    };
    let count = list.count();
    if count > MAX_CAPABILITIES {
        return Err(HelloError::TooManyCapabilities {
            got: count,
            limit: MAX_CAPABILITIES,
        });
    }
    let mut capabilities = Vec::with_capacity(count);
    for index in 0..count {
        let mut pair = list.list().map_err(field)?;
        let got = pair.count();
        if got != 2 {
            return Err(HelloError::CapabilityElements { index, got });
        }
        let name = pair.string().map_err(field)?;
        let version = pair.number().map_err(field)?;
        let fit = name.iter().all(|byte| (b' '..=b'~').contains(byte));
        if let Some(name) = str::from_utf8(name).ok().filter(|_| fit) {
            capabilities.push(Capability::new(name, version));
        }
    }
    Ok(capabilities)
}

fn public_key(bytes: &[u8]) -> Result<PublicKey, HelloError> {
    let bytes: &[u8; 64] = bytes
        .try_into()
        .map_err(|_| HelloError::KeyLength { got: bytes.len() })?;
    if bytes.iter().all(|&byte| byte == 0) {
        return Err(HelloError::KeyZero);
    }
    PublicKey::from_bytes(bytes).map_err(|_| HelloError::KeyNotOnCurve)
}

#[cfg(test)]
mod tests;
