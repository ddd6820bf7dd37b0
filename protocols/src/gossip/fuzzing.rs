//! Decodes and encodes gossip messages as bytes, for the fuzz target.

use peermux::Bytes;
use peermux::comm::Envelope;

use super::message::Gossiped;

/// Decodes a message and encodes it again; `None` if it is malformed.
pub fn reencode(envelope: &Envelope) -> Option<Envelope> {
    Gossiped::decode(envelope).map(|message| message.encode())
}

/// Returns the author's identity and the signed envelope of a well-formed Data.
pub fn authored(envelope: &Envelope) -> Option<(Bytes, Envelope)> {
    match Gossiped::decode(envelope)? {
        Gossiped::Data(message) => {
            let signed = message.envelope();
            Some((message.identity, signed))
        }
        _ => None,
    }
}
