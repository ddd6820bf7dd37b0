//! The identities that this node remembers.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;

use super::{IdentityError, IdentityProvider, Organisation, PeerId};
use crate::settings::settings;

settings! {
    /// How many identities are kept, and for how long.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct IdentityLimits {
        /// The maximum number of identities, including this node's; at least 1.
        ///
        /// Beyond this number, the identity that has been unused the longest is removed. Default:
        /// 4096.
        max / with_max: usize = 4096;
        /// How long an unused identity is kept; [`Duration::MAX`] means for ever. Default: 1 h.
        unused / with_unused: Duration = Duration::from_secs(3600);
    }
}

/// One known identity.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IdentityRecord {
    /// Its id.
    pub id: PeerId,
    /// The identity itself.
    pub identity: Bytes,
    /// The identity's organisation, if it has one.
    pub organisation: Option<Organisation>,
    /// When the identity expires, since the Unix epoch; `None` if it never does.
    pub expires: Option<Duration>,
}

impl IdentityRecord {
    /// Asks a provider about an identity.
    ///
    /// # Errors
    /// [`IdentityError`] if it is not valid now.
    pub(crate) fn examine(
        provider: &dyn IdentityProvider,
        identity: &[u8],
        now: Duration,
    ) -> Result<Self, IdentityError> {
        if identity.is_empty() {
            return Err(IdentityError::Malformed("it is empty".to_owned()));
        }
        let id = provider.id_of(identity)?;
        let validity = provider.validate(identity, now)?;
        if let Some(end) = validity.expires.filter(|end| *end <= now) {
            return Err(IdentityError::Expired {
                ago: now.saturating_sub(end),
            });
        }
        Ok(Self {
            id,
            identity: Bytes::copy_from_slice(identity),
            organisation: validity.organisation,
            expires: validity.expires,
        })
    }
}

/// The known identities by id, up to a bound. The store calls no provider, since it is used under a
/// lock. Times are durations since the Unix epoch.
pub(crate) struct IdentityStore {
    limits: IdentityLimits,
    own: PeerId,
    known: HashMap<PeerId, Known>,
}

struct Known {
    record: IdentityRecord,
    used: Duration,
}

impl IdentityStore {
    /// A store with this node's identity, which is never removed.
    pub(crate) fn new(own: IdentityRecord, limits: IdentityLimits, now: Duration) -> Self {
        let mut store = Self {
            limits,
            own: own.id,
            known: HashMap::new(),
        };
        store.put(own, now);
        store
    }

    pub(crate) fn own(&self) -> PeerId {
        self.own
    }

    /// Adds an identity that was examined. An identity that is already known is not overwritten,
    /// but marked as used. Returns the identity that was removed to make room.
    pub(crate) fn put(&mut self, record: IdentityRecord, now: Duration) -> Option<PeerId> {
        if let Some(known) = self.known.get_mut(&record.id) {
            known.used = now;
            return None;
        }
        let removed = self.make_room();
        self.known.insert(record.id, Known { record, used: now });
        removed
    }

    fn make_room(&mut self) -> Option<PeerId> {
        if self.known.len() < self.limits.max() {
            return None;
        }
        let others = self.known.iter().filter(|(id, _)| **id != self.own);
        let oldest = others.min_by_key(|(_, known)| known.used);
        let id = oldest.map(|(id, _)| *id)?;
        self.known.remove(&id).map(|_| id)
    }

    /// A known identity.
    pub(crate) fn peek(&self, id: &PeerId) -> Option<&IdentityRecord> {
        self.known.get(id).map(|known| &known.record)
    }

    /// Marks the identity of an open connection as used.
    pub(crate) fn touch(&mut self, id: &PeerId, now: Duration) {
        if let Some(known) = self.known.get_mut(id) {
            known.used = now;
        }
    }

    pub(crate) fn list(&self) -> Vec<IdentityRecord> {
        let mut all: Vec<_> = self
            .known
            .values()
            .map(|known| known.record.clone())
            .collect();
        all.sort_by_key(|record| record.id);
        all
    }

    /// The identities of others, to be examined again.
    pub(crate) fn others(&self) -> Vec<(PeerId, Bytes)> {
        let records = self.known.values().map(|known| &known.record);
        let others = records.filter(|record| record.id != self.own);
        others
            .map(|record| (record.id, record.identity.clone()))
            .collect()
    }

    /// Removes an identity; returns false if it is unknown or this node's.
    pub(crate) fn remove(&mut self, id: &PeerId) -> bool {
        *id != self.own && self.known.remove(id).is_some()
    }

    /// Removes the identities, except this node's, that have expired or were unused too long.
    /// Returns their ids.
    pub(crate) fn purge(&mut self, now: Duration) -> Vec<PeerId> {
        let Self { limits, own, known } = self;
        let gone: Vec<_> = known
            .values()
            .filter(|one| one.record.id != *own)
            .filter(|one| {
                one.record.expires.is_some_and(|end| end <= now)
                    || now.saturating_sub(one.used) >= limits.unused()
            })
            .map(|one| one.record.id)
            .collect();
        for id in &gone {
            known.remove(id);
        }
        gone
    }

    /// The next time at which [`purge`](Self::purge) can remove an identity.
    pub(crate) fn next_purge(&self) -> Option<Duration> {
        let others = self.known.values().filter(|one| one.record.id != self.own);
        others
            .map(|one| {
                let unused = one.used.saturating_add(self.limits.unused());
                one.record.expires.map_or(unused, |end| end.min(unused))
            })
            .min()
    }
}
