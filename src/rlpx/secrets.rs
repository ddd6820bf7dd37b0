//! Derives the keys of a session from the handshake ([devp2p rlpx.md], "Initial Handshake").
//!
//! [devp2p rlpx.md]: https://github.com/ethereum/devp2p/blob/master/rlpx.md#initial-handshake

use std::array;

use zeroize::Zeroizing;

use super::binding::ChannelBinding;
use super::frame::{Egress, Ingress};
use super::handshake::Session;
use super::mac::FrameMac;
use crate::keccak::{Keccak256, keccak256};
use crate::node::{PublicKey, SecretKey};

type Secret = Zeroizing<[u8; 32]>;

/// Our side of the handshake.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Initiator,
    Recipient,
}

/// Everything that the two packets exchanged, as known to one side.
pub(super) struct Exchange<'a> {
    pub(super) role: Role,
    pub(super) remote: PublicKey,
    pub(super) ephemeral: &'a SecretKey,
    pub(super) remote_ephemeral: &'a PublicKey,
    pub(super) initiator_nonce: &'a [u8; 32],
    pub(super) recipient_nonce: &'a [u8; 32],
    /// The packets on the wire, with their size prefixes.
    pub(super) auth: &'a [u8],
    pub(super) ack: &'a [u8],
}

/// The secrets that both sides derive from an exchange.
pub(super) struct Secrets {
    pub(super) shared: Secret,
    pub(super) aes: Secret,
    pub(super) mac: Secret,
}

impl Exchange<'_> {
    pub(super) fn secrets(&self) -> Secrets {
        let agreed = self.ephemeral.ecdh(self.remote_ephemeral);
        let nonces = keccak256(&[self.recipient_nonce, self.initiator_nonce]);
        let chain = |last: &[u8; 32]| Secret::new(keccak256(&[agreed.as_ref(), last]));
        let shared = chain(&nonces);
        let aes = chain(&shared);
        let mac = chain(&aes);
        Secrets { shared, aes, mac }
    }

    /// Returns the session.
    ///
    /// Each direction's MAC starts from the receiver's nonce and the packet sent in that direction.
    pub(super) fn session(&self) -> Session {
        let Secrets { shared, aes, mac } = self.secrets();
        let seeded = |nonce: &[u8; 32], packet: &[u8]| {
            let seed = xor(&mac, nonce);
            let mut state = Keccak256::new();
            state.update(seed.as_ref());
            state.update(packet);
            state
        };
        let from_initiator = seeded(self.recipient_nonce, self.auth);
        let from_recipient = seeded(self.initiator_nonce, self.ack);
        let [from_initiator, from_recipient] =
            FrameMac::pair(&mac, [from_initiator, from_recipient]);
        let (egress, ingress) = match self.role {
            Role::Initiator => (from_initiator, from_recipient),
            Role::Recipient => (from_recipient, from_initiator),
        };
        Session {
            remote: self.remote,
            egress: Egress::new(&aes, egress),
            ingress: Ingress::new(&aes, ingress),
            binding: ChannelBinding::new(&shared, self.auth, self.ack),
        }
    }
}

/// Returns the byte-wise exclusive or.
pub(super) fn xor(a: &[u8; 32], b: &[u8; 32]) -> Secret {
    Secret::new(array::from_fn(|i| a[i] ^ b[i]))
}
