//! The dialling side of the handshake.

use std::fmt;

use bytes::{Bytes, BytesMut};

use super::packet::{self, Ack, Auth, Format, Receiver, Reception};
use super::{HandshakeRandomness, Legacy, Nonce, Session, Step, legacy};
use crate::node::{PublicKey, SecretKey};
use crate::rlpx::error::HandshakeError;
use crate::rlpx::secrets::{Exchange, Role, xor};

/// The initiator, while it waits for the ack.
pub struct Initiator {
    pub(super) key: SecretKey,
    pub(super) remote: PublicKey,
    pub(super) ephemeral: SecretKey,
    pub(super) nonce: Nonce,
    /// Our packet on the wire.
    pub(super) auth: Bytes,
    pub(super) receiver: Receiver,
}

impl Initiator {
    /// Starts a handshake with the node `remote`, and returns the auth packet to send.
    ///
    /// `key` is our static key. With values from [`HandshakeRandomness::random`], the packet is 384
    /// to 584 bytes long.
    ///
    /// # Errors
    /// [`HandshakeError::PaddingTooLong`] if `randomness` contains too much padding.
    /// [`HandshakeRandomness::random`] never returns too much.
    pub fn new(
        key: &SecretKey,
        remote: &PublicKey,
        randomness: HandshakeRandomness,
    ) -> Result<(Self, Bytes), HandshakeError> {
        let HandshakeRandomness {
            ephemeral,
            nonce,
            packet,
        } = randomness;
        let signed = xor(&key.ecdh(remote), &nonce);
        let auth = Auth {
            signature: ephemeral.sign_recoverable(&signed),
            initiator: key.public_key(),
            nonce: nonce.clone(),
        };
        let auth = packet::seal(auth.encode(), remote, &packet)?;
        let initiator = Self {
            key: key.clone(),
            remote: *remote,
            ephemeral,
            nonce,
            auth: auth.clone(),
            receiver: Receiver { legacy: None },
        };
        Ok((initiator, auth))
    }

    /// Sets whether a legacy ack is accepted; the default is [`Legacy::Refuse`].
    #[must_use]
    pub fn with_legacy(mut self, legacy: Legacy) -> Self {
        self.receiver.legacy = (legacy == Legacy::Accept).then_some(legacy::ACK_LENGTH);
        self
    }

    /// Returns the minimum number of bytes that [`read_ack`](Self::read_ack) needs beyond `input`.
    ///
    /// If the result is 0, `read_ack` can process a packet. Processing the packet is most of a
    /// handshake's cost, so the caller may choose when to do it.
    ///
    /// # Errors
    /// [`HandshakeError`] if the size prefix is out of range.
    pub fn lacks(&self, input: &[u8]) -> Result<usize, HandshakeError> {
        self.receiver.lacks(input)
    }

    /// Takes the ack from the front of `input`, if complete, and derives the session.
    ///
    /// # Errors
    /// [`HandshakeError`] if the packet is malformed or made for another key.
    pub fn read_ack(mut self, input: &mut BytesMut) -> Result<Step<Self, Session>, HandshakeError> {
        let received = match self.receiver.receive(&self.key, input)? {
            Reception::Packet(received) => received,
            Reception::NeedMore { bytes } => return Ok(Step::NeedMore { state: self, bytes }),
        };
        let ack = match received.format {
            Format::Eip8 => Ack::decode(&received.plaintext)?,
            Format::Legacy => legacy::decode_ack(&received.plaintext)?,
        };
        let exchange = Exchange {
            role: Role::Initiator,
            remote: self.remote,
            ephemeral: &self.ephemeral,
            remote_ephemeral: &ack.ephemeral,
            initiator_nonce: &self.nonce,
            recipient_nonce: &ack.nonce,
            auth: &self.auth,
            ack: &received.packet,
        };
        Ok(Step::Done(exchange.session()))
    }
}

impl fmt::Debug for Initiator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Initiator")
            .field("remote", &self.remote)
            .finish_non_exhaustive()
    }
}
