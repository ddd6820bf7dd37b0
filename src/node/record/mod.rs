//! Node records.

mod builder;
mod endpoint;
mod error;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use bytes::{BufMut, Bytes, BytesMut};
use data_encoding::BASE64URL_NOPAD;

use super::excerpt::excerpt;
use super::{Endpoint, Enode, KeyError, NodeId, PublicKey};
use crate::keccak::keccak256;
use crate::rlp::write::{put_list, put_number, put_string};
use crate::rlp::{Decodable, Reader, RlpError, check_exact};

pub use builder::NodeRecordBuilder;
pub use error::RecordError;

/// The longest record, in encoded bytes.
pub const MAX_RECORD: usize = 300;

const PREFIX: &str = "enr:";
const SCHEME: &[u8] = b"v4";
const SIGNATURE_LENGTH: usize = 64;

/// The record's pairs: a key's bytes, and its value as RLP.
type Pairs = BTreeMap<Vec<u8>, Vec<u8>>;

/// A node's statement about itself, signed by its static key.
///
/// The format is [EIP-778](https://eips.ethereum.org/EIPS/eip-778) with the identity scheme "v4". A
/// record contains a sequence number and pairs of key and value. Of a node's records, the one with
/// the highest number is the newest. Every value of this type carries a valid signature. The text
/// form is `enr:`, followed by the encoding in URL-safe base64.
#[derive(Clone, PartialEq, Eq)]
pub struct NodeRecord {
    signature: [u8; SIGNATURE_LENGTH],
    seq: u64,
    pairs: Pairs,
    public_key: PublicKey,
}

impl NodeRecord {
    /// Starts a record with this sequence number.
    ///
    /// A node usually starts its first record with the current Unix time in milliseconds.
    pub fn builder(seq: u64) -> NodeRecordBuilder {
        NodeRecordBuilder::new(seq)
    }

    /// Starts the record that follows this one: the same pairs, the next sequence number.
    ///
    /// # Errors
    /// [`RecordError::SequenceExhausted`] if there is no next sequence number.
    pub fn update(&self) -> Result<NodeRecordBuilder, RecordError> {
        let seq = self
            .seq
            .checked_add(1)
            .ok_or(RecordError::SequenceExhausted)?;
        Ok(NodeRecordBuilder {
            seq,
            pairs: self.pairs.clone(),
        })
    }

    /// Decodes and verifies a record of at most [`MAX_RECORD`] bytes.
    ///
    /// The record must not be followed by other bytes.
    ///
    /// # Errors
    /// [`RecordError`] if the record is too long, malformed or wrongly signed; the error names the
    /// broken rule.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        if bytes.len() > MAX_RECORD {
            return Err(RecordError::TooLong {
                got: bytes.len(),
                limit: MAX_RECORD,
            });
        }
        check_exact(bytes).map_err(RecordError::Canonical)?;
        let mut list = Reader::new(bytes)
            .list()
            .map_err(|_| RecordError::NotAList)?;
        let elements = list.count();
        if elements < 2 {
            return Err(RecordError::TooFewElements {
                got: elements,
                expected: 2,
            });
        }
        let signature = list.string().map_err(field("signature"))?;
        let seq = list.number().map_err(field("sequence number"))?;
        let pairs = read_pairs(list)?;
        let public_key = verify(signature, seq, &pairs)?;
        Ok(Self {
            signature: exact_signature(signature)?,
            seq,
            pairs,
            public_key,
        })
    }

    /// Encodes the record as RLP, in at most [`MAX_RECORD`] bytes.
    ///
    /// A decoded record encodes to exactly the bytes that it was decoded from.
    pub fn encode(&self) -> Bytes {
        encode(Some(&self.signature), self.seq, &self.pairs)
    }

    /// The sequence number.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The node's static key.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The node's id, the hash of its key.
    pub fn node_id(&self) -> NodeId {
        self.public_key.node_id()
    }

    /// The keys and their values as RLP, in the order of the keys.
    pub fn pairs(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.pairs.iter().map(|(key, raw)| (&key[..], &raw[..]))
    }

    /// Returns the value of a key.
    ///
    /// `None` if the key is absent or its value is not of this type.
    pub fn get<T: Decodable>(&self, key: impl AsRef<[u8]>) -> Option<T> {
        crate::rlp::decode(self.pairs.get(key.as_ref())?).ok()
    }

    /// The node's endpoint; `None` if the record has no usable address.
    ///
    /// If the record has addresses of both families, the result has the address with the wider
    /// scope. From narrow to wide, the scopes are: unspecified, loopback, link-local, private,
    /// global. If the scopes are equal, the IPv4 address is used. Multicast addresses and values of
    /// the wrong length count as absent. An IPv6 address uses `tcp6` and `udp6`, or `tcp` and `udp`
    /// if those are absent. An absent port is 0.
    pub fn endpoint(&self) -> Option<Endpoint> {
        endpoint::all(self).next()
    }

    /// Returns the key and the [`endpoint`](Self::endpoint) as an enode.
    ///
    /// The enode has a second endpoint if the record contains addresses of both families with the
    /// same scope.
    pub fn to_enode(&self) -> Enode {
        endpoint::all(self).fold(
            Enode::incomplete(self.public_key),
            Enode::with_other_endpoint,
        )
    }
}

impl FromStr for NodeRecord {
    type Err = RecordError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let base64 = text
            .strip_prefix(PREFIX)
            .ok_or_else(|| RecordError::Prefix {
                found: excerpt(text),
            })?;
        let bytes =
            BASE64URL_NOPAD
                .decode(base64.as_bytes())
                .map_err(|error| RecordError::Base64 {
                    position: error.position,
                })?;
        Self::decode(&bytes)
    }
}

impl fmt::Display for NodeRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", BASE64URL_NOPAD.encode(&self.encode()))
    }
}

impl fmt::Debug for NodeRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeRecord")
            .field("id", &self.node_id())
            .field("seq", &self.seq)
            .field("endpoint", &self.endpoint())
            .finish_non_exhaustive()
    }
}

fn field(field: &'static str) -> impl Fn(RlpError) -> RecordError {
    move |source| RecordError::Field { field, source }
}

fn read_pairs(mut list: Reader<'_>) -> Result<Pairs, RecordError> {
    let mut pairs = Pairs::new();
    while list.end().is_err() {
        let key = list.string().map_err(field("key"))?;
        let text = || String::from_utf8_lossy(key).into_owned();
        match pairs.last_key_value() {
            Some((last, _)) if last == key => {
                return Err(RecordError::Duplicate { key: text() });
            }
            Some((last, _)) if &last[..] > key => {
                return Err(RecordError::Unsorted { key: text() });
            }
            _ => {}
        }
        let raw = list.raw().map_err(|_| RecordError::KeyWithoutValue)?;
        pairs.insert(key.to_vec(), raw.to_vec());
    }
    Ok(pairs)
}

fn required<'a>(pairs: &'a Pairs, key: &'static str) -> Result<&'a [u8], RecordError> {
    let raw = pairs
        .get(key.as_bytes())
        .ok_or(RecordError::Missing { key })?;
    Reader::new(raw).string().map_err(field(key))
}

/// Verifies the signature under the scheme "v4", and returns the signing key.
fn verify(signature: &[u8], seq: u64, pairs: &Pairs) -> Result<PublicKey, RecordError> {
    let scheme = required(pairs, "id")?;
    if scheme != SCHEME {
        return Err(RecordError::Scheme {
            found: String::from_utf8_lossy(scheme).into_owned(),
        });
    }
    let key = required(pairs, "secp256k1")?;
    let key = key.try_into().map_err(|_| KeyError::Length {
        got: key.len(),
        expected: 33,
    });
    let key = key
        .and_then(PublicKey::from_compressed)
        .map_err(RecordError::Key)?;
    key.verify(
        &exact_signature(signature)?,
        &keccak256(&[&encode(None, seq, pairs)]),
    )
    .map_err(|_| RecordError::Signature)?;
    Ok(key)
}

fn exact_signature(signature: &[u8]) -> Result<[u8; SIGNATURE_LENGTH], RecordError> {
    signature
        .try_into()
        .map_err(|_| RecordError::SignatureLength {
            got: signature.len(),
            expected: SIGNATURE_LENGTH,
        })
}

/// Encodes the record, or only the content to sign if `signature` is `None`.
fn encode(signature: Option<&[u8; SIGNATURE_LENGTH]>, seq: u64, pairs: &Pairs) -> Bytes {
    let mut record = BytesMut::new();
    put_list(&mut record, |list| {
        if let Some(signature) = signature {
            put_string(list, signature);
        }
        put_number(list, seq);
        for (key, raw) in pairs {
            put_string(list, key);
            list.put_slice(raw);
        }
    });
    record.freeze()
}

#[cfg(test)]
mod tests;
