//! Ack packets, as an initiator receives them.

use std::sync::LazyLock;

use peermux::node::PublicKey;
use peermux::rlp::RlpStream;
use peermux::rlpx::fuzzing::{reencode_ack, seal_eip8, seal_legacy, session};
use peermux::rlpx::{AuthReceived, HandshakeError, Initiator, Legacy};

use super::handshake::{
    Delivery, INITIATOR, RECIPIENT, check_sessions, damaged, initiator, padded, received,
};
use super::input::Input;

/// Plaintexts are cut here, well above what a packet can hold.
const MAX_PLAINTEXT: usize = 4096;

/// Padding of the auth; the transcript's.
const AUTH_PADDING: usize = 100;

/// What the recipient received, which is the same in each run.
static RECEIVED: LazyLock<AuthReceived> =
    LazyLock::new(|| received(&initiator(AUTH_PADDING).1, Legacy::Refuse));

/// What the recipient would write, without further elements or padding.
static OWN: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let ephemeral = RECIPIENT.ephemeral().public_key();
    body(&ephemeral.to_bytes(), &RECIPIENT.nonce())
});

/// How a run goes.
struct Setting {
    legacy: Legacy,
    padding: usize,
    how: u8,
}

/// The first byte says what the rest is (bits 0 and 1: a packet, an EIP-8 plaintext, an old
/// plaintext, changes to a good packet), whether the old format is accepted (bit 2) and how much
/// padding there is (bits 3 to 7); the second how the packet is read.
pub fn ack(data: &[u8]) {
    let mut input = Input::new(data);
    let flags = input.byte();
    let setting = Setting {
        legacy: match flags & 4 {
            0 => Legacy::Refuse,
            _ => Legacy::Accept,
        },
        padding: usize::from(flags >> 3),
        how: input.byte(),
    };
    match flags & 3 {
        0 => {
            let _ = setting.deliver(input.rest(), None);
        }
        1 => setting.eip8(input.take(MAX_PLAINTEXT)),
        2 => setting.old(input.take(MAX_PLAINTEXT)),
        _ => setting.changed(input),
    }
}

impl Setting {
    /// A packet that was encrypted well: only the plaintext decides.
    fn eip8(&self, plaintext: &[u8]) {
        let packet = seal_eip8(plaintext, &dialler(), &RECIPIENT.randomness(self.padding));
        let encoded = reencode_ack(&padded(plaintext, self.padding));
        let own = encoded.as_ref().is_some_and(|encoded| *encoded == OWN[..]);
        match self.deliver(&packet, Some(own)) {
            Ok(true) => {
                let encoded = encoded.expect("a decoded ack");
                assert_eq!(reencode_ack(&encoded).as_ref(), Some(&encoded));
            }
            Ok(false) => panic!("a whole packet was not enough"),
            Err(HandshakeError::PacketTooLarge { got, .. }) => assert_eq!(got, packet.len() - 2),
            Err(HandshakeError::TagMismatch) => panic!("the tag is right"),
            Err(_) => assert!(encoded.is_none()),
        }
    }

    /// A packet in the old format: it must be taken if one of EIP-8 with the same elements is.
    fn old(&self, plaintext: &[u8]) {
        let packet = seal_legacy(plaintext, &dialler(), &RECIPIENT.randomness(0));
        if plaintext.len() != 97 || self.legacy == Legacy::Refuse {
            assert_ne!(self.deliver(&packet, None), Ok(true));
            return;
        }
        let body = body(&plaintext[..64], &plaintext[64..96]);
        let result = self.deliver(&packet, Some(body == *OWN));
        assert_eq!(result.is_ok(), reencode_ack(&body).is_some());
    }

    /// A good packet to which something happened on its way.
    fn changed(&self, changes: Input<'_>) {
        let intact = seal_eip8(&OWN, &dialler(), &RECIPIENT.randomness(self.padding));
        let packet = damaged(&intact, changes);
        let unchanged = Delivery::new(&packet, self.how).wire.starts_with(&intact);
        let accepted = self.deliver(&packet, Some(unchanged));
        assert_eq!(accepted == Ok(true), unchanged);
    }

    /// Whether the packet was accepted. `own` says whether it is the recipient's: then both ends
    /// must agree, and else they must not.
    fn deliver(&self, packet: &[u8], own: Option<bool>) -> Result<bool, HandshakeError> {
        let (initiator, _) = initiator(AUTH_PADDING);
        let initiator = initiator.with_legacy(self.legacy);
        let taken = Delivery::new(packet, self.how).run(initiator, Initiator::read_ack)?;
        let Some((packet, ours)) = taken else {
            return Ok(false);
        };
        assert_eq!(ours.remote, RECIPIENT.key().public_key());
        if let Some(own) = own {
            let theirs = session(&RECEIVED, &RECIPIENT.randomness(0), &packet);
            assert_eq!(theirs.remote, dialler());
            check_sessions(ours, theirs, own);
        }
        Ok(true)
    }
}

/// The plaintext of an ack.
fn body(ephemeral: &[u8], nonce: &[u8]) -> Vec<u8> {
    let mut body = RlpStream::new_list(3);
    body.append(&ephemeral).append(&nonce).append(&4u8);
    body.out().to_vec()
}

fn dialler() -> PublicKey {
    INITIATOR.key().public_key()
}
