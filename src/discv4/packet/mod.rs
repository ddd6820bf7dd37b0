//! The six packets, as bytes and as values: a pure codec.
//!
//! A packet is `hash || signature || type || data`. These are the Keccak-256 of all that follows,
//! the sender's signature of type and data, one byte for the type, and an RLP list ([wire
//! protocol](https://github.com/ethereum/devp2p/blob/master/discv4.md#wire-protocol)). As
//! [EIP-8](https://eips.ethereum.org/EIPS/eip-8) requires, further elements of the list, bytes
//! after the list, and other versions in a Ping are ignored.
//!
//! Packets are read in steps, the cheap ones first: [`Datagram::check`] compares the hash,
//! [`Datagram::packet`] reads the data, and [`Datagram::sender`] recovers the sender's key, which
//! takes a hundred times longer than the rest.

mod body;
mod error;

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use bytes::{BufMut, Bytes, BytesMut};

use crate::keccak::keccak256;
use crate::node::{NodeRecord, PublicKey, SecretKey, recover};

pub(super) use body::kind;
pub use error::PacketError;

/// The maximum length of a packet, in bytes.
pub const MAX_PACKET: usize = 1280;

/// Length of the leading hash, by which an answer identifies the packet that it answers.
const HASH: usize = 32;
const SIGNATURE: usize = 65;
/// Offset of the type.
const KIND: usize = HASH + SIGNATURE;

/// Keccak-256 of a packet without its first 32 bytes.
pub type PacketHash = [u8; HASH];

/// A node's address and ports, as packets contain them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WireEndpoint {
    /// The address; `None` if the sent bytes are neither an IPv4 nor an IPv6 address.
    pub ip: Option<IpAddr>,
    /// The port for discovery.
    pub udp: u16,
    /// The port for connections.
    pub tcp: u16,
}

impl WireEndpoint {
    /// Creates an endpoint from the address for discovery and the TCP port.
    #[must_use]
    pub fn new(udp: SocketAddr, tcp: u16) -> Self {
        Self {
            ip: Some(udp.ip().to_canonical()),
            udp: udp.port(),
            tcp,
        }
    }

    /// Returns the address and port for discovery, if there is an address.
    #[must_use]
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        Some(SocketAddr::new(self.ip?, self.udp))
    }
}

/// A node in a `Neighbors` packet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Neighbor {
    /// Its endpoint.
    pub endpoint: WireEndpoint,
    /// The bytes x || y of its key, which may not be on the curve.
    pub key: [u8; PublicKey::LENGTH],
}

impl fmt::Debug for Neighbor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.key;
        write!(
            f,
            "Neighbor({a:02x}{b:02x}{c:02x}{d:02x}… at {:?})",
            self.endpoint
        )
    }
}

/// Asks whether a node is alive, and proves our endpoint to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ping {
    /// The version of the protocol, 4; any other is accepted, too.
    pub version: u64,
    /// The sender's endpoint, as the sender knows it.
    pub from: WireEndpoint,
    /// The recipient's endpoint, as the sender sees it.
    pub to: WireEndpoint,
    /// Expiry as Unix time in seconds.
    pub expiration: u64,
    /// The sequence number of the sender's record, if the packet contains it.
    pub enr_seq: Option<u64>,
}

/// Answers a [`Ping`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pong {
    /// The endpoint from which the Ping came.
    pub to: WireEndpoint,
    /// The hash of the Ping; `None` if the sent bytes are not a hash.
    pub ping_hash: Option<PacketHash>,
    /// Expiry as Unix time in seconds.
    pub expiration: u64,
    /// The sequence number of the sender's record, if the packet contains it.
    pub enr_seq: Option<u64>,
}

/// Asks for the nodes nearest to a target.
#[derive(Clone, PartialEq, Eq)]
pub struct FindNode {
    /// 64 bytes, usually a public key, whose hash is the target.
    pub target: [u8; PublicKey::LENGTH],
    /// Expiry as Unix time in seconds.
    pub expiration: u64,
}

impl fmt::Debug for FindNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.target;
        write!(f, "FindNode({a:02x}{b:02x}{c:02x}{d:02x}…)")
    }
}

/// Answers a [`FindNode`], in one packet or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbors {
    /// The nodes.
    pub nodes: Vec<Neighbor>,
    /// Expiry as Unix time in seconds.
    pub expiration: u64,
}

/// Asks for a node's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrRequest {
    /// Expiry as Unix time in seconds.
    pub expiration: u64,
}

/// Answers an [`EnrRequest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrResponse {
    /// The hash of the request; `None` if the sent bytes are not a hash.
    pub request_hash: Option<PacketHash>,
    /// The record. Its signature is valid, but the receiver must check that the record is the
    /// sender's.
    pub record: NodeRecord,
}

/// A packet's data.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Packet {
    /// Type 0x01.
    Ping(Ping),
    /// Type 0x02.
    Pong(Pong),
    /// Type 0x03.
    FindNode(FindNode),
    /// Type 0x04.
    Neighbors(Neighbors),
    /// Type 0x05.
    EnrRequest(EnrRequest),
    /// Type 0x06.
    EnrResponse(EnrResponse),
}

/// A signed packet, ready to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The packet, at most [`MAX_PACKET`] bytes.
    pub bytes: Bytes,
    /// The packet's hash, by which an answer identifies the packet that it answers.
    pub hash: PacketHash,
}

impl Packet {
    /// Encodes and signs the packet.
    ///
    /// # Errors
    /// [`PacketError::TooLong`] if a `Neighbors` contains too many nodes; see [`Neighbors::split`].
    pub fn seal(&self, key: &SecretKey) -> Result<Sealed, PacketError> {
        let mut data = BytesMut::new();
        self.put_body(&mut data);
        let (bytes, hash) = assemble(key, self.kind(), &data);
        match bytes.len() {
            ..=MAX_PACKET => Ok(Sealed { bytes, hash }),
            got => Err(PacketError::TooLong {
                got,
                limit: MAX_PACKET,
            }),
        }
    }

    /// Returns the packet's expiry as Unix time in seconds; an `ENRResponse` has none.
    #[must_use]
    pub fn expiration(&self) -> Option<u64> {
        match self {
            Self::Ping(ping) => Some(ping.expiration),
            Self::Pong(pong) => Some(pong.expiration),
            Self::FindNode(find) => Some(find.expiration),
            Self::Neighbors(neighbors) => Some(neighbors.expiration),
            Self::EnrRequest(request) => Some(request.expiration),
            Self::EnrResponse(_) => None,
        }
    }
}

/// Signs type and data, and prepends hash and signature.
pub(super) fn assemble(key: &SecretKey, kind: u8, data: &[u8]) -> (Bytes, PacketHash) {
    let kind = [kind];
    let signature = key.sign_recoverable(&keccak256(&[&kind, data]));
    let hash = keccak256(&[&signature, &kind, data]);
    let mut bytes = BytesMut::with_capacity(KIND + 1 + data.len());
    bytes.put_slice(&hash);
    bytes.put_slice(&signature);
    bytes.put_slice(&kind);
    bytes.put_slice(data);
    (bytes.freeze(), hash)
}

/// Bytes that begin with the hash of the rest: most likely a packet.
#[derive(Debug, Clone, Copy)]
pub struct Datagram<'a> {
    hash: PacketHash,
    signature: &'a [u8; SIGNATURE],
    /// Type and data.
    signed: &'a [u8],
    kind: u8,
    data: &'a [u8],
}

impl<'a> Datagram<'a> {
    /// Checks length and hash.
    ///
    /// # Errors
    /// [`PacketError::TooShort`] or [`PacketError::TooLong`] for the length, [`PacketError::Hash`]
    /// if the hash does not match.
    pub fn check(bytes: &'a [u8]) -> Result<Self, PacketError> {
        if bytes.len() > MAX_PACKET {
            return Err(PacketError::TooLong {
                got: bytes.len(),
                limit: MAX_PACKET,
            });
        }
        let parts = || {
            let (hash, rest) = bytes.split_first_chunk::<HASH>()?;
            let (signature, signed) = rest.split_first_chunk::<SIGNATURE>()?;
            let (kind, data) = signed.split_first()?;
            Some((hash, rest, signature, signed, *kind, data))
        };
        let (hash, hashed, signature, signed, kind, data) =
            parts().ok_or(PacketError::TooShort {
                got: bytes.len(),
                least: KIND + 1,
            })?;
        if keccak256(&[hashed]) != *hash {
            return Err(PacketError::Hash);
        }
        Ok(Self {
            hash: *hash,
            signature,
            signed,
            kind,
            data,
        })
    }

    /// Returns the packet's hash.
    #[must_use]
    pub fn hash(&self) -> PacketHash {
        self.hash
    }

    /// Returns the type byte.
    #[must_use]
    pub fn kind(&self) -> u8 {
        self.kind
    }

    /// Reads the data.
    ///
    /// # Errors
    /// [`PacketError::Kind`] if the type is unknown, [`PacketError::Field`] if the data cannot be
    /// decoded, [`PacketError::Record`] if the record is not valid.
    pub fn packet(&self) -> Result<Packet, PacketError> {
        Packet::read_body(self.kind, self.data)
    }

    /// Returns the key that signed the packet.
    ///
    /// # Errors
    /// [`PacketError::Signature`] if no key can be recovered.
    pub fn sender(&self) -> Result<PublicKey, PacketError> {
        recover(self.signature, &keccak256(&[self.signed])).map_err(PacketError::Signature)
    }
}

#[cfg(test)]
mod tests;
