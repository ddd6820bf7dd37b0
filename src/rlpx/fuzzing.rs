//! Functions for fuzz targets, to seal frames that a correct sender never sends.

use crate::keccak::Keccak256;
use bytes::BytesMut;

use super::frame::{BLOCK, Egress, HEADER, Ingress};
use super::mac::{self, FrameMac};

pub use super::handshake::fuzzing::{
    ephemeral, having_sent, reencode_ack, reencode_auth, seal_eip8, seal_legacy, session,
};

/// Returns both ends of one direction of a connection with fixed secrets.
pub fn direction() -> (Egress, Ingress) {
    let (aes_secret, mac_secret) = ([1; 32], [2; 32]);
    let [seals, opens] = FrameMac::pair(&mac_secret, [Keccak256::new(), Keccak256::new()]);
    (
        Egress::new(&aes_secret, seals),
        Ingress::new(&aes_secret, opens),
    )
}

/// Appends a correctly sealed frame with any header and any `body` of whole blocks.
pub fn seal_parts(egress: &mut Egress, header: [u8; BLOCK], body: &[u8], out: &mut BytesMut) {
    assert!(body.len().is_multiple_of(BLOCK));
    let start = out.len();
    out.extend_from_slice(&[0; HEADER]);
    out.extend_from_slice(body);
    out.extend_from_slice(&[0; mac::LENGTH]);
    egress.encrypt(header, &mut out[start..]);
}
