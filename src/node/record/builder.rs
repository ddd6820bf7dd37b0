//! Creating and changing records.

use std::net::IpAddr;

use super::{NodeRecord, Pairs, RecordError, SCHEME, encode};
use crate::keccak::keccak256;
use crate::node::SecretKey;
use crate::rlp::{self, Encodable};

/// The content of a record before it is signed; see [`NodeRecord::builder`].
///
/// ```
/// use peermux::node::{NodeRecord, SecretKey};
///
/// let key = SecretKey::from_bytes(&[1; 32])?;
/// let record = NodeRecord::builder(1)
///     .ip([203, 0, 113, 5].into())
///     .tcp(30303)
///     .udp(30303)
///     .sign(&key)?;
/// assert_eq!(record.to_string().parse(), Ok(record));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct NodeRecordBuilder {
    pub(super) seq: u64,
    pub(super) pairs: Pairs,
}

impl NodeRecordBuilder {
    pub(super) fn new(seq: u64) -> Self {
        Self {
            seq,
            pairs: Pairs::new(),
        }
    }

    /// Sets `ip` or `ip6`, by the address's family; a record can have both.
    pub fn ip(self, ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => self.value("ip", &&ip.octets()[..]),
            IpAddr::V6(ip) => self.value("ip6", &&ip.octets()[..]),
        }
    }

    /// Sets the port for connections.
    pub fn tcp(self, port: u16) -> Self {
        self.value("tcp", &port)
    }

    /// Sets the port for discovery.
    pub fn udp(self, port: u16) -> Self {
        self.value("udp", &port)
    }

    /// Sets the port for connections over IPv6.
    ///
    /// Some clients do not read `tcp` for IPv6.
    pub fn tcp6(self, port: u16) -> Self {
        self.value("tcp6", &port)
    }

    /// Sets the port for discovery over IPv6.
    ///
    /// Some clients do not read `udp` for IPv6.
    pub fn udp6(self, port: u16) -> Self {
        self.value("udp6", &port)
    }

    /// Sets any other key.
    ///
    /// Signing overwrites `id` and `secp256k1`.
    pub fn value(mut self, key: impl Into<Vec<u8>>, value: &impl Encodable) -> Self {
        self.pairs.insert(key.into(), rlp::encode(value).to_vec());
        self
    }

    /// Sets a key to a value that is already RLP.
    #[cfg(feature = "server")]
    pub(crate) fn encoded(mut self, key: &[u8], value: &[u8]) -> Self {
        self.pairs.insert(key.to_vec(), value.to_vec());
        self
    }

    /// The keys that are set, each with its value as RLP.
    #[cfg(feature = "server")]
    pub(crate) fn pairs(&self) -> &Pairs {
        &self.pairs
    }

    /// Removes a key.
    pub fn remove(mut self, key: impl AsRef<[u8]>) -> Self {
        self.pairs.remove(key.as_ref());
        self
    }

    /// Adds the scheme and the public key, and signs the record.
    ///
    /// # Errors
    /// [`RecordError::TooLong`] if the record would exceed [`MAX_RECORD`](super::MAX_RECORD) bytes,
    /// [`RecordError::Canonical`] if a value does not encode to exactly one RLP value.
    pub fn sign(self, key: &SecretKey) -> Result<NodeRecord, RecordError> {
        let public_key = key.public_key().to_compressed();
        let Self { seq, pairs } = self
            .value("id", &SCHEME)
            .value("secp256k1", &&public_key[..]);
        let hash = keccak256(&[&encode(None, seq, &pairs)]);
        // A record's signature omits the last byte, the recovery id.
        let [signature @ .., _] = key.sign_recoverable(&hash);
        NodeRecord::decode(&encode(Some(&signature), seq, &pairs))
    }
}
