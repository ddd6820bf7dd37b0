//! Proofs of identity in comm, and the node's provider.

use std::time::Duration;

use bytes::Bytes;
use peermux::comm::{
    IdentityError, IdentityProvider, PeerId, Secp256k1Identity, Validity, X509Identity,
};
use peermux::p2p::RawMessage;
use peermux::rlp::RlpStream;
use peermux::{Enode, SecretKey};

use crate::connect::COMM;

/// Returns the first message in comm, which proves an identity. The sender dialled `node` with
/// `key`.
pub(crate) fn proof(
    identity: &dyn IdentityProvider,
    key: &SecretKey,
    node: &Enode,
    binding: &[u8; 32],
) -> RawMessage {
    let own = identity.identity();
    let statement = [
        b"peermux/comm/1/establish".as_slice(),
        &[0, 0],
        key.public_key().node_id().as_bytes(),
        node.node_id().as_bytes(),
        binding,
        &own,
    ]
    .concat();
    let id = identity.id_of(&own).expect("its own");
    let signature = identity.sign(&statement).expect("its own");
    let mut out = RlpStream::new_list(5);
    out.append(&id.as_bytes().as_slice()).append(&&own[..]);
    out.append(&binding.as_slice()).append(&0u8);
    out.append(&&signature[..]);
    RawMessage {
        id: COMM,
        payload: out.out().freeze(),
    }
}

/// The identities of the node's network: public keys or certificates.
pub(crate) struct Both {
    pub(crate) keys: Secp256k1Identity,
    pub(crate) certificates: X509Identity,
}

impl Both {
    fn of(&self, identity: &[u8]) -> &dyn IdentityProvider {
        match identity.len() {
            64 => &self.keys,
            _ => &self.certificates,
        }
    }
}

impl IdentityProvider for Both {
    fn identity(&self) -> Bytes {
        self.keys.identity()
    }

    fn id_of(&self, identity: &[u8]) -> Result<PeerId, IdentityError> {
        self.of(identity).id_of(identity)
    }

    fn validate(&self, identity: &[u8], now: Duration) -> Result<Validity, IdentityError> {
        self.of(identity).validate(identity, now)
    }

    fn sign(&self, message: &[u8]) -> Result<Bytes, IdentityError> {
        self.keys.sign(message)
    }

    fn verify(
        &self,
        identity: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), IdentityError> {
        self.of(identity).verify(identity, message, signature)
    }
}
