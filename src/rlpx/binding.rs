//! A value that both ends of a connection share and that is unique to it.

use std::fmt;

use data_encoding::HEXLOWER;

use crate::keccak::keccak256;

const DOMAIN: &[u8] = b"peermux/rlpx/channel-binding/v1";

/// 32 bytes that identify one connection; both ends compute the same value.
///
/// The value is a hash over both handshake packets and the secret agreed with them. A node that
/// signs the value proves to the other end that *this* connection is its own: a man in the middle
/// has two connections, and so two values.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChannelBinding([u8; 32]);

impl ChannelBinding {
    /// Hashes the packets first, so that each input has a fixed length.
    ///
    /// Therefore no two sets of inputs concatenate to the same bytes.
    pub(super) fn new(shared_secret: &[u8; 32], auth: &[u8], ack: &[u8]) -> Self {
        Self(keccak256(&[
            DOMAIN,
            shared_secret,
            &keccak256(&[auth]),
            &keccak256(&[ack]),
        ]))
    }

    /// Returns the 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

#[cfg(feature = "test-util")]
impl From<[u8; 32]> for ChannelBinding {
    /// Makes a binding without a connection.
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for ChannelBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChannelBinding({}…)", HEXLOWER.encode(&self.0[..4]))
    }
}
