//! Identities, which are separate from the nodes that prove them.

#[cfg(all(feature = "fuzzing", feature = "x509"))]
pub(super) mod fuzzing;
mod provider;
mod secp256k1;
mod store;
#[cfg(test)]
mod tests;
#[cfg(feature = "x509")]
mod x509;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use data_encoding::HEXLOWER;

pub(crate) use self::provider::Provider;
pub use self::secp256k1::Secp256k1Identity;
pub(crate) use self::store::IdentityStore;
pub use self::store::{IdentityLimits, IdentityRecord};
#[cfg(feature = "x509")]
pub use self::x509::{X509Error, X509Identity};

/// The digest that names an identity, 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId([u8; 32]);

impl PeerId {
    /// The length of an id, in bytes.
    pub const LENGTH: usize = 32;

    /// The id with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerId({}…)", HEXLOWER.encode(&self.0[..4]))
    }
}

/// The group that an identity belongs to, in the identity provider's own encoding.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Organisation(pub Bytes);

/// What a provider knows about a valid identity.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Validity {
    /// The organisation that the identity belongs to, if any.
    ///
    /// A node that answers under another identity of the same organisation is still accepted.
    pub organisation: Option<Organisation>,
    /// When the identity expires, since the Unix epoch; `None` if it never does.
    pub expires: Option<Duration>,
}

/// Why an identity is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The bytes are not an identity of this provider.
    #[error("malformed identity: {0}")]
    Malformed(String),
    /// The identity is well-formed but not one that this node trusts.
    #[error("unknown identity: {0}")]
    Unknown(String),
    /// The identity has expired.
    #[error("the identity expired {ago:?} ago")]
    Expired {
        /// How long ago it expired.
        ago: Duration,
    },
    /// The identity is not valid yet.
    #[error("the identity becomes valid in {wait:?}")]
    NotYetValid {
        /// The time until it is valid.
        wait: Duration,
    },
    /// The signature does not match the identity and the signed bytes.
    #[error("the signature does not match the identity")]
    BadSignature,
    /// This node's key cannot sign.
    #[error("cannot sign: {0}")]
    Signing(String),
}

/// Makes, checks and names identities for the layer.
///
/// An identity is an opaque byte string of at most 16 KiB, such as a public key or a certificate.
///
/// No function may wait for anything, since all are called during the setup of a connection, which
/// has a time limit. Calls about remotes run on a thread for blocking code, unless the provider [is
/// quick](Self::is_quick). Times are durations since the Unix epoch.
pub trait IdentityProvider: Send + Sync + 'static {
    /// This node's own identity.
    fn identity(&self) -> Bytes;

    /// The digest that names `identity`.
    ///
    /// # Errors
    /// [`IdentityError::Malformed`] if the bytes are not an identity of this provider.
    fn id_of(&self, identity: &[u8]) -> Result<PeerId, IdentityError>;

    /// Checks that `identity` is trusted and valid at the time `now`.
    ///
    /// # Errors
    /// [`IdentityError`] with the reason if it is not.
    fn validate(&self, identity: &[u8], now: Duration) -> Result<Validity, IdentityError>;

    /// Signs with the key of this node's identity.
    ///
    /// # Errors
    /// [`IdentityError::Signing`] if the key cannot sign.
    fn sign(&self, message: &[u8]) -> Result<Bytes, IdentityError>;

    /// Checks a signature that `identity` made.
    ///
    /// # Errors
    /// [`IdentityError::BadSignature`] if the signature does not match; otherwise the reason why
    /// the identity cannot be read.
    fn verify(
        &self,
        identity: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), IdentityError>;

    /// Whether each call takes less than about 0.1 ms.
    ///
    /// If so, the layer calls the provider on the runtime's threads. Default: false.
    fn is_quick(&self) -> bool {
        false
    }
}

/// A provider that several owners share.
impl<P: IdentityProvider + ?Sized> IdentityProvider for Arc<P> {
    fn identity(&self) -> Bytes {
        (**self).identity()
    }

    fn id_of(&self, identity: &[u8]) -> Result<PeerId, IdentityError> {
        (**self).id_of(identity)
    }

    fn validate(&self, identity: &[u8], now: Duration) -> Result<Validity, IdentityError> {
        (**self).validate(identity, now)
    }

    fn sign(&self, message: &[u8]) -> Result<Bytes, IdentityError> {
        (**self).sign(message)
    }

    fn verify(
        &self,
        identity: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), IdentityError> {
        (**self).verify(identity, message, signature)
    }

    fn is_quick(&self) -> bool {
        (**self).is_quick()
    }
}
