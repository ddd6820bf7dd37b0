//! A handle's methods for identities: this node's own, and those of others.

use bytes::Bytes;

use super::message::MAX_IDENTITY;
use super::table::News;
use super::{Comm, Envelope, IdentityError, IdentityRecord, PeerId};
use crate::event_stream::EventStream;

impl Comm {
    /// Signs a message with this node's identity, so that others can pass it on.
    ///
    /// # Errors
    /// [`IdentityError::Signing`] if the key cannot sign.
    pub fn sign(&self, mut message: Envelope) -> Result<Envelope, IdentityError> {
        let provider = self.shared().provider.direct();
        message.signature = provider.sign(&message.signed_bytes())?;
        Ok(message)
    }

    /// Checks a message that others passed on, and returns the author's id.
    ///
    /// `identity` must be valid now, and must have signed the message.
    ///
    /// # Errors
    /// [`IdentityError::BadSignature`] if the signature does not match; otherwise the reason why
    /// the identity is not accepted.
    ///
    /// # Cancel safety
    /// Dropping the call has no effect.
    pub async fn verify(
        &self,
        identity: &[u8],
        message: &Envelope,
    ) -> Result<PeerId, IdentityError> {
        let (identity, message) = (Bytes::copy_from_slice(identity), message.clone());
        let now = self.shared().unix_now();
        let verified = self.shared().provider.ask(move |provider| {
            provider.verify(&identity, &message.signed_bytes(), &message.signature)?;
            IdentityRecord::examine(provider, &identity, now).map(|record| record.id)
        });
        verified.await.flatten()
    }

    /// This node's identity.
    #[must_use]
    pub fn identity(&self) -> Bytes {
        self.shared().provider.direct().identity()
    }

    /// Reports ids of identities that were removed, or replaced by another of their organisation.
    ///
    /// An identity is removed when it expires, when the provider no longer accepts it, when it has
    /// been unused for too long, or to make room for a new one. A reader that falls 1024 ids behind
    /// loses the oldest and receives the number of lost ids. The stream ends when the layer stops.
    #[must_use]
    pub fn identity_switch(&self) -> EventStream<PeerId> {
        self.shared().switched.listen()
    }

    /// The identities that are remembered, including this node's, sorted by id.
    #[must_use]
    pub fn identities(&self) -> Vec<IdentityRecord> {
        self.shared().table().identities.list()
    }

    /// Adds an identity that this node learned elsewhere, for example from a file.
    ///
    /// Another example is the identity of the author of a message that others passed on. An added
    /// identity is treated like one that a connection has proven: the provider examines it now and
    /// at intervals, it counts towards the [bound](super::IdentityLimits) of remembered identities,
    /// and [`identity_switch`](Self::identity_switch) reports its removal. Adding an identity does
    /// not prove that any node holds it.
    ///
    /// # Errors
    /// [`IdentityError`] if the identity is not valid now, or if it is longer than 16 KiB, the most
    /// that a connection can prove.
    ///
    /// # Cancel safety
    /// A dropped call may or may not have added the identity.
    pub async fn learn_identity(&self, identity: &[u8]) -> Result<IdentityRecord, IdentityError> {
        if identity.len() > MAX_IDENTITY {
            let size = identity.len();
            let text = format!("it has {size} bytes, at most {MAX_IDENTITY} are allowed");
            return Err(IdentityError::Malformed(text));
        }
        let (identity, now) = (Bytes::copy_from_slice(identity), self.shared().unix_now());
        let examined = self
            .shared()
            .provider
            .ask(move |provider| IdentityRecord::examine(provider, &identity, now));
        let record = examined.await.flatten()?;
        let removed = self.shared().table().identities.put(record.clone(), now);
        self.shared().identities_changed.notify_one();
        let switched = removed.into_iter().collect();
        self.shared().tell(News {
            switched,
            ..News::default()
        });
        Ok(record)
    }
}
