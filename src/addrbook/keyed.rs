//! The choice of an address's buckets by the book's secret.

use std::fmt;

use rand::CryptoRng;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::Group;
use super::buckets::Shape;

/// The secret that makes buckets unpredictable to sources of addresses.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct BucketKey(Zeroizing<[u8; BucketKey::LENGTH]>);

impl BucketKey {
    pub(super) const LENGTH: usize = 32;

    pub(super) fn random(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut key = Zeroizing::new([0; Self::LENGTH]);
        rng.fill_bytes(key.as_mut());
        Self(key)
    }

    pub(super) fn from_slice(bytes: &[u8]) -> Option<Self> {
        let bytes: [u8; Self::LENGTH] = bytes.try_into().ok()?;
        Some(Self(Zeroizing::new(bytes)))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_ref()
    }

    /// Returns the new bucket for an address that a source reported. The sources of one group reach
    /// only a few of the buckets. All addresses of one group that these sources report go into the
    /// same bucket.
    pub(super) fn new_bucket(&self, shape: &Shape, group: &Group, source: &Group) -> u16 {
        let (group, source) = (group.to_string(), source.to_string());
        let slot = self.hash(&[group.as_bytes(), source.as_bytes()]) % shape.new_per_source;
        self.pick(&[source.as_bytes(), &slot.to_be_bytes()], shape.new_buckets)
    }

    /// Returns the tried bucket for a proven address. The addresses of one group reach only a few
    /// of the buckets.
    pub(super) fn tried_bucket(&self, shape: &Shape, group: &Group, address: &str) -> u16 {
        let slot = self.hash(&[address.as_bytes()]) % shape.tried_per_group;
        let group = group.to_string();
        self.pick(
            &[group.as_bytes(), &slot.to_be_bytes()],
            shape.tried_buckets,
        )
    }

    fn pick(&self, parts: &[&[u8]], buckets: u16) -> u16 {
        let bucket = self.hash(parts) % u64::from(buckets);
        u16::try_from(bucket).unwrap_or_default()
    }

    /// SHA-256 of the key and the parts, cut to 64 bits. It is safe to put the key in front, since
    /// no result leaves the node. Each part is preceded by its length, so different parts never
    /// give the same bytes.
    fn hash(&self, parts: &[&[u8]]) -> u64 {
        let mut hasher = Sha256::new_with_prefix(self.as_bytes());
        for part in parts {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        let digest = hasher.finalize();
        let (head, _) = digest.split_at(8);
        head.iter()
            .fold(0, |value, byte| value << 8 | u64::from(*byte))
    }
}

impl fmt::Debug for BucketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BucketKey(redacted)")
    }
}
