//! The six packets, as bytes and as values: a pure codec.
//!
//! A packet is `hash || signature || type || data`: Keccak-256 of what follows it, the sender's
//! signature of type and data, one byte, and a list in RLP
//! ([wire protocol](https://github.com/ethereum/devp2p/blob/master/discv4.md#wire-protocol)).
//! As [EIP-8](https://eips.ethereum.org/EIPS/eip-8) asks, further elements of the list and bytes
//! behind it are passed over, and so is another version in a Ping.
//!
//! Reading goes in steps, the cheap ones first: [`Datagram::check`] compares the hash,
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

/// The longest packet, in bytes.
pub const MAX_PACKET: usize = 1280;

/// Bytes of the hash in front, which names a packet in the answer to it.
const HASH: usize = 32;
const SIGNATURE: usize = 65;
/// Where the type stands.
const KIND: usize = HASH + SIGNATURE;

/// Keccak-256 of all of a packet but its first 32 bytes.
pub type PacketHash = [u8; HASH];

/// Where a node is, as packets tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WireEndpoint {
    /// The address; `None` if what was sent is neither an IPv4 nor an IPv6 address.
    pub ip: Option<IpAddr>,
    /// The port for discovery.
    pub udp: u16,
    /// The port for connections.
    pub tcp: u16,
}

impl WireEndpoint {
    /// The endpoint with this address and port for discovery.
    #[must_use]
    pub fn new(udp: SocketAddr, tcp: u16) -> Self {
        Self {
            ip: Some(udp.ip().to_canonical()),
            udp: udp.port(),
            tcp,
        }
    }

    /// Address and port for discovery, if there is an address.
    #[must_use]
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        Some(SocketAddr::new(self.ip?, self.udp))
    }
}

/// A node in a `Neighbors` packet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Neighbor {
    /// Where it is.
    pub endpoint: WireEndpoint,
    /// The bytes x || y of its key, which need not be a point on the curve.
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

/// Asks whether a node is there, and proves to it that we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ping {
    /// The version of the protocol, 4; any other is as good.
    pub version: u64,
    /// Where the sender believes to be.
    pub from: WireEndpoint,
    /// Where the recipient is, as the sender sees it.
    pub to: WireEndpoint,
    /// Unix time in seconds from which on the packet counts no more.
    pub expiration: u64,
    /// The sequence number of the sender's record, if the packet has it.
    pub enr_seq: Option<u64>,
}

/// Answers a [`Ping`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pong {
    /// Where the Ping came from.
    pub to: WireEndpoint,
    /// The hash of the Ping; `None` if what was sent is no hash.
    pub ping_hash: Option<PacketHash>,
    /// Unix time in seconds from which on the packet counts no more.
    pub expiration: u64,
    /// The sequence number of the sender's record, if the packet has it.
    pub enr_seq: Option<u64>,
}

/// Asks for the nodes nearest to a target.
#[derive(Clone, PartialEq, Eq)]
pub struct FindNode {
    /// 64 bytes whose hash is the target, mostly a public key.
    pub target: [u8; PublicKey::LENGTH],
    /// Unix time in seconds from which on the packet counts no more.
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
    /// Unix time in seconds from which on the packet counts no more.
    pub expiration: u64,
}

/// Asks for a node's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrRequest {
    /// Unix time in seconds from which on the packet counts no more.
    pub expiration: u64,
}

/// Answers an [`EnrRequest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrResponse {
    /// The hash of the request; `None` if what was sent is no hash.
    pub request_hash: Option<PacketHash>,
    /// The record, whose signature is right. Whether it is the sender's is for the reader to check.
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

/// A packet that is ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The packet, at most [`MAX_PACKET`] bytes.
    pub bytes: Bytes,
    /// Its hash, by which an answer names it.
    pub hash: PacketHash,
}

impl Packet {
    /// Encodes and signs the packet.
    ///
    /// # Errors
    /// [`PacketError::TooLong`] if there are too many nodes in a `Neighbors`; see
    /// [`Neighbors::split`].
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

    /// The Unix time in seconds from which on the packet counts no more; an `ENRResponse` has none.
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

/// Signs type and data, and puts hash and signature in front.
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

/// Bytes that begin with the hash of what follows: most likely a packet.
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
    /// [`PacketError::TooShort`], [`PacketError::TooLong`] and [`PacketError::Hash`].
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
        match keccak256(&[hashed]) == *hash {
            true => Ok(Self {
                hash: *hash,
                signature,
                signed,
                kind,
                data,
            }),
            false => Err(PacketError::Hash),
        }
    }

    /// The packet's hash.
    #[must_use]
    pub fn hash(&self) -> PacketHash {
        self.hash
    }

    /// The byte that says which packet it is.
    #[must_use]
    pub fn kind(&self) -> u8 {
        self.kind
    }

    /// Reads the data.
    ///
    /// # Errors
    /// [`PacketError::Kind`], [`PacketError::Field`] and [`PacketError::Record`].
    pub fn packet(&self) -> Result<Packet, PacketError> {
        Packet::read_body(self.kind, self.data)
    }

    /// The key that signed the packet.
    ///
    /// # Errors
    /// [`PacketError::Signature`] if none can be recovered.
    pub fn sender(&self) -> Result<PublicKey, PacketError> {
        recover(self.signature, &keccak256(&[self.signed])).map_err(PacketError::Signature)
    }
}

#[cfg(test)]
mod tests;
