//! The handshake: one packet each way gives both sides a session ([devp2p rlpx.md], [EIP-8]).
//!
//! ```text
//! Initiator ── read_ack ──▶ Session
//! Recipient ── read_auth ─▶ AuthReceived ── answer ──▶ ack packet, Session
//! ```
//!
//! Each arrow consumes the state before it; a step that lacks bytes returns the state. The
//! handshake itself proves only that the recipient holds its static key. The initiator's first
//! frame with valid MACs proves that the initiator holds its static key.
//!
//! [devp2p rlpx.md]: https://github.com/ethereum/devp2p/blob/master/rlpx.md#initial-handshake
//! [EIP-8]: https://eips.ethereum.org/EIPS/eip-8

#[cfg(feature = "fuzzing")]
pub(in crate::rlpx) mod fuzzing;
mod initiator;
mod legacy;
mod packet;
mod recipient;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::RangeInclusive;

use rand::{CryptoRng, RngExt};
use zeroize::Zeroizing;

use super::binding::ChannelBinding;
use super::ecies::PacketRandomness;
use super::frame::{Egress, Ingress};
use crate::node::{PublicKey, SecretKey};

pub use initiator::Initiator;
pub use recipient::{AuthReceived, Recipient};

/// The range of the number of zeros after a packet's body.
///
/// The number is random, so that packets differ in size. It is at least 100, because receivers from
/// before EIP-8 wait for as many bytes as a packet in the old format has.
const PADDING: RangeInclusive<usize> = 100..=300;

type Nonce = Zeroizing<[u8; 32]>;

/// Whether packets in the format from before EIP-8 (2015) are accepted.
///
/// Current implementations neither send nor accept them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Legacy {
    /// Accepts EIP-8 packets only.
    #[default]
    Refuse,
    /// Accepts both formats, and answers a legacy auth with a legacy ack.
    Accept,
}

/// All random values of one side's handshake.
///
/// Use it for one handshake only: the session's secrecy depends on the ephemeral key and the nonce
/// in it. The values are wiped on drop.
pub struct HandshakeRandomness {
    ephemeral: SecretKey,
    nonce: Nonce,
    packet: PacketRandomness,
}

impl HandshakeRandomness {
    /// Draws everything from `rng`.
    pub fn random(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut nonce = Nonce::default();
        rng.fill_bytes(nonce.as_mut());
        let mut iv = [0; 16];
        rng.fill_bytes(&mut iv);
        Self::from_parts(
            SecretKey::random(rng),
            nonce,
            SecretKey::random(rng),
            iv,
            rng.random_range(PADDING),
        )
    }

    /// Sets every value, to reproduce known packets.
    ///
    /// `ephemeral` is the key from which the session's secrets are derived. `packet_key` and
    /// `packet_iv` encrypt the packet, and `padding` is the number of zeros after its body.
    pub fn from_parts(
        ephemeral: SecretKey,
        nonce: Zeroizing<[u8; 32]>,
        packet_key: SecretKey,
        packet_iv: [u8; 16],
        padding: usize,
    ) -> Self {
        Self {
            ephemeral,
            nonce,
            packet: PacketRandomness {
                ephemeral: packet_key,
                iv: packet_iv,
                padding,
            },
        }
    }
}

impl fmt::Debug for HandshakeRandomness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HandshakeRandomness(redacted)")
    }
}

/// The result of a step of the handshake.
#[derive(Debug)]
pub enum Step<S, T> {
    /// The packet is incomplete; nothing was taken from the input.
    NeedMore {
        /// The state for the next attempt.
        state: S,
        /// The minimum number of bytes still needed.
        bytes: usize,
    },
    /// The packet was taken from the input; any bytes left belong to the first frames.
    Done(T),
}

/// One side's state after the handshake.
#[derive(Debug)]
pub struct Session {
    /// The remote's static key: its identity.
    pub remote: PublicKey,
    /// Seals the frames that we send.
    pub egress: Egress,
    /// Opens the frames that we receive.
    pub ingress: Ingress,
    /// Identifies this connection; both sides compute the same value.
    pub binding: ChannelBinding,
}
