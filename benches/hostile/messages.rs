//! The attackers' messages.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use peermux::comm::{Envelope, IdentityProvider, Secp256k1Identity};
use peermux::p2p::RawMessage;
use peermux::rlp::RlpStream;
use peermux::rlpx::{HandshakeRandomness, Initiator};
use peermux::{Capability, Enode, SecretKey};

use crate::connect::{BENCH, COMM, ECHO, PING, UNREAD, capabilities};
use crate::node::FOR_STRANGERS;

/// The largest byte string that fits into a message, approximately.
const LARGE: usize = (16 << 20) - (2 << 10);

/// The tag of the node's subscription in comm, and the nonce of honest messages.
pub(crate) const TALK: u64 = 7;
pub(crate) const HONEST: u64 = 1;

/// The tags of gossip's messages.
const DIGEST: u64 = 0x676f_0201;
const REQUEST: u64 = 0x676f_0202;
const DATA: u64 = 0x676f_0203;

/// The maximum number of ids in a message.
const IDS: usize = 1024;

pub(crate) fn auth(node: &Enode) -> Vec<u8> {
    let randomness = HandshakeRandomness::random(&mut rand::rng());
    let sealed = Initiator::new(&SecretKey::generate(), node.public_key(), randomness);
    sealed.expect("sealed").1.to_vec()
}

pub(crate) fn half_an_auth(node: &Enode) -> Vec<u8> {
    let mut auth = auth(node);
    auth.truncate(auth.len() / 2);
    auth
}

/// Returns the auth that is most expensive to refuse: its last byte is wrong.
pub(crate) fn false_auth(node: &Enode) -> Vec<u8> {
    let mut auth = auth(node);
    if let Some(last) = auth.last_mut() {
        *last ^= 1;
    }
    auth
}

/// Returns as many capabilities as a Hello may contain.
pub(crate) fn many_capabilities() -> Vec<Capability> {
    let more = (3..64).map(|version| Capability::new("x", version));
    capabilities().into_iter().chain(more).collect()
}

/// Returns as many capabilities as fit into the bytes of a Hello. These are more than a Hello may
/// contain.
pub(crate) fn empty_capabilities() -> Vec<Capability> {
    vec![Capability::new("", 0); 600]
}

pub(crate) fn ping() -> RawMessage {
    RawMessage {
        id: PING,
        payload: Bytes::from_static(&[0xc0]),
    }
}

pub(crate) fn unread() -> Vec<RawMessage> {
    vec![zeros(UNREAD, LARGE)]
}

fn zeros(id: u64, size: usize) -> RawMessage {
    string(id, &vec![0; size])
}

/// Returns a message that does not compress.
pub(crate) fn noise() -> RawMessage {
    let mut bytes = vec![0; 2 << 20];
    rand::Rng::fill_bytes(&mut rand::rng(), &mut bytes);
    string(UNREAD, &bytes)
}

fn string(id: u64, bytes: &[u8]) -> RawMessage {
    let mut out = RlpStream::new();
    out.append(&bytes);
    RawMessage {
        id,
        payload: out.out().freeze(),
    }
}

/// Requests many messages of `bench`, of the maximum size for strangers.
pub(crate) fn ask() -> RawMessage {
    let mut out = RlpStream::new_list(2);
    out.append(&100_000u64).append(&(FOR_STRANGERS as u64));
    RawMessage {
        id: BENCH + 1,
        payload: out.out().freeze(),
    }
}

pub(crate) fn echoes() -> Vec<RawMessage> {
    vec![zeros(ECHO, FOR_STRANGERS); 16]
}

/// Returns a one-byte message for an unread protocol, among many for another protocol. The node
/// reads only the latter.
pub(crate) fn tiny() -> Vec<RawMessage> {
    let around = || std::iter::repeat_with(|| string(ECHO, &[7; 1000])).take(16);
    around()
        .chain([string(UNREAD, &[1])])
        .chain(around())
        .collect()
}

pub(crate) fn small_echoes() -> Vec<RawMessage> {
    std::iter::repeat_with(|| string(ECHO, &[7; 16]))
        .take(20)
        .collect()
}

/// Returns a message in comm that requests no answer.
pub(crate) fn data(nonce: u64) -> RawMessage {
    in_comm(&Envelope::new(TALK, vec![7; 32]).with_nonce(nonce))
}

fn in_comm(envelope: &Envelope) -> RawMessage {
    let mut out = RlpStream::new_list(5);
    out.append(&0u8);
    out.append(&envelope.nonce).append(&envelope.tag);
    out.append(&&envelope.payload[..]);
    out.append(&&envelope.signature[..]);
    RawMessage {
        id: COMM + 1,
        payload: out.out().freeze(),
    }
}

pub(crate) fn small_talk() -> Vec<RawMessage> {
    vec![data(0); 20]
}

/// Returns a gossip message by a new author, with its id.
fn written(size: usize) -> (Vec<u8>, RawMessage) {
    let author = Secp256k1Identity::new(SecretKey::generate());
    let (identity, sequence, content) = (author.identity(), 1u64, vec![7; size]);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.unwrap_or(Duration::ZERO).as_millis() as u64;
    let payload = [&now.to_be_bytes(), &content[..]].concat();
    let signed = Envelope::new(DATA, payload).with_nonce(sequence);
    let signature = author.sign(&signed.signed_bytes()).expect("its own key");
    let mut out = RlpStream::new_list(5);
    out.append(&&identity[..]).append(&sequence).append(&now);
    out.append(&content).append(&&signature[..]);
    let id = author.id_of(&identity).expect("its own");
    let id = [&id.as_bytes()[..], &sequence.to_be_bytes()].concat();
    (id, in_comm(&Envelope::new(DATA, out.out().freeze())))
}

/// Returns a message of 1 MiB, and Requests that name it as often as possible.
pub(crate) fn requests() -> Vec<RawMessage> {
    let (id, message) = written(1 << 20);
    let mut out = RlpStream::new_list(IDS);
    for _ in 0..IDS {
        out.append(&id);
    }
    let request = Envelope::new(REQUEST, out.out().freeze());
    vec![message, in_comm(&request)]
}

/// Returns messages by different authors.
pub(crate) fn authors() -> Vec<RawMessage> {
    (0..16).map(|_| written(64 << 10).1).collect()
}

/// Returns Digests of messages that do not exist, each requesting a Digest in return.
pub(crate) fn announcements() -> Vec<RawMessage> {
    let digest = || {
        let mut out = RlpStream::new_list(2);
        out.append(&1u8).begin_list(IDS);
        for _ in 0..IDS {
            out.append(&rand::random::<[u8; 40]>().as_slice());
        }
        in_comm(&Envelope::new(DIGEST, out.out().freeze()))
    };
    (0..4).map(|_| digest()).collect()
}
