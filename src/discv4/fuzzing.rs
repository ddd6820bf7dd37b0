//! Builds packets that a correct sender never makes, for fuzz targets.

use bytes::Bytes;

use super::packet;
use crate::node::SecretKey;

/// Seals a packet of any type with any data, correctly hashed and signed.
pub fn seal(key: &SecretKey, kind: u8, data: &[u8]) -> Bytes {
    packet::assemble(key, kind, data).0
}
