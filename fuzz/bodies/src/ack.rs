//! Ack packets as an initiator receives them.

use std::sync::LazyLock;

use peermux::node::PublicKey;
use peermux::rlp::RlpStream;
use peermux::rlpx::fuzzing::{reencode_ack, seal_eip8, seal_legacy, session};
use peermux::rlpx::{AuthReceived, HandshakeError, Initiator, Legacy};

use super::handshake::{
    Delivery, INITIATOR, RECIPIENT, Setting, Target, check_sessions, damaged, initiator, padded,
    received, run,
};
use super::input::Input;

/// The padding of the auth in bytes, the same as in the transcript.
const AUTH_PADDING: usize = 100;

/// The recipient's state after the auth, which is the same in each run.
static RECEIVED: LazyLock<AuthReceived> =
    LazyLock::new(|| received(&initiator(AUTH_PADDING).1, Legacy::Refuse));

/// The recipient's own ack, without further elements or padding.
static OWN: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let ephemeral = RECIPIENT.ephemeral().public_key();
    body(&ephemeral.to_bytes(), &RECIPIENT.nonce())
});

/// Reads an ack packet; `handshake::run` describes the input.
pub fn ack(data: &[u8]) {
    run::<Ack>(data);
}

/// One run of the target.
struct Ack(Setting);

impl From<Setting> for Ack {
    fn from(setting: Setting) -> Self {
        Self(setting)
    }
}

impl Target for Ack {
    fn packet(&self, packet: &[u8]) {
        let _ = self.deliver(packet, None);
    }

    fn eip8(&self, plaintext: &[u8]) {
        let packet = seal_eip8(plaintext, &dialler(), &RECIPIENT.randomness(self.0.padding));
        let encoded = reencode_ack(&padded(plaintext, self.0.padding));
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

    /// The old format is accepted if EIP-8 is accepted with the same elements.
    fn old(&self, plaintext: &[u8]) {
        let packet = seal_legacy(plaintext, &dialler(), &RECIPIENT.randomness(0));
        if plaintext.len() != 97 || self.0.legacy == Legacy::Refuse {
            assert_ne!(self.deliver(&packet, None), Ok(true));
            return;
        }
        let body = body(&plaintext[..64], &plaintext[64..96]);
        let result = self.deliver(&packet, Some(body == *OWN));
        assert_eq!(result.is_ok(), reencode_ack(&body).is_some());
    }

    fn changed(&self, changes: Input<'_>) {
        let intact = seal_eip8(&OWN, &dialler(), &RECIPIENT.randomness(self.0.padding));
        let packet = damaged(&intact, changes);
        let unchanged = Delivery::new(&packet, self.0.how).wire.starts_with(&intact);
        let accepted = self.deliver(&packet, Some(unchanged));
        assert_eq!(accepted == Ok(true), unchanged);
    }
}

impl Ack {
    /// Delivers a packet and returns whether it was accepted. `own` says whether the packet is the
    /// recipient's own, if known. If it is, both ends must agree on the session; if it is not, they
    /// must not agree.
    fn deliver(&self, packet: &[u8], own: Option<bool>) -> Result<bool, HandshakeError> {
        let (initiator, _) = initiator(AUTH_PADDING);
        let initiator = initiator.with_legacy(self.0.legacy);
        let taken = Delivery::new(packet, self.0.how).run(initiator, Initiator::read_ack)?;
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

/// Returns the plaintext of an ack.
fn body(ephemeral: &[u8], nonce: &[u8]) -> Vec<u8> {
    let mut body = RlpStream::new_list(3);
    body.append(&ephemeral).append(&nonce).append(&4u8);
    body.out().to_vec()
}

fn dialler() -> PublicKey {
    INITIATOR.key().public_key()
}
