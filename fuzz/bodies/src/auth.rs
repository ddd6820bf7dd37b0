//! Auth packets as a recipient receives them.

use bytes::BytesMut;
use peermux::node::PublicKey;
use peermux::rlp::RlpStream;
use peermux::rlpx::fuzzing::{ephemeral, having_sent, reencode_auth, seal_eip8, seal_legacy};
use peermux::rlpx::{AuthReceived, HandshakeError, Legacy, Recipient, Step};

use super::handshake::{
    Delivery, INITIATOR, RECIPIENT, Setting, Target, check_sessions, damaged, initiator, padded,
    received, run,
};
use super::input::Input;

/// Reads an auth packet; `handshake::run` describes the input.
pub fn auth(data: &[u8]) {
    run::<Auth>(data);
}

/// One run of the target.
struct Auth(Setting);

impl From<Setting> for Auth {
    fn from(setting: Setting) -> Self {
        Self(setting)
    }
}

impl Target for Auth {
    fn packet(&self, packet: &[u8]) {
        let _ = self.deliver(packet);
    }

    fn eip8(&self, plaintext: &[u8]) {
        let (remote, randomness) = (recipient(), INITIATOR.randomness(self.0.padding));
        let packet = seal_eip8(plaintext, &remote, &randomness);
        let encoded = reencode_auth(&padded(plaintext, self.0.padding));
        match self.deliver(&packet) {
            Ok(Some(claims)) => {
                let encoded = encoded.expect("a decoded auth");
                assert_eq!(reencode_auth(&encoded).as_ref(), Some(&encoded));
                let again = seal_eip8(&encoded, &remote, &INITIATOR.randomness(1));
                assert_eq!(Claims::of(&received(&again, Legacy::Refuse)), claims);
            }
            Ok(None) => panic!("a whole packet was not enough"),
            Err(HandshakeError::PacketTooLarge { got, .. }) => assert_eq!(got, packet.len() - 2),
            // Decoding does not check the signature.
            Err(HandshakeError::InvalidSignature(_)) => assert!(encoded.is_some()),
            Err(HandshakeError::TagMismatch) => panic!("the tag is right"),
            Err(_) => assert!(encoded.is_none()),
        }
    }

    /// The old format means the same as EIP-8 with the same elements.
    fn old(&self, plaintext: &[u8]) {
        let (remote, randomness) = (recipient(), INITIATOR.randomness(0));
        let result = self.deliver(&seal_legacy(plaintext, &remote, &randomness));
        if plaintext.len() != 194 || self.0.legacy == Legacy::Refuse {
            assert!(!matches!(result, Ok(Some(_))));
            return;
        }
        let mut body = RlpStream::new_list(4);
        body.append(&&plaintext[..65])
            .append(&&plaintext[97..161])
            .append(&&plaintext[161..193])
            .append(&4u8);
        let new = seal_eip8(&body.out(), &remote, &randomness);
        assert_eq!(result, self.deliver(&new));
    }

    fn changed(&self, changes: Input<'_>) {
        let (_, intact) = initiator(self.0.padding);
        let packet = damaged(&intact, changes);
        let unchanged = Delivery::new(&packet, self.0.how).wire.starts_with(&intact);
        let accepted = matches!(self.deliver(&packet), Ok(Some(_)));
        assert_eq!(accepted, unchanged);
    }
}

impl Auth {
    fn deliver(&self, packet: &[u8]) -> Result<Option<Claims>, HandshakeError> {
        let recipient = Recipient::new(&RECIPIENT.key(), self.0.legacy);
        let taken = Delivery::new(packet, self.0.how).run(recipient, Recipient::read_auth)?;
        Ok(taken.map(|(packet, auth)| {
            let claims = Claims::of(&auth);
            self.answer(auth, &packet);
            claims
        }))
    }

    /// Answers an accepted auth. If the auth is the initiator's own, both ends must agree on the
    /// session; otherwise they must not.
    fn answer(&self, auth: AuthReceived, packet: &[u8]) {
        let claims = Claims::of(&auth);
        let (ack, session) = auth.answer(RECIPIENT.randomness(self.0.padding)).unwrap();
        if claims.remote != INITIATOR.key().public_key() {
            return;
        }
        let (initiator, _) = initiator(0);
        let initiator = having_sent(initiator, packet).with_legacy(self.0.legacy);
        match initiator.read_ack(&mut BytesMut::from(&ack[..])) {
            Ok(Step::Done(theirs)) => {
                let same = claims.ephemeral == INITIATOR.ephemeral().public_key();
                check_sessions(session, theirs, same);
            }
            Ok(Step::NeedMore { bytes, .. }) => panic!("{bytes} more bytes needed"),
            Err(error) => panic!("{error}"),
        }
    }
}

/// The keys that an auth claims.
#[derive(Debug, PartialEq)]
struct Claims {
    remote: PublicKey,
    ephemeral: PublicKey,
}

impl Claims {
    fn of(auth: &AuthReceived) -> Self {
        Self {
            remote: *auth.remote(),
            ephemeral: *ephemeral(auth),
        }
    }
}

fn recipient() -> PublicKey {
    RECIPIENT.key().public_key()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_may_complete_the_list() {
        let mut body = RlpStream::new_list(5);
        body.append(&[7; 65].as_slice())
            .append(&recipient().to_bytes().as_slice())
            .append(&[7; 32].as_slice())
            .append(&4u8)
            .append(&[0; 4].as_slice());
        let body = body.out();
        let cut = &body[..body.len() - 4];
        assert!(reencode_auth(cut).is_none());
        assert!(reencode_auth(&padded(cut, 4)).is_some());
        for padding in [3, 4, 5] {
            auth(&[&[1 | padding << 3, 7], cut].concat());
        }
    }
}
