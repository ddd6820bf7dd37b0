//! The proof of identity at the start of a connection.

use std::time::Duration;

use bytes::Bytes;

use super::identity::Provider;
use super::message::{ESTABLISH, Establish, Incoming};
use super::{ConnInfo, IdentityError, IdentityProvider, IdentityRecord, PeerId};
use crate::channel::{ProtocolConn, SendError};
use crate::message::{Message, MessageError};
use crate::node::NodeId;
use crate::p2p::DisconnectReason;
use crate::peer::Peer;
use crate::peer::ProtocolError;
use crate::setup::Direction;

const DOMAIN: &[u8] = b"peermux/comm/1/establish";

/// Why the remote did not prove an identity, with one variant for each step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EstablishError {
    /// The remote's proof did not arrive in time.
    #[error("nothing was received within {after:?}")]
    TimedOut {
        /// The time limit.
        after: Duration,
    },
    /// The connection ended before the proof was complete.
    #[error("the connection ended first")]
    Ended,
    /// This node's proof could not be made.
    #[error("this node's proof failed: {0}")]
    Own(IdentityError),
    /// This node's proof could not be sent.
    #[error("this node's proof was not sent: {0}")]
    Send(SendError),
    /// The remote's message cannot be decoded.
    #[error(transparent)]
    Malformed(MessageError),
    /// The remote's first message is not an Establish.
    #[error("the first message has the code {code:#04x} instead of {ESTABLISH:#04x}")]
    WrongType {
        /// The code of the message.
        code: u64,
    },
    /// The remote gave no id.
    #[error("the remote gave no id")]
    MissingId,
    /// The remote's identity does not have the id that the remote sent.
    #[error("the identity's id is {actual}, not the one that the remote sent")]
    IdMismatch {
        /// The id computed from the identity.
        actual: PeerId,
    },
    /// The remote's identity is not accepted.
    #[error(transparent)]
    Identity(IdentityError),
    /// The proof was made for another connection.
    #[error("the proof is for another connection")]
    BindingMismatch,
    /// The signature does not match the identity, the nodes and this connection.
    #[error("the signature does not match the identity, the nodes and the connection")]
    BadSignature,
    /// The remote proved this node's own identity.
    #[error("the remote has this node's own identity")]
    OwnIdentity,
    /// The same identity replaced its connection less than a second ago.
    #[error("the identity replaced its connection a moment ago")]
    ReplacedTooSoon,
    /// The layer was stopped.
    #[error("comm is stopping")]
    Stopped,
}

impl EstablishError {
    /// The disconnect reason for the remote.
    pub(crate) fn reason(&self) -> DisconnectReason {
        match self {
            Self::TimedOut { .. } => DisconnectReason::READ_TIMEOUT,
            Self::Malformed(_) | Self::WrongType { .. } | Self::MissingId => {
                DisconnectReason::BREACH_OF_PROTOCOL
            }
            Self::IdMismatch { .. } | Self::BindingMismatch | Self::BadSignature => {
                DisconnectReason::UNEXPECTED_IDENTITY
            }
            Self::OwnIdentity => DisconnectReason::CONNECTED_TO_SELF,
            Self::ReplacedTooSoon => DisconnectReason::ALREADY_CONNECTED,
            Self::Stopped | Self::Ended => DisconnectReason::CLIENT_QUITTING,
            _ => DisconnectReason::SUBPROTOCOL_ERROR,
        }
    }
}

/// A failed proof, which disconnects the peer: our error, and the reason that is sent.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
struct EstablishFailure {
    error: EstablishError,
    #[source]
    reason: DisconnectReason,
}

impl From<EstablishError> for ProtocolError {
    fn from(error: EstablishError) -> Self {
        let reason = error.reason();
        Self::other(EstablishFailure { error, reason })
    }
}

/// The facts that both proofs of one connection cover.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) own: NodeId,
    pub(crate) remote: NodeId,
    pub(crate) direction: Direction,
    pub(crate) binding: [u8; 32],
}

impl Terms {
    pub(crate) fn new(own: NodeId, peer: &Peer) -> Self {
        Self {
            own,
            remote: peer.id(),
            direction: peer.direction(),
            binding: *peer.channel_binding().as_bytes(),
        }
    }

    /// The node that opened the connection.
    pub(crate) fn dialler(&self) -> NodeId {
        match self.direction {
            Direction::Outbound => self.own,
            Direction::Inbound => self.remote,
        }
    }

    /// The bytes that a proof signs. All parts but the last have a fixed length, so different
    /// statements never have the same bytes.
    fn statement(&self, signer: Direction, probe: bool, identity: &[u8]) -> Vec<u8> {
        let (dialler, listener) = match self.direction {
            Direction::Outbound => (self.own, self.remote),
            Direction::Inbound => (self.remote, self.own),
        };
        let role = u8::from(signer == Direction::Inbound);
        [
            DOMAIN,
            &[role, u8::from(probe)],
            dialler.as_bytes(),
            listener.as_bytes(),
            &self.binding,
            identity,
        ]
        .concat()
    }

    /// Makes this node's proof.
    pub(crate) fn prove(
        &self,
        provider: &dyn IdentityProvider,
        probe: bool,
    ) -> Result<Establish, IdentityError> {
        let identity = provider.identity();
        let id = provider.id_of(&identity)?;
        let statement = self.statement(self.direction, probe, &identity);
        Ok(Establish {
            id: Bytes::copy_from_slice(id.as_bytes()),
            signature: provider.sign(&statement)?,
            identity,
            binding: self.binding,
            probe,
        })
    }

    /// Checks the remote's proof.
    pub(crate) fn check(
        &self,
        provider: &dyn IdentityProvider,
        theirs: &Establish,
        now: Duration,
    ) -> Result<IdentityRecord, EstablishError> {
        if theirs.id.is_empty() {
            return Err(EstablishError::MissingId);
        }
        let actual = provider
            .id_of(&theirs.identity)
            .map_err(EstablishError::Identity)?;
        if theirs.id[..] != actual.as_bytes()[..] {
            return Err(EstablishError::IdMismatch { actual });
        }
        if theirs.binding != self.binding {
            return Err(EstablishError::BindingMismatch);
        }
        let (statement, identity) = (self.theirs(theirs), &theirs.identity);
        provider
            .verify(identity, &statement, &theirs.signature)
            .map_err(|error| match error {
                IdentityError::BadSignature => EstablishError::BadSignature,
                error => EstablishError::Identity(error),
            })?;
        IdentityRecord::examine(provider, identity, now).map_err(EstablishError::Identity)
    }

    /// The bytes that the remote's proof signs.
    pub(crate) fn theirs(&self, theirs: &Establish) -> Vec<u8> {
        let signer = match self.direction {
            Direction::Outbound => Direction::Inbound,
            Direction::Inbound => Direction::Outbound,
        };
        self.statement(signer, theirs.probe, &theirs.identity)
    }
}

/// The result of the remote's proof.
pub(crate) struct Proven {
    pub(crate) info: ConnInfo,
    pub(crate) record: IdentityRecord,
    /// The remote only asks which identity is here, and then closes the connection.
    pub(crate) probe: bool,
}

/// Sends this node's proof, then checks the remote's. The caller limits the time.
pub(crate) async fn exchange(
    peer: &Peer,
    conn: &mut ProtocolConn,
    terms: Terms,
    provider: &Provider,
    probe: bool,
    now: Duration,
) -> Result<Proven, EstablishError> {
    let ours = provider.ask(move |provider| terms.prove(provider, probe));
    let ours = ours.await.flatten().map_err(EstablishError::Own)?;
    conn.send(&Message::new(ESTABLISH, ours.encode()))
        .await
        .map_err(|error| match error {
            error if error.is_shutting_down() => EstablishError::Ended,
            error => EstablishError::Send(error),
        })?;
    let received = conn.recv().await.map_err(EstablishError::Malformed)?;
    let message = received.ok_or(EstablishError::Ended)?.into_inner();
    let incoming = Incoming::decode(&message).map_err(EstablishError::Malformed)?;
    let Incoming::Establish(theirs) = incoming else {
        return Err(EstablishError::WrongType { code: message.code });
    };
    let check = provider.ask(move |provider| {
        let record = terms.check(provider, &theirs, now);
        record.map(|record| (theirs, record))
    });
    let (theirs, record) = check.await.map_err(EstablishError::Identity)??;
    let info = ConnInfo {
        id: record.id,
        organisation: record.organisation.clone(),
        node: peer.id(),
        enode: peer.enode(),
        direction: peer.direction(),
        signed: terms.theirs(&theirs).into(),
        identity: record.identity.clone(),
        // The signature is copied, since a slice would keep the whole received message in memory.
        signature: Bytes::copy_from_slice(&theirs.signature),
    };
    let probe = theirs.probe;
    Ok(Proven {
        info,
        record,
        probe,
    })
}

#[cfg(test)]
mod tests {
    use super::super::Secp256k1Identity;
    use super::*;
    use crate::node::SecretKey;

    const NOW: Duration = Duration::ZERO;

    fn identity() -> Secp256k1Identity {
        Secp256k1Identity::new(SecretKey::random(&mut rand::rng()))
    }

    /// The terms of one connection as its dialler and as its listener see them.
    fn both_ends(binding: u8) -> (Terms, Terms) {
        let (a, b) = (NodeId::from_bytes([1; 32]), NodeId::from_bytes([2; 32]));
        let terms = |own, remote, direction| Terms {
            own,
            remote,
            direction,
            binding: [binding; 32],
        };
        (
            terms(a, b, Direction::Outbound),
            terms(b, a, Direction::Inbound),
        )
    }

    #[test]
    fn a_proof_is_good_for_one_connection_one_direction_and_one_pair_of_nodes() {
        let (dialler, listener) = both_ends(7);
        let provider = identity();
        let proof = dialler.prove(&provider, false).unwrap();
        assert!(listener.check(&provider, &proof, NOW).is_ok());

        let (_, other) = both_ends(8);
        let relayed = other.check(&provider, &proof, NOW);
        assert_eq!(relayed, Err(EstablishError::BindingMismatch));
        let mut claimed = proof.clone();
        claimed.binding = [8; 32];
        let forged = other.check(&provider, &claimed, NOW);
        assert_eq!(forged, Err(EstablishError::BadSignature));

        let reflected = dialler.check(&provider, &proof, NOW);
        assert_eq!(reflected, Err(EstablishError::BadSignature));

        let mut elsewhere = listener;
        elsewhere.own = NodeId::from_bytes([3; 32]);
        let forwarded = elsewhere.check(&provider, &proof, NOW);
        assert_eq!(forwarded, Err(EstablishError::BadSignature));
    }

    #[test]
    fn each_changed_part_of_a_proof_causes_its_own_error() {
        let (dialler, listener) = both_ends(7);
        let provider = identity();
        let proof = dialler.prove(&provider, false).unwrap();
        let check = |change: &dyn Fn(&mut Establish)| {
            let mut changed = proof.clone();
            change(&mut changed);
            listener
                .check(&provider, &changed, NOW)
                .expect_err("changed")
        };
        let error = check(&|proof| proof.id = Bytes::new());
        assert_eq!(error, EstablishError::MissingId);
        let error = check(&|proof| proof.id = Bytes::from_static(&[0; 32]));
        assert!(matches!(error, EstablishError::IdMismatch { .. }));
        let error = check(&|proof| proof.identity = Bytes::from_static(b"?"));
        assert!(matches!(error, EstablishError::Identity(_)));
        let error = check(&|proof| proof.signature = Bytes::from_static(&[1; 64]));
        assert_eq!(error, EstablishError::BadSignature);
        let error = check(&|proof| proof.probe = true);
        assert_eq!(error, EstablishError::BadSignature);
    }
}
