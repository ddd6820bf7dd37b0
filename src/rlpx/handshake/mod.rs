//! The handshake: one packet each way, after which both sides share a session
//! ([devp2p rlpx.md], [EIP-8]).
//!
//! ```text
//! Initiator ── read_ack ──▶ Session
//! Recipient ── read_auth ─▶ AuthReceived ── answer ──▶ ack packet, Session
//! ```
//!
//! Each arrow consumes the state before it; a step that lacks bytes hands the state back. The
//! handshake itself proves only that the recipient holds its static key; the initiator's is
//! proven by the first frame whose MACs verify.
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

/// Zeros behind a packet's body. At least 100, because receivers from before EIP-8 wait for the
/// size of the old format; a random number, so that sizes differ.
const PADDING: RangeInclusive<usize> = 100..=300;

type Nonce = Zeroizing<[u8; 32]>;

/// Whether packets in the format from before EIP-8 (2015) are accepted. Current implementations
/// neither send nor accept them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Legacy {
    /// Only EIP-8 packets.
    #[default]
    Refuse,
    /// Both formats. A legacy auth is answered with a legacy ack.
    Accept,
}

/// Everything random in one side's handshake. It serves once: both parts of a session's secrecy,
/// the ephemeral key and the nonce, are in it. Wiped on drop.
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

    /// Sets every part, to reproduce known packets: the key that the session's secrets come from,
    /// the nonce, the key and the initial vector that the packet is encrypted with, and the number
    /// of zeros behind the packet's body.
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

/// Where a step of the handshake led.
#[derive(Debug)]
pub enum Step<S, T> {
    /// The packet is not complete; nothing was taken from the input.
    NeedMore {
        /// The state to go on with.
        state: S,
        /// How many more bytes are needed, at least.
        bytes: usize,
    },
    /// The packet was taken from the input. What is left there are the first frames.
    Done(T),
}

/// What both sides hold after the handshake.
#[derive(Debug)]
pub struct Session {
    /// The remote's static key: its identity.
    pub remote: PublicKey,
    /// Seals the frames that we send.
    pub egress: Egress,
    /// Opens the frames that we receive.
    pub ingress: Ingress,
    /// Names this connection; both sides compute the same value.
    pub binding: ChannelBinding,
}
