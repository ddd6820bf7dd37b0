//! `enode://` URLs.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use super::excerpt::excerpt;
use super::{Endpoint, EndpointError, Host, KeyError, NodeId, PublicKey};

const SCHEME: &str = "enode://";

/// Hexadecimal digits of a public key.
const KEY_DIGITS: usize = 2 * PublicKey::LENGTH;

/// A node's key and, if known, its endpoint: `enode://<key>@<host>:<tcp>[?discport=<udp>]`.
///
/// The key is written as 128 hexadecimal digits. Without an endpoint the URL is incomplete,
/// `enode://<key>`; parsing also accepts the bare key. The format is that of devp2p's
/// [enode URL](https://github.com/ethereum/devp2p/blob/master/discv4.md#enode-url).
///
/// ```
/// use peermux::node::Enode;
///
/// let key = "ca634cae0d49acb401d8a4c6b6fe8c55b70d115bf400769cc1400f3258cd3138\
///            7574077f301b421bc84df7266c44e9e6d569fc56be00812904767bf5ccd1fc7f";
/// let enode: Enode = format!("enode://{key}@[::1]:30303?discport=30301").parse()?;
/// assert_eq!(enode.public_key().to_string(), key);
/// assert_eq!(enode.endpoint().map(|endpoint| endpoint.udp), Some(30301));
/// # Ok::<(), peermux::node::EnodeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Enode {
    public_key: PublicKey,
    endpoint: Option<Endpoint>,
    /// A second endpoint, from a node record. The URL cannot express it.
    other: Option<Endpoint>,
}

impl Enode {
    /// Returns a node at an address, with the same port for connections and discovery.
    pub fn new(public_key: PublicKey, address: SocketAddr) -> Self {
        Self::with_endpoint(public_key, address.into())
    }

    /// Returns a node at an endpoint.
    ///
    /// An IPv6 address that contains an IPv4 address becomes that IPv4 address.
    pub fn with_endpoint(public_key: PublicKey, mut endpoint: Endpoint) -> Self {
        if let Host::Ip(ip) = &mut endpoint.host {
            *ip = ip.to_canonical();
        }
        Self {
            public_key,
            endpoint: Some(endpoint),
            other: None,
        }
    }

    /// Adds another endpoint of the same node.
    ///
    /// A record may name one endpoint for each address family. The URL does not contain the second
    /// endpoint, so this endpoint is lost where only the URL is stored.
    #[must_use]
    pub fn with_other_endpoint(mut self, other: Endpoint) -> Self {
        let other = Self::with_endpoint(self.public_key, other).endpoint;
        match self.endpoint {
            None => self.endpoint = other,
            Some(_) => self.other = other.filter(|other| self.endpoint.as_ref() != Some(other)),
        }
        self
    }

    /// Returns a node whose endpoint is unknown.
    pub fn incomplete(public_key: PublicKey) -> Self {
        Self {
            public_key,
            endpoint: None,
            other: None,
        }
    }

    /// The node's static key.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The node's id, the hash of its key.
    pub fn node_id(&self) -> NodeId {
        self.public_key.node_id()
    }

    /// The node's endpoint, if known.
    pub fn endpoint(&self) -> Option<&Endpoint> {
        self.endpoint.as_ref()
    }

    /// The endpoint to dial by TCP.
    ///
    /// `None` if there is no endpoint, or its TCP port is 0.
    #[must_use]
    pub fn tcp_endpoint(&self) -> Option<&Endpoint> {
        self.endpoint().filter(|endpoint| endpoint.tcp != 0)
    }

    /// All endpoints to dial by TCP, [`tcp_endpoint`](Self::tcp_endpoint) first; at most two.
    pub fn tcp_endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        let all = self.endpoint.iter().chain(&self.other);
        all.filter(|endpoint| endpoint.tcp != 0)
    }

    /// Keeps only the endpoint with this address, or all endpoints if none has it.
    #[cfg(feature = "server")]
    pub(crate) fn reached_at(&self, addr: Option<SocketAddr>) -> Self {
        let reached = |endpoint: &Endpoint| addr.is_some() && endpoint.socket_addr() == addr;
        let known = self.tcp_endpoints().any(reached);
        let node = self.clone();
        if known { node.only(reached) } else { node }
    }

    /// Keeps only the endpoints that `wanted` accepts.
    #[cfg(feature = "server")]
    pub(crate) fn only(self, mut wanted: impl FnMut(&Endpoint) -> bool) -> Self {
        let all = self.endpoint.into_iter().chain(self.other);
        let mut wanted = all.filter(|endpoint| wanted(endpoint));
        Self {
            public_key: self.public_key,
            endpoint: wanted.next(),
            other: wanted.next(),
        }
    }
}

/// Why a text is not an enode URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnodeError {
    /// The text does not begin with `enode://`, in lower case.
    #[error("enode URL begins with {found:?} instead of \"enode://\"")]
    Scheme {
        /// The beginning of the text.
        found: String,
    },
    /// The text is a node record (`enr:`), which [`Node`](super::Node) parses.
    #[error("this is a node record (enr:) where an enode URL is needed")]
    NodeRecord,
    /// There is no public key before the endpoint.
    #[error("enode URL has no public key before {found:?}")]
    KeyMissing {
        /// The text found instead of the key.
        found: String,
    },
    /// The public key does not have 128 digits.
    #[error("public key has {got} hexadecimal digits instead of {KEY_DIGITS}")]
    KeyLength {
        /// The number of digits.
        got: usize,
    },
    /// The public key contains something that is not a hexadecimal digit.
    #[error(
        "public key contains {found:?} at position {position}, which is not a hexadecimal digit"
    )]
    KeyHex {
        /// The first character that is not a digit.
        found: char,
        /// The position of this character in the key, in characters from 0.
        position: usize,
    },
    /// The public key is not a point on the curve secp256k1.
    #[error("public key {key:?} is not a point on the curve secp256k1")]
    KeyNotOnCurve {
        /// The beginning of the key.
        key: String,
    },
    /// There is a query but no endpoint.
    #[error("query {query:?} follows the public key without an endpoint")]
    QueryWithoutEndpoint {
        /// Everything after the question mark.
        query: String,
    },
    /// Host, port or query is invalid.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
}

impl FromStr for Enode {
    type Err = EnodeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some(url) = text.strip_prefix(SCHEME) else {
            return bare_key(text).map(Self::incomplete);
        };
        let authority = url.split('?').next().unwrap_or(url);
        if let Some(at) = authority.rfind('@') {
            let key = parse_key(&url[..at], url)?;
            return Ok(Self::with_endpoint(key, url[at + 1..].parse()?));
        }
        if authority.contains(['.', ':', '[']) {
            return Err(EnodeError::KeyMissing {
                found: excerpt(url),
            });
        }
        let key = parse_key(authority, url)?;
        match url.split_once('?') {
            None => Ok(Self::incomplete(key)),
            Some((_, query)) => Err(EnodeError::QueryWithoutEndpoint {
                query: excerpt(query),
            }),
        }
    }
}

impl fmt::Display for Enode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.public_key)?;
        match &self.endpoint {
            Some(endpoint) => write!(f, "@{endpoint}"),
            None => Ok(()),
        }
    }
}

/// Reads a text without the scheme, which can only be a key.
fn bare_key(text: &str) -> Result<PublicKey, EnodeError> {
    if text.len() == KEY_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return parse_key(text, text);
    }
    if text.starts_with("enr:") {
        return Err(EnodeError::NodeRecord);
    }
    let scheme = text.split_inclusive("://").next().unwrap_or_default();
    Err(EnodeError::Scheme {
        found: excerpt(scheme),
    })
}

fn parse_key(key: &str, url: &str) -> Result<PublicKey, EnodeError> {
    if key.is_empty() {
        return Err(EnodeError::KeyMissing {
            found: excerpt(url),
        });
    }
    let no_digit = key
        .chars()
        .enumerate()
        .find(|(_, char)| !char.is_ascii_hexdigit());
    if let Some((position, found)) = no_digit {
        return Err(EnodeError::KeyHex { found, position });
    }
    key.parse().map_err(|error| match error {
        KeyError::Length { .. } => EnodeError::KeyLength { got: key.len() },
        _ => EnodeError::KeyNotOnCurve { key: excerpt(key) },
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::node::SecretKey;

    fn key(seed: u8) -> PublicKey {
        SecretKey::from_bytes(&[seed; 32]).unwrap().public_key()
    }

    fn error(text: impl AsRef<str>) -> EnodeError {
        text.as_ref().parse::<Enode>().unwrap_err()
    }

    #[test]
    fn a_bare_key_is_an_incomplete_enode() {
        let key = key(1);
        let enode = Enode::incomplete(key);
        assert_eq!(key.to_string().parse(), Ok(enode.clone()));
        assert_eq!(format!("enode://{key}").parse(), Ok(enode));
    }

    #[test]
    fn errors_name_the_invalid_part() {
        let key = key(1);
        for text in ["", "enode", "enode:/", "ENODE://", "http://x"] {
            assert!(matches!(error(text), EnodeError::Scheme { .. }), "{text}");
        }
        assert_eq!(error("enr:-IS4"), EnodeError::NodeRecord);
        assert_eq!(
            error(format!("http://{key}@1.2.3.4:3")),
            EnodeError::Scheme {
                found: "http://".into()
            }
        );
        for text in ["enode://", "enode://@1.2.3.4:3", "enode://node.org:3"] {
            assert!(
                matches!(error(text), EnodeError::KeyMissing { .. }),
                "{text}"
            );
        }
        assert_eq!(
            error(format!("enode://0{key}@1.2.3.4:3")),
            EnodeError::KeyLength { got: 129 }
        );
        assert_eq!(
            error(format!("enode://0x{key}@1.2.3.4:3")),
            EnodeError::KeyHex {
                found: 'x',
                position: 1
            }
        );
        let off_curve = "01".repeat(64);
        assert!(matches!(
            error(format!("enode://{off_curve}")),
            EnodeError::KeyNotOnCurve { .. }
        ));
        assert!(matches!(error(off_curve), EnodeError::KeyNotOnCurve { .. }));
        assert_eq!(
            error(format!("enode://{key}?discport=3")),
            EnodeError::QueryWithoutEndpoint {
                query: "discport=3".into()
            }
        );
        assert_eq!(
            error(format!("enode://{key}@1.2.3.4")),
            EndpointError::PortMissing {
                host: "1.2.3.4".into()
            }
            .into()
        );
    }

    #[test]
    fn a_secret_key_given_by_mistake_is_not_repeated() {
        let secret = "5ec2e7".repeat(11);
        let places = [
            secret.clone(),
            format!("0x{secret}"),
            format!("enode://{secret}"),
            format!("enode://{secret}@{secret}:{secret}"),
            format!("enode://{}@{secret}", key(1)),
            format!("enode://{}@x:{secret}", key(1)),
            format!("enode://{}@x:1?discport={secret}", key(1)),
            format!("enode://{}?{secret}", key(1)),
        ];
        for text in places {
            let (enode, node) = (error(&text), text.parse::<super::super::Node>());
            for error in [enode.to_string(), node.unwrap_err().to_string()] {
                assert!(!error.contains(&secret[..8]), "{text}: {error}");
            }
        }
    }

    #[test]
    fn an_at_sign_in_the_query_is_not_a_separator() {
        let enode = Enode::new(key(1), ([1, 2, 3, 4], 3).into());
        assert_eq!(format!("{enode}?x=a@b").parse(), Ok(enode));
    }

    #[cfg(feature = "serde")]
    #[test]
    fn serialises_as_text() {
        let enode = Enode::new(key(1), ([1, 2, 3, 4], 3).into());
        let json = serde_json::to_string(&enode).unwrap();
        assert_eq!(json, format!("\"{enode}\""));
        assert_eq!(serde_json::from_str::<Enode>(&json).unwrap(), enode);
        assert!(serde_json::from_str::<Enode>("\"enode://\"").is_err());
    }

    fn host() -> impl Strategy<Value = Host> {
        prop_oneof![
            any::<std::net::IpAddr>().prop_map(|ip| Host::Ip(ip.to_canonical())),
            "[a-z][a-z0-9]{0,9}(\\.[a-z]{1,5}){0,3}\\.?".prop_map(Host::Dns),
        ]
    }

    proptest! {
        #[test]
        fn text_round_trips(seed in 1u8..255, host in host(), tcp: u16, udp: u16) {
            let enode = Enode::with_endpoint(key(seed), Endpoint { host, tcp, udp });
            prop_assert_eq!(enode.to_string().parse(), Ok(enode));
        }

        #[test]
        fn parsed_enodes_print_as_text_that_parses(tail in "[@:?\\[\\]0-9a-f.=&discport]{0,30}") {
            if let Ok(enode) = format!("enode://{}{tail}", key(1)).parse::<Enode>() {
                prop_assert_eq!(enode.to_string().parse(), Ok(enode));
            }
        }
    }
}
