use std::time::Duration;

use bytes::Bytes;

use super::{IdentityError, IdentityProvider, Organisation, PeerId, Validity};
use crate::keccak::keccak256;
use crate::node::{PublicKey, SecretKey};

/// Identities that are public keys on secp256k1, 64 bytes x ‖ y.
///
/// Every key is trusted and never expires. The id is the Keccak-256 hash of the key, like a node
/// id. Such identities belong to no organisation, unless
/// [`in_organisation`](Self::in_organisation) made the provider.
#[derive(Debug, Clone)]
pub struct Secp256k1Identity {
    key: SecretKey,
    organisation: Option<Organisation>,
}

impl Secp256k1Identity {
    /// The identity of `key`, which can be the node's static key or another one.
    #[must_use]
    pub fn new(key: SecretKey) -> Self {
        Self {
            key,
            organisation: None,
        }
    }

    /// Like [`new`](Self::new), for a network whose identities all belong to one organisation.
    ///
    /// A node that answers under a new key is accepted, and reported as an identity switch.
    #[must_use]
    pub fn in_organisation(key: SecretKey, organisation: impl Into<Bytes>) -> Self {
        Self {
            key,
            organisation: Some(Organisation(organisation.into())),
        }
    }
}

fn public_key(identity: &[u8]) -> Result<PublicKey, IdentityError> {
    PublicKey::from_slice(identity).map_err(|error| IdentityError::Malformed(error.to_string()))
}

impl IdentityProvider for Secp256k1Identity {
    fn identity(&self) -> Bytes {
        Bytes::copy_from_slice(&self.key.public_key().to_bytes())
    }

    fn id_of(&self, identity: &[u8]) -> Result<PeerId, IdentityError> {
        Ok(PeerId::from_bytes(
            *public_key(identity)?.node_id().as_bytes(),
        ))
    }

    fn validate(&self, identity: &[u8], _now: Duration) -> Result<Validity, IdentityError> {
        public_key(identity)?;
        Ok(Validity {
            organisation: self.organisation.clone(),
            expires: None,
        })
    }

    fn sign(&self, message: &[u8]) -> Result<Bytes, IdentityError> {
        let signature = self.key.sign_recoverable(&keccak256(&[message]));
        Ok(Bytes::copy_from_slice(&signature[..64]))
    }

    fn verify(
        &self,
        identity: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), IdentityError> {
        let signature = signature
            .try_into()
            .map_err(|_| IdentityError::BadSignature)?;
        public_key(identity)?
            .verify(signature, &keccak256(&[message]))
            .map_err(|_| IdentityError::BadSignature)
    }

    fn is_quick(&self) -> bool {
        true
    }
}
