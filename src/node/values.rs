//! Keys and ids in messages.

use bytes::BytesMut;

use super::{NodeId, PublicKey};
use crate::rlp::{RlpError, RlpValue, ValueError, ValueReader};

impl RlpValue for NodeId {
    fn rlp_size(&self) -> usize {
        Self::LENGTH + 1
    }

    fn write_rlp(&self, out: &mut BytesMut) {
        self.as_bytes().write_rlp(out);
    }

    fn read_rlp(from: &mut ValueReader<'_>) -> Result<Self, ValueError> {
        <[u8; Self::LENGTH]>::read_rlp(from).map(Self::from_bytes)
    }
}

/// A public key is encoded as 64 bytes x || y, as in a Hello.
impl RlpValue for PublicKey {
    fn rlp_size(&self) -> usize {
        Self::LENGTH + 2
    }

    fn write_rlp(&self, out: &mut BytesMut) {
        self.to_bytes().write_rlp(out);
    }

    fn read_rlp(from: &mut ValueReader<'_>) -> Result<Self, ValueError> {
        let bytes = <[u8; Self::LENGTH]>::read_rlp(from)?;
        let off_curve = |_| RlpError::Other("the key is not a point on the curve").into();
        Self::from_bytes(&bytes).map_err(off_curve)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::SecretKey;

    #[test]
    fn keys_and_ids_are_byte_strings() {
        let key = SecretKey::from_bytes(&[7; 32]).unwrap().public_key();
        let (written, id) = (key.to_rlp(), key.node_id().to_rlp());
        assert_eq!(
            (&written[..2], &written[2..]),
            (&[0xb8, 64][..], &key.to_bytes()[..])
        );
        assert_eq!((id[0], &id[1..]), (0xa0, &key.node_id().as_bytes()[..]));
        assert_eq!(PublicKey::from_rlp(&written), Ok(key));
        assert_eq!(NodeId::from_rlp(&id), Ok(key.node_id()));
        assert!(PublicKey::from_rlp(&[7u8; 64].to_rlp()).is_err());
        assert!(NodeId::from_rlp(&[7u8; 31].to_rlp()).is_err());
    }
}
