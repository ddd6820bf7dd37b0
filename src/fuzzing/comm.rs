//! Messages of `comm/1`, among them the proof of identity.

use std::time::Duration;

use super::assert_explained;
use super::input::Input;
use crate::comm::establish::Terms;
use crate::comm::message::{
    ACK, DATA, ESTABLISH, Establish, Incoming, MAX_ERROR, MAX_IDENTITY, MAX_SIGNATURE, encode_ack,
};
use crate::comm::{HandshakeError, IdentityProvider, Secp256k1Identity};
use crate::message::{Message, MessageError};
use crate::node::{NodeId, SecretKey};
use crate::rlp::{Rlp, check_exact};
use crate::setup::Direction;

/// Below 0x80 the first byte chooses a message code and the rest is the payload; else the input
/// says what is done to a true proof of identity.
pub fn comm(data: &[u8]) {
    let mut input = Input::new(data);
    match input.byte() {
        code @ ..0x80 => check_payload(u64::from(code % 5), input.rest()),
        choice => check_proof(choice, input),
    }
}

fn check_payload(code: u64, payload: &[u8]) {
    let decoded = Incoming::decode(&Message::new(code, payload.to_vec()));
    assert!(code != DATA || decoded.is_ok() == is_data(payload));
    match decoded {
        Ok(Incoming::Establish(proof)) => {
            assert_eq!((code, &proof.encode()[..]), (ESTABLISH, payload));
            assert!(proof.identity.len() <= MAX_IDENTITY);
            assert!(proof.signature.len() <= MAX_SIGNATURE);
        }
        Ok(Incoming::Data { ack, envelope }) => {
            assert_eq!((code, &envelope.encode(ack)[..]), (DATA, payload));
        }
        Ok(Incoming::Ack { ack, error }) => {
            assert_eq!(code, ACK);
            assert!(error.chars().count() <= MAX_ERROR);
            // What is not UTF-8 is replaced.
            if !error.contains('\u{fffd}') {
                assert_eq!(encode_ack(ack, &error), payload);
            }
        }
        Err(error) => {
            assert_explained(&error);
            let canonical = check_exact(payload).is_ok();
            match error {
                MessageError::UnknownCode { .. } => assert!(code > ACK),
                MessageError::Malformed { .. } => assert!(code <= ACK && !canonical),
                MessageError::Undecodable { .. } => assert!(code <= ACK && canonical),
                other => panic!("{other}"),
            }
        }
    }
}

/// Whether a payload is a Data message, by other means than the decoder's.
fn is_data(payload: &[u8]) -> bool {
    let list = Rlp::new(payload);
    check_exact(payload).is_ok()
        && list.is_list()
        && list.item_count() == Ok(5)
        && list.iter().all(|item| item.is_data())
        && list.iter().take(3).all(|item| item.as_val::<u64>().is_ok())
        && list.iter().all(|item| item.data().is_ok())
        && list.at(4).unwrap().size() <= MAX_SIGNATURE
}

const BINDING: [u8; 32] = [7; 32];

/// A proof convinces the one that it was made for, over its own connection, and only as it is.
fn check_proof(choice: u8, mut input: Input<'_>) {
    let provider = Secp256k1Identity::new(SecretKey::from_bytes(&[0x11; 32]).unwrap());
    let [dialler, listener] = [[1; 32], [2; 32]].map(NodeId::from_bytes);
    let terms = |own, remote, direction| Terms {
        own,
        remote,
        direction,
        binding: BINDING,
    };
    let near = terms(dialler, listener, Direction::Outbound);
    let far = terms(listener, dialler, Direction::Inbound);
    let (prover, mut judge) = if choice & 1 == 0 {
        (near, far)
    } else {
        (far, near)
    };
    let for_judge = match (choice >> 1) & 3 {
        0 => true,
        1 => {
            judge = prover;
            false
        }
        2 => {
            judge.binding[usize::from(input.byte()) % 32] ^= 1;
            false
        }
        _ => {
            judge.own = NodeId::from_bytes(input.array());
            judge.own == prover.remote
        }
    };
    let proof = prover.prove(&provider, choice & 8 != 0).unwrap();
    let sent = proof.encode();
    let mut arrived = sent.to_vec();
    while !input.is_empty() {
        let at = input.u16() % arrived.len();
        arrived[at] ^= input.byte();
    }
    let Ok(Incoming::Establish(theirs)) = Incoming::decode(&Message::new(ESTABLISH, arrived))
    else {
        return;
    };
    judge_proof(&judge, &provider, &theirs, for_judge && theirs == proof);
}

fn judge_proof(judge: &Terms, provider: &Secp256k1Identity, theirs: &Establish, convincing: bool) {
    let own = provider.id_of(&provider.identity()).unwrap();
    match judge.check(provider, theirs, Duration::ZERO) {
        Ok(id) => assert!(convincing && id == own),
        Err(error) => {
            assert!(!convincing, "{error}");
            assert_explained(&error);
            assert_eq!(
                error == HandshakeError::BindingMismatch,
                theirs.binding != judge.binding && !is_about_ids(&error)
            );
        }
    }
}

/// The steps before the binding is looked at.
fn is_about_ids(error: &HandshakeError) -> bool {
    matches!(
        error,
        HandshakeError::MissingId | HandshakeError::IdMismatch { .. } | HandshakeError::Identity(_)
    )
}
