//! Messages of `eth/68`, `eth/69` and `eth/70`, and checks of fork identifiers.

use peermux::rlp::{Rlp, check_exact};
use peermux::{Message, MessageError, WireMessage};
use peermux_protocols::eth::v68::Eth68;
use peermux_protocols::eth::v69::Eth69;
use peermux_protocols::eth::v70::Eth70;
use peermux_protocols::eth::{ForkFilter, ForkId, Hash, Header, MAX_HEADERS};

use super::assert_explained;
use super::input::Input;

/// One more than the highest code of all versions, so that unused codes occur too.
const CODES: u8 = 0x13;

/// The first byte selects a version or fork identifiers.
///
/// If it selects a version, the second byte is the code and the rest is the payload.
pub fn eth(data: &[u8]) {
    let mut input = Input::new(data);
    let choice = input.byte() % 4;
    if choice == 3 {
        return forks(&mut input);
    }
    let code = u64::from(input.byte() % CODES);
    let message = Message::new(code, input.rest().to_vec());
    match choice {
        0 => check(message, |decoded| match decoded {
            Eth68::BlockHeaders(_, headers) => Some(headers.0),
            _ => None,
        }),
        1 => check(message, |decoded| match decoded {
            Eth69::BlockHeaders(_, headers) => Some(headers.0),
            _ => None,
        }),
        _ => check(message, |decoded| match decoded {
            Eth70::BlockHeaders(_, headers) => Some(headers.0),
            _ => None,
        }),
    }
}

/// A decoded message encodes to the same bytes; a plain decoder finds the same headers.
fn check<M: WireMessage>(message: Message, headers: impl FnOnce(M) -> Option<Vec<Header>>) {
    let (code, payload) = (message.code, message.payload.clone());
    let decoded = match M::decode(message) {
        Ok(decoded) => decoded,
        Err(error) => {
            assert_explained(&error);
            let unknown = matches!(error, MessageError::UnknownCode { .. });
            assert!(!unknown || code > 0x0a, "{code}");
            return;
        }
    };
    assert_eq!(check_exact(&payload), Ok(()));
    assert_eq!(decoded.code(), code);
    assert_eq!(
        decoded.encode(),
        payload,
        "the encoding is the same byte for byte"
    );
    let Some(headers) = headers(decoded) else {
        return;
    };
    assert!(headers.len() <= MAX_HEADERS);
    let plain = Rlp::new(&payload).at(1).expect("a list of headers");
    assert_eq!(plain.item_count(), Ok(headers.len()));
    for (header, plain) in headers.iter().zip(plain.iter()) {
        assert_eq!(header.as_bytes()[..], *plain.as_raw());
        assert_eq!(Ok(header.number()), plain.val_at(8));
        assert_eq!(
            Ok(&header.parent().0[..]),
            plain.at(0).and_then(|parent| parent.data())
        );
    }
}

/// Two nodes on one chain accept each other, whatever forks each has passed. A node on another
/// chain is rejected.
fn forks(input: &mut Input<'_>) {
    let mut few = |most: u8| -> Vec<u64> {
        let count = input.byte() % most;
        (0..count).map(|_| u64::from(input.byte())).collect()
    };
    let (blocks, times, heads) = (few(6), few(6), few(5));
    let chain = ForkFilter::new(Hash([7; 32]))
        .with_blocks(blocks)
        .with_times(3, times);
    let [our_block, our_time, their_block, their_time] = heads[..] else {
        return;
    };
    let theirs = chain.id(their_block, their_time);
    assert_eq!(chain.check(our_block, our_time, theirs), Ok(()));
    let ours = chain.id(our_block, our_time);
    assert_eq!(chain.check(their_block, their_time, ours), Ok(()));
    let other = ForkFilter::new(Hash([8; 32])).id(our_block, our_time);
    assert!(chain.check(our_block, our_time, other).is_err());
    let _ = chain.check(
        our_block,
        our_time,
        ForkId {
            next: our_time,
            ..ours
        },
    );
}
