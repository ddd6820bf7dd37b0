//! Gossip's messages, and the proofs of their authors.

use peermux::comm::{Envelope, IdentityProvider, PeerId, Secp256k1Identity};
use peermux::rlp::{Rlp, RlpStream, check_exact};
use peermux::{Bytes, SecretKey};
use peermux_protocols::gossip::fuzzing::{authored, reencode};

// These are the tags and limits in the documentation of gossip.
const DIGEST: u64 = 0x676f_0201;
const REQUEST: u64 = 0x676f_0202;
const DATA: u64 = 0x676f_0203;
const MAX_IDS: usize = 1024;
const MAX_IDENTITY: usize = 16 << 10;
const MAX_SIGNATURE: usize = 4 << 10;
/// The time of writing of the signed message, in milliseconds since 1970.
const WRITTEN: u64 = 1000;

/// The input is a message, or changes to a signed one.
///
/// If the first byte is below 0x80, it selects a tag and the rest is the payload. Otherwise it
/// selects the size of a signed message, and the rest describes what happens to that message on its
/// way.
pub fn gossip(data: &[u8]) {
    match data.split_first() {
        Some((&choice @ 0x80.., damage)) => check_signed(usize::from(choice & 0x7f), damage),
        Some((&choice, payload)) => {
            let tag = [DIGEST, REQUEST, DATA, 0][usize::from(choice % 4)];
            check_payload(tag, payload);
        }
        None => {}
    }
}

/// A decoded message has the documented form, and encodes to the same bytes.
fn check_payload(tag: u64, payload: &[u8]) {
    let envelope = Envelope::new(tag, payload.to_vec());
    let expected = is_well_formed(tag, payload).then(|| envelope.clone());
    assert_eq!(reencode(&envelope), expected);
}

/// Returns whether a payload has the documented form. This does not use the decoder.
fn is_well_formed(tag: u64, payload: &[u8]) -> bool {
    if check_exact(payload).is_err() {
        return false;
    }
    let list = Rlp::new(payload);
    let items: Vec<_> = list.iter().collect();
    list.is_list()
        && match (tag, &items[..]) {
            (DIGEST, [pull, ids]) => matches!(pull.as_raw(), [0x80 | 1]) && are_ids(ids),
            (REQUEST, _) => are_ids(&list),
            (DATA, [identity, sequence, written, content, signature]) => {
                is_string(identity, MAX_IDENTITY)
                    && is_string(content, usize::MAX)
                    && is_string(signature, MAX_SIGNATURE)
                    && [sequence, written].into_iter().all(is_u64)
            }
            _ => false,
        }
}

fn are_ids(list: &Rlp<'_>) -> bool {
    let is_id = |item: Rlp<'_>| item.is_data() && item.data().is_ok_and(|id| id.len() == 40);
    list.is_list() && list.iter().count() <= MAX_IDS && list.iter().all(is_id)
}

fn is_string(item: &Rlp<'_>, max: usize) -> bool {
    item.is_data() && item.data().is_ok_and(|string| string.len() <= max)
}

fn is_u64(item: &Rlp<'_>) -> bool {
    let fits = |number: &[u8]| number.len() <= 8 && number.first() != Some(&0);
    item.is_data() && item.data().is_ok_and(fits)
}

/// A signed message counts as its author's only if it is unchanged.
fn check_signed(size: usize, damage: &[u8]) {
    let key = SecretKey::from_bytes(&[0x11; 32]).expect("a key");
    let author = Secp256k1Identity::new(key);
    let content = vec![b'x'; size];
    let signed = [&WRITTEN.to_be_bytes(), &content[..]].concat();
    let mut written = Envelope::new(DATA, signed).with_nonce(7);
    let signature = author.sign(&written.signed_bytes());
    written.signature = signature.expect("a signature");
    let mut payload = data(&author.identity(), &content, &written);
    let intact = Envelope::new(DATA, payload.clone());
    assert_eq!(reencode(&intact), Some(intact));
    for change in damage.chunks_exact(3) {
        let [high, low, bits] = change else {
            panic!("three bytes");
        };
        let at = usize::from(u16::from_be_bytes([*high, *low])) % payload.len();
        payload[at] ^= bits;
    }
    if let Some((identity, signed)) = authored(&Envelope::new(DATA, payload)) {
        let unchanged = identity == author.identity() && signed == written;
        let own = author.id_of(&author.identity()).expect("an id");
        let proven = unchanged.then_some(own);
        assert_eq!(proven_author(&author, &identity, &signed), proven);
    }
}

fn proven_author(
    provider: &Secp256k1Identity,
    identity: &[u8],
    signed: &Envelope,
) -> Option<PeerId> {
    let author = provider.id_of(identity).ok()?;
    let proof = provider.verify(identity, &signed.signed_bytes(), &signed.signature);
    proof.ok().map(|()| author)
}

/// Returns the payload of a Data.
fn data(identity: &Bytes, content: &[u8], written: &Envelope) -> Vec<u8> {
    let mut payload = RlpStream::new_list(5);
    payload
        .append(identity)
        .append(&written.nonce)
        .append(&WRITTEN)
        .append(&content)
        .append(&written.signature);
    payload.out().to_vec()
}
