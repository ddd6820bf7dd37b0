//! The identities that this node has seen proven.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{IdentityError, IdentityProvider, Organisation, PeerId};
use crate::guarded::caught;
use crate::settings::settings;

settings! {
    /// How many identities are kept, and for how long.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct IdentityLimits {
        /// The most identities at once, the own one among them; the one unused for longest makes
        /// room. At least 1. Default: 4096.
        max / with_max: usize = 4096;
        /// After how long without use one is forgotten; [`Duration::MAX`] is never. Default: 1 h.
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
    /// Its organisation, if it has one.
    pub organisation: Option<Organisation>,
    /// When it ends, since the Unix epoch; `None` if it never does.
    pub expires: Option<Duration>,
}

/// Proven identities by id, under a bound. Times are durations since the Unix epoch.
pub(crate) struct IdentityStore {
    provider: Arc<dyn IdentityProvider>,
    limits: IdentityLimits,
    own: PeerId,
    known: HashMap<PeerId, Known>,
}

struct Known {
    record: IdentityRecord,
    used: Duration,
}

impl IdentityStore {
    /// A store that holds the provider's own identity, which never leaves for want of use.
    ///
    /// # Errors
    /// [`IdentityError`] if the own identity is not valid.
    pub(crate) fn new(
        provider: Arc<dyn IdentityProvider>,
        limits: IdentityLimits,
        now: Duration,
    ) -> Result<Self, IdentityError> {
        let identity = provider.identity();
        let own = provider.id_of(&identity)?;
        let mut store = Self {
            provider,
            limits,
            own,
            known: HashMap::new(),
        };
        store.put(own, &identity, now)?;
        Ok(store)
    }

    pub(crate) fn own(&self) -> PeerId {
        self.own
    }

    /// Takes a proven identity in, or marks a known one as used; a known one is not overwritten.
    ///
    /// # Errors
    /// [`IdentityError`] if it is not valid now, or not the one that `id` names.
    pub(crate) fn put(
        &mut self,
        id: PeerId,
        identity: &Bytes,
        now: Duration,
    ) -> Result<(), IdentityError> {
        if identity.is_empty() {
            return Err(IdentityError::Malformed("it is empty".to_owned()));
        }
        if self.provider.id_of(identity)? != id {
            return Err(IdentityError::Unknown(format!("{id} does not name it")));
        }
        let expires = self.provider.expiry(identity)?;
        self.provider.validate(identity, now)?;
        if let Some(end) = expires.filter(|end| *end <= now) {
            return Err(IdentityError::Expired {
                ago: now.saturating_sub(end),
            });
        }
        if let Some(known) = self.known.get_mut(&id) {
            known.used = now;
            return Ok(());
        }
        self.make_room();
        let record = IdentityRecord {
            id,
            identity: identity.clone(),
            organisation: self.provider.organisation(identity),
            expires,
        };
        self.known.insert(id, Known { record, used: now });
        Ok(())
    }

    fn make_room(&mut self) {
        if self.known.len() < self.limits.max() {
            return;
        }
        let others = self.known.iter().filter(|(id, _)| **id != self.own);
        let oldest = others.min_by_key(|(_, known)| known.used);
        if let Some(id) = oldest.map(|(id, _)| *id) {
            self.known.remove(&id);
        }
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

    /// Removes what has expired, what the provider does not accept any more, and what was not
    /// used for long. The own identity stays. Returns the ids that left.
    pub(crate) fn purge(&mut self, now: Duration) -> Vec<PeerId> {
        let Self {
            provider,
            limits,
            own,
            known,
        } = self;
        let gone: Vec<_> = known
            .values()
            .filter(|one| one.record.id != *own)
            .filter(|one| {
                one.record.expires.is_some_and(|end| end <= now)
                    || now.saturating_sub(one.used) >= limits.unused()
                    || !is_valid(&**provider, &one.record.identity, now)
            })
            .map(|one| one.record.id)
            .collect();
        for id in &gone {
            known.remove(id);
        }
        gone
    }

    /// The next time at which [`purge`](Self::purge) can find something that is over.
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

/// Whether the provider accepts an identity still. All of them are asked in one task.
fn is_valid(provider: &dyn IdentityProvider, identity: &[u8], now: Duration) -> bool {
    let validated = caught("the identity provider", || provider.validate(identity, now));
    validated.is_some_and(|result| result.is_ok())
}
