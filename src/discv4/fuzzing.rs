//! What fuzz targets do that a correct sender never does.

use bytes::Bytes;

use super::packet;
use crate::node::SecretKey;

/// A packet of any type with any data, hashed and signed as it should be.
pub fn seal(key: &SecretKey, kind: u8, data: &[u8]) -> Bytes {
    packet::assemble(key, kind, data).0
}
