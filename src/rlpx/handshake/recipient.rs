//! The accepting side of the handshake.

use std::fmt;

use bytes::{Bytes, BytesMut};

use super::packet::{self, Ack, Auth, Format, Receiver, Reception};
use super::{HandshakeRandomness, Legacy, Nonce, Session, Step, legacy};
use crate::node::{PublicKey, SecretKey, recover};
use crate::rlpx::error::HandshakeError;
use crate::rlpx::secrets::{Exchange, Role, xor};

/// The recipient, while it waits for the auth.
pub struct Recipient {
    key: SecretKey,
    receiver: Receiver,
}

impl Recipient {
    /// Starts to wait for an auth packet addressed to the node with the static `key`.
    pub fn new(key: &SecretKey, legacy: Legacy) -> Self {
        Self {
            key: key.clone(),
            receiver: Receiver {
                legacy: (legacy == Legacy::Accept).then_some(legacy::AUTH_LENGTH),
            },
        }
    }

    /// Returns the minimum number of bytes that [`read_auth`](Self::read_auth) needs beyond
    /// `input`.
    ///
    /// If the result is 0, `read_auth` can process a packet. Processing the packet is most of a
    /// handshake's cost, so the caller may choose when to do it.
    ///
    /// # Errors
    /// [`HandshakeError`] if the size prefix is out of range.
    pub fn lacks(&self, input: &[u8]) -> Result<usize, HandshakeError> {
        self.receiver.lacks(input)
    }

    /// Takes the auth from the front of `input`, if it is complete.
    ///
    /// # Errors
    /// [`HandshakeError`] if the packet is malformed or made for another key. A size prefix out of
    /// range causes the error before the rest of the packet has arrived.
    pub fn read_auth(
        mut self,
        input: &mut BytesMut,
    ) -> Result<Step<Self, AuthReceived>, HandshakeError> {
        let received = match self.receiver.receive(&self.key, input)? {
            Reception::Packet(received) => received,
            Reception::NeedMore { bytes } => return Ok(Step::NeedMore { state: self, bytes }),
        };
        let auth = match received.format {
            Format::Eip8 => Auth::decode(&received.plaintext)?,
            Format::Legacy => legacy::decode_auth(&received.plaintext)?,
        };
        let signed = xor(&self.key.ecdh(&auth.initiator), &auth.nonce);
        let remote_ephemeral =
            recover(&auth.signature, &signed).map_err(HandshakeError::InvalidSignature)?;
        Ok(Step::Done(AuthReceived {
            remote: auth.initiator,
            remote_ephemeral,
            nonce: auth.nonce,
            auth: received.packet,
            format: received.format,
        }))
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recipient").finish_non_exhaustive()
    }
}

/// The recipient after it has read the auth, before it accepts the remote.
///
/// The identity is not proven yet. Anybody can replay another node's packet; only the holder of the
/// ephemeral key can send a valid frame afterwards.
pub struct AuthReceived {
    remote: PublicKey,
    pub(super) remote_ephemeral: PublicKey,
    nonce: Nonce,
    auth: Bytes,
    format: Format,
}

impl AuthReceived {
    /// Returns the static key that the initiator claims.
    pub fn remote(&self) -> &PublicKey {
        &self.remote
    }

    /// Returns the ack packet to send, and the session.
    ///
    /// The ack has the same format as the auth.
    ///
    /// # Errors
    /// [`HandshakeError::PaddingTooLong`] if `randomness` contains too much padding.
    /// [`HandshakeRandomness::random`] never returns too much.
    pub fn answer(
        self,
        randomness: HandshakeRandomness,
    ) -> Result<(Bytes, Session), HandshakeError> {
        let HandshakeRandomness {
            ephemeral,
            nonce,
            packet,
        } = randomness;
        let ack = Ack {
            ephemeral: ephemeral.public_key(),
            nonce: nonce.clone(),
        };
        let packet = match self.format {
            Format::Eip8 => packet::seal(ack.encode(), &self.remote, &packet)?,
            Format::Legacy => legacy::seal_ack(&ack, &self.remote, packet),
        };
        let session = self.exchange(&ephemeral, &nonce, &packet).session();
        Ok((packet, session))
    }

    pub(super) fn exchange<'a>(
        &'a self,
        ephemeral: &'a SecretKey,
        nonce: &'a [u8; 32],
        ack: &'a [u8],
    ) -> Exchange<'a> {
        Exchange {
            role: Role::Recipient,
            remote: self.remote,
            ephemeral,
            remote_ephemeral: &self.remote_ephemeral,
            initiator_nonce: &self.nonce,
            recipient_nonce: nonce,
            auth: &self.auth,
            ack,
        }
    }
}

impl fmt::Debug for AuthReceived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthReceived")
            .field("remote", &self.remote)
            .finish_non_exhaustive()
    }
}
