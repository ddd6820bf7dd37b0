//! Which identities are remembered, and for how long.

use super::*;
use crate::node::SecretKey;

/// An identity is `name@second`: a name and its expiry in seconds, 0 for never.
struct Named(&'static str);

fn parts(identity: &[u8]) -> Result<(&str, u64), IdentityError> {
    let text = std::str::from_utf8(identity).ok();
    let parsed = text.and_then(|text| text.split_once('@'));
    parsed
        .and_then(|(name, end)| Some((name, end.parse().ok()?)))
        .ok_or_else(|| IdentityError::Malformed("no name@second".to_owned()))
}

impl IdentityProvider for Named {
    fn identity(&self) -> Bytes {
        Bytes::from_static(self.0.as_bytes())
    }

    fn id_of(&self, identity: &[u8]) -> Result<PeerId, IdentityError> {
        parts(identity)?;
        Ok(PeerId::from_bytes(crate::keccak::keccak256(&[identity])))
    }

    fn validate(&self, identity: &[u8], _: Duration) -> Result<Validity, IdentityError> {
        let (name, end) = parts(identity)?;
        match name {
            "mallory" => Err(IdentityError::Unknown("him".to_owned())),
            _ => Ok(Validity {
                organisation: None,
                expires: (end > 0).then(|| Duration::from_secs(end)),
            }),
        }
    }

    fn sign(&self, _: &[u8]) -> Result<Bytes, IdentityError> {
        Err(IdentityError::Signing("no key".to_owned()))
    }

    fn verify(&self, _: &[u8], _: &[u8], _: &[u8]) -> Result<(), IdentityError> {
        Ok(())
    }
}

fn at(second: u64) -> Duration {
    Duration::from_secs(second)
}

fn examine(identity: &str, now: u64) -> Result<IdentityRecord, IdentityError> {
    IdentityRecord::examine(&Named(""), identity.as_bytes(), at(now))
}

fn store() -> IdentityStore {
    let limits = IdentityLimits::default().with_max(4).with_unused(at(100));
    IdentityStore::new(examine("own@0", 0).unwrap(), limits, at(0))
}

fn id(identity: &str) -> PeerId {
    Named("").id_of(identity.as_bytes()).unwrap()
}

fn put(store: &mut IdentityStore, identity: &str, now: u64) {
    store.put(examine(identity, now).unwrap(), at(now));
}

#[test]
fn only_complete_and_valid_identities_are_stored() {
    let mut store = store();
    put(&mut store, "alice@0", 1);
    put(&mut store, "alice@0", 2);
    assert_eq!(store.list().len(), 2, "already known");
    for malformed in ["", "bob"] {
        let refused = examine(malformed, 1);
        assert!(matches!(refused, Err(IdentityError::Malformed(_))));
    }
    let refused = examine("mallory@0", 1);
    assert!(matches!(refused, Err(IdentityError::Unknown(_))));
    for (now, ago) in [(5, 0), (7, 2)] {
        let expired = IdentityError::Expired { ago: at(ago) };
        assert_eq!(examine("late@5", now), Err(expired));
    }
}

#[test]
fn expired_unused_and_withdrawn_identities_are_removed_but_not_our_own() {
    let mut store = store();
    for identity in ["short@20", "revoked@0", "used@0"] {
        put(&mut store, identity, 0);
    }
    assert_eq!(store.next_purge(), Some(at(20)));
    assert!(store.purge(at(19)).is_empty());
    assert_eq!(store.purge(at(20)), [id("short@20")]);
    assert_eq!(store.others().len(), 2);
    assert!(store.remove(&id("revoked@0")) && !store.remove(&id("revoked@0")));
    assert!(!store.remove(&id("own@0")));
    store.touch(&id("used@0"), at(60));
    assert!(store.purge(at(159)).is_empty());
    assert_eq!(store.purge(at(160)), [id("used@0")]);
    assert_eq!((store.list().len(), store.list()[0].id), (1, store.own()));
}

#[test]
fn a_full_store_forgets_the_identity_unused_for_longest() {
    let mut store = store();
    for (now, identity) in ["a@0", "b@0", "c@0", "d@0"].into_iter().enumerate() {
        put(&mut store, identity, now as u64);
    }
    assert_eq!(store.list().len(), 4);
    assert!(store.peek(&id("a@0")).is_none() && store.peek(&id("d@0")).is_some());
}

#[test]
fn a_key_signs_for_its_own_identity_only() {
    let provider = || Secp256k1Identity::new(SecretKey::random(&mut rand::rng()));
    let (one, other) = (provider(), provider());
    let signature = one.sign(b"message").unwrap();
    assert_eq!(
        other.verify(&one.identity(), b"message", &signature),
        Ok(())
    );
    let refused = [
        one.verify(&one.identity(), b"massage", &signature),
        one.verify(&other.identity(), b"message", &signature),
        one.verify(&one.identity(), b"message", &signature[1..]),
    ];
    assert_eq!(refused, [const { Err(IdentityError::BadSignature) }; 3]);
    assert!(one.verify(b"?", b"message", &signature).is_err());
}
