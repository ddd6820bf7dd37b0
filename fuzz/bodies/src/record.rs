//! Node records as bytes, with valid signatures over any content.

use peermux::comm::{IdentityProvider, Secp256k1Identity};
use peermux::node::{Enode, MAX_RECORD, NodeRecord, RecordError, SecretKey};
use peermux::rlp::{Encodable, RlpStream, encode};

use super::assert_explained;
use super::input::Input;

/// The first byte selects the kind of the rest. The rest is a whole record, content to sign, or
/// pairs for the record builder.
pub(super) fn record(script: &[u8]) {
    let mut input = Input::new(script);
    let key = SecretKey::from_bytes(&[7; 32]).unwrap();
    match input.byte() % 3 {
        0 => check(input.rest()),
        1 => check(&signed(&key, input)),
        _ => built(&key, input),
    }
}

/// Checks that a record's enode is valid, whatever the record contains.
pub(super) fn check_enode(record: &NodeRecord) {
    let enode = record.to_enode();
    assert_eq!(enode.node_id(), record.node_id());
    assert_eq!(enode.endpoint(), record.endpoint().as_ref());
    // Compare only one endpoint, since a URL has only one.
    let first: Enode = enode.to_string().parse().unwrap();
    assert_eq!(first.public_key(), enode.public_key());
    assert_eq!(first.endpoint(), enode.endpoint());
    assert!(first.tcp_endpoints().count() <= 1 && enode.tcp_endpoints().count() <= 2);
}

/// Returns a record with a signature over the rest of the input. The signed content may be
/// malformed RLP.
fn signed(key: &SecretKey, mut input: Input<'_>) -> Vec<u8> {
    let compressed = key.public_key().to_compressed();
    let flags = input.byte();
    let mut content = input.rest().to_vec();
    let mut elements = RlpStream::new();
    if flags & 1 == 1 {
        // Add the elements of a complete identity scheme, so that only the other elements can be
        // invalid.
        elements.append(&"id").append(&"v4");
        elements.append(&"secp256k1").append(&&compressed[..]);
        content.extend_from_slice(&elements.out());
    }
    // The digest that is signed is Keccak-256, as in the scheme `v4`.
    let signer = Secp256k1Identity::new(key.clone());
    let signature = signer.sign(&list(&[&content])).unwrap();
    let signature = encode(&signature);
    list(&[&signature, &content])
}

/// Returns a list with this payload.
fn list(payload: &[&[u8]]) -> Vec<u8> {
    struct Raw(Vec<u8>);
    impl Encodable for Raw {
        fn rlp_append(&self, stream: &mut RlpStream) {
            stream.begin_list(1).append_raw(&self.0, 1);
        }
    }
    encode(&Raw(payload.concat())).to_vec()
}

/// Builds a record. What the builder signs must be valid.
fn built(key: &SecretKey, mut input: Input<'_>) {
    let mut builder = NodeRecord::builder(input.u64());
    while !input.is_empty() {
        builder = match input.byte() % 8 {
            0 => builder.ip(input.array::<4>().into()),
            1 => builder.ip(input.array::<16>().into()),
            2 => builder.tcp(input.u16() as u16),
            3 => builder.udp(input.u16() as u16),
            4 => builder.tcp6(input.u16() as u16),
            5 => builder.udp6(input.u16() as u16),
            6 => {
                let length = input.byte() % 32;
                let name = input.take(length.into());
                builder.value(name, &input.u64())
            }
            _ => {
                let length = input.byte() % 64;
                let name = input.take(length.into());
                let length = input.byte();
                builder.value(name, &input.take(length.into()))
            }
        };
    }
    match builder.sign(key) {
        Ok(record) => {
            assert_eq!(*record.public_key(), key.public_key());
            check(&record.encode());
        }
        Err(error) => assert!(matches!(error, RecordError::TooLong { .. }), "{error}"),
    }
}

fn check(bytes: &[u8]) {
    let record = match NodeRecord::decode(bytes) {
        Ok(record) => record,
        Err(error) => return assert_explained(&error),
    };
    assert!(bytes.len() <= MAX_RECORD);
    assert_eq!(record.encode(), bytes);
    assert_eq!(record.to_string().parse().as_ref(), Ok(&record));
    assert_eq!(record.get::<String>("id").as_deref(), Some("v4"));
    let keys: Vec<_> = record.pairs().map(|(key, _)| key).collect();
    assert!(keys.is_sorted_by(|a, b| a < b));
    check_enode(&record);
    match record.update() {
        Ok(update) => {
            let key = SecretKey::from_bytes(&[7; 32]).unwrap();
            match update.sign(&key) {
                Ok(next) => assert_eq!(next.seq(), record.seq() + 1),
                Err(error) => assert!(matches!(error, RecordError::TooLong { .. })),
            }
        }
        Err(error) => assert_eq!(
            (error, record.seq()),
            (RecordError::SequenceExhausted, u64::MAX)
        ),
    }
}
