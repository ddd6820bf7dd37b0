//! Why something that arrived had no effect.

use std::net::IpAddr;

use crate::discv4::packet::PacketError;

/// Why a packet had no effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Dropped {
    /// It comes from an address whose nodes take no part.
    #[error("{ip} is a private, local or unusable address, which takes no part")]
    Address {
        /// The address.
        ip: IpAddr,
    },
    /// Too many packets came from this address.
    #[error("more packets came from {ip} than it may send")]
    TooOften {
        /// The address.
        ip: IpAddr,
    },
    /// It is no packet.
    #[error("no packet of Node Discovery v4")]
    Packet(#[from] PacketError),
    /// Its time is over.
    #[error("the packet expired at {expiration}, and it is {now} (Unix time in seconds)")]
    Expired {
        /// Until when it counted.
        expiration: u64,
        /// When it arrived.
        now: u64,
    },
    /// It answers nothing that was asked there.
    #[error("{packet} answers nothing that {ip} was asked")]
    Unsolicited {
        /// What it is.
        packet: &'static str,
        /// Where it came from.
        ip: IpAddr,
    },
    /// It asks for what only a node with an endpoint proof is given.
    #[error("{packet} of a node that has not proven to be at {ip}")]
    Unproven {
        /// What it is.
        packet: &'static str,
        /// Where it came from.
        ip: IpAddr,
    },
    /// We made it ourselves.
    #[error("the packet is our own")]
    Own,
}
