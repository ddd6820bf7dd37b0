//! Messages of `comm/1`, including the proof of identity.

use peermux::comm::fuzzing::{Decoded, Terms, decode};
use peermux::comm::{EstablishError, IdentityProvider, Secp256k1Identity};
use peermux::rlp::{Rlp, check_exact};
use peermux::{Direction, Message, MessageError, NodeId, SecretKey};

use super::assert_explained;
use super::input::Input;

// These are the codes and limits in the documentation of `comm`.
const ESTABLISH: u64 = 0x00;
const DATA: u64 = 0x01;
const ACK: u64 = 0x02;
const MAX_IDENTITY: usize = 16 << 10;
const MAX_SIGNATURE: usize = 4 << 10;
const MAX_ERROR: usize = 1 << 10;

/// The input is a message or changes to a true proof of identity.
///
/// If the first byte is below 0x80, it selects a message code and the rest is the payload.
/// Otherwise the input describes the changes.
pub fn comm(data: &[u8]) {
    let mut input = Input::new(data);
    match input.byte() {
        code @ ..0x80 => check_payload(u64::from(code % 5), input.rest()),
        choice => check_proof(choice, input),
    }
}

fn check_payload(code: u64, payload: &[u8]) {
    let decoded = decode(&Message::new(code, payload.to_vec()));
    assert!(code != DATA || decoded.is_ok() == is_data(payload));
    match decoded {
        Ok(Decoded::Establish { payload: encoded }) => {
            assert_eq!((code, &encoded[..]), (ESTABLISH, payload));
            assert!(element(payload, 1).len() <= MAX_IDENTITY);
            assert!(element(payload, 4).len() <= MAX_SIGNATURE);
        }
        Ok(Decoded::Data { payload: encoded }) => {
            assert_eq!((code, &encoded[..]), (DATA, payload));
        }
        Ok(Decoded::Ack {
            payload: encoded,
            error,
        }) => {
            assert_eq!(code, ACK);
            assert!(error.chars().count() <= MAX_ERROR);
            // Invalid UTF-8 is replaced.
            if !error.contains('\u{fffd}') {
                assert_eq!(encoded, payload);
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

/// Returns whether a payload is a Data message. This does not use the decoder.
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

/// Returns one of a decoded message's byte strings.
fn element(payload: &[u8], index: usize) -> &[u8] {
    Rlp::new(payload).at(index).unwrap().data().unwrap()
}

const BINDING: [u8; 32] = [7; 32];

/// A proof convinces only its addressee, only over its own connection, and only if unchanged.
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
    let sent = prover.prove(&provider, choice & 8 != 0).unwrap();
    let mut arrived = sent.to_vec();
    while !input.is_empty() {
        let at = input.u16() % arrived.len();
        arrived[at] ^= input.byte();
    }
    let convincing = for_judge && arrived == sent;
    judge_proof(&judge, &provider, &arrived, convincing);
}

fn judge_proof(judge: &Terms, provider: &Secp256k1Identity, arrived: &[u8], convincing: bool) {
    let own = provider.id_of(&provider.identity()).unwrap();
    match judge.check(provider, arrived) {
        None => assert!(!convincing, "the proof cannot be decoded"),
        Some(Ok(id)) => assert!(convincing && id == own),
        Some(Err(error)) => {
            assert!(!convincing, "{error}");
            assert_explained(&error);
            assert_eq!(
                error == EstablishError::BindingMismatch,
                element(arrived, 2) != judge.binding && !is_about_ids(&error)
            );
        }
    }
}

/// Returns whether an error comes from a check that precedes the check of the binding.
fn is_about_ids(error: &EstablishError) -> bool {
    matches!(
        error,
        EstablishError::MissingId | EstablishError::IdMismatch { .. } | EstablishError::Identity(_)
    )
}
