//! Reasons for which received packets have no effect.

use std::net::IpAddr;

use crate::discv4::packet::PacketError;

/// Why a packet had no effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Dropped {
    /// The packet was sent from an address that may not take part in discovery.
    #[error("{ip} is a private, local or unusable address, which may not take part")]
    Address {
        /// The address.
        ip: IpAddr,
    },
    /// Too many packets came from this address.
    #[error("too many packets came from {ip}")]
    TooOften {
        /// The address.
        ip: IpAddr,
    },
    /// The datagram is not a packet of this protocol.
    #[error("not a packet of Node Discovery v4")]
    Packet(#[from] PacketError),
    /// The packet has expired.
    #[error("the packet expired at {expiration}, and it is {now} (Unix time in seconds)")]
    Expired {
        /// The expiry in the packet.
        expiration: u64,
        /// When the packet arrived.
        now: u64,
    },
    /// The packet answers no pending request.
    #[error("{packet} answers no pending request to {ip}")]
    Unsolicited {
        /// The type of the packet.
        packet: &'static str,
        /// The address that the packet was sent from.
        ip: IpAddr,
    },
    /// The packet is a request that needs an endpoint proof.
    #[error("{packet} from a node that has not proven its address {ip}")]
    Unproven {
        /// The type of the packet.
        packet: &'static str,
        /// The address that the packet was sent from.
        ip: IpAddr,
    },
    /// The packet is one of our own.
    #[error("the packet is our own")]
    Own,
}
