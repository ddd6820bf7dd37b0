//! Reasons for which received packets have no effect.

use std::net::IpAddr;

use crate::discv4::packet::PacketError;

/// Why a packet had no effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Dropped {
    /// It comes from an address that may not take part.
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
    /// It is not a packet.
    #[error("not a packet of Node Discovery v4")]
    Packet(#[from] PacketError),
    /// It has expired.
    #[error("the packet expired at {expiration}, and it is {now} (Unix time in seconds)")]
    Expired {
        /// Its expiry.
        expiration: u64,
        /// When it arrived.
        now: u64,
    },
    /// It answers no pending request.
    #[error("{packet} answers no pending request to {ip}")]
    Unsolicited {
        /// The type of the packet.
        packet: &'static str,
        /// Where it came from.
        ip: IpAddr,
    },
    /// It is a request that needs an endpoint proof.
    #[error("{packet} from a node that has not proven its address {ip}")]
    Unproven {
        /// The type of the packet.
        packet: &'static str,
        /// Where it came from.
        ip: IpAddr,
    },
    /// We made it ourselves.
    #[error("the packet is our own")]
    Own,
}
