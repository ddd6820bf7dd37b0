//! The body of the fuzz target: gossip's messages, and what proves their author.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a violated invariant ends the fuzzer's run"
)]

use std::time::Duration;

use peermux::comm::{Envelope, IdentityProvider, PeerId, Secp256k1Identity};
use peermux::rlp::{Rlp, check_exact};
use peermux::{Bytes, SecretKey};

use super::message::{DATA, DIGEST, Gossiped, MAX_IDS, REQUEST, Signed};

/// Below 0x80 the first byte chooses a tag and the rest is the payload; else it chooses the size of
/// a signed message, and the rest says what happens to it on its way.
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

/// What is decoded has the documented form, and is encoded again byte for byte.
fn check_payload(tag: u64, payload: &[u8]) {
    let envelope = Envelope::new(tag, payload.to_vec());
    let decoded = Gossiped::decode(&envelope);
    assert_eq!(decoded.is_some(), is_well_formed(tag, payload));
    if let Some(message) = decoded {
        assert_eq!(message.encode(), envelope);
    }
}

/// Whether a payload has the form that the table in the module's documentation gives, by other
/// means than the decoder's.
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
            (DATA, [identity, sequence, age, content, signature]) => {
                let strings = [identity, content, signature];
                strings.iter().all(|item| item.is_data()) && [sequence, age].into_iter().all(is_u64)
            }
            _ => false,
        }
}

fn are_ids(list: &Rlp<'_>) -> bool {
    let is_id = |item: Rlp<'_>| item.is_data() && item.data().is_ok_and(|id| id.len() == 40);
    list.is_list() && list.iter().count() <= MAX_IDS && list.iter().all(is_id)
}

fn is_u64(item: &Rlp<'_>) -> bool {
    let fits = |number: &[u8]| number.len() <= 8 && number.first() != Some(&0);
    item.is_data() && item.data().is_ok_and(fits)
}

/// Only what its author wrote is taken for the author's. The age is nobody's word.
fn check_signed(size: usize, damage: &[u8]) {
    let key = SecretKey::from_bytes(&[0x11; 32]).expect("a key");
    let author = Secp256k1Identity::new(key);
    let mut written = Signed {
        identity: author.identity(),
        sequence: 7,
        content: vec![b'x'; size].into(),
        signature: Bytes::new(),
    };
    let signature = author.sign(&written.envelope().signed_bytes());
    written.signature = signature.expect("a signature");
    let sent = Gossiped::Data {
        age: Duration::from_secs(1),
        message: written.clone(),
    };
    let mut payload = sent.encode().payload.to_vec();
    for change in damage.chunks_exact(3) {
        let [high, low, bits] = change else {
            panic!("three bytes");
        };
        let at = usize::from(u16::from_be_bytes([*high, *low])) % payload.len();
        payload[at] ^= bits;
    }
    let arrived = Gossiped::decode(&Envelope::new(DATA, payload));
    if let Some(Gossiped::Data { message, .. }) = arrived {
        let own = author.id_of(&author.identity()).expect("an id");
        let proven = (message == written).then_some(own);
        assert_eq!(proven_author(&author, &message), proven);
    }
}

fn proven_author(provider: &Secp256k1Identity, message: &Signed) -> Option<PeerId> {
    let signed = message.envelope().signed_bytes();
    let author = provider.id_of(&message.identity).ok()?;
    let proof = provider.verify(&message.identity, &signed, &message.signature);
    proof.ok().map(|()| author)
}
