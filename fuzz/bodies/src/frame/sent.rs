//! What was sent, and what the receiver must make of the bytes that arrive in its place.

use peermux::rlpx::{FrameError, MAX_FRAME_SIZE, MessageIdError};

/// Bytes of a frame's header and its MAC.
const HEADER: usize = 32;

/// A frame as it left the sender.
pub(super) struct Sent {
    pub(super) wire: Vec<u8>,
    /// How the receiver is set before it reads the frame.
    pub(super) snappy: bool,
    pub(super) max_frame_size: usize,
    /// Bytes of id and data that the header announces, whatever the body has.
    pub(super) announced: usize,
    pub(super) content: Content,
}

/// What is in a frame's body.
pub(super) enum Content {
    /// A message from [`Egress::seal`](peermux::rlpx::Egress::seal).
    Message { id: u64, payload: Vec<u8> },
    /// A valid id, and data of any kind.
    Frame { plaintext: Vec<u8> },
    /// Bytes that begin with no valid id.
    NoId,
}

/// What the receiver must find.
pub(super) enum Expect<'a> {
    Opened(&'a Content),
    Refused(FrameError),
    /// The body is authentic, but its id is not valid. How the id fails is looked at closer by the
    /// target `message`.
    BadId,
    /// Too few bytes.
    Starved,
}

impl Sent {
    /// What a receiver in step must make of `arrived`, all that comes from where it expects this
    /// frame. Nothing but the very bytes that were sent may be opened, and those must be: a frame
    /// that was cut short is whole if what follows happens to begin with the missing bytes.
    pub(super) fn expect(&self, arrived: &[u8]) -> Expect<'_> {
        let Some(header) = arrived.first_chunk::<HEADER>() else {
            return Expect::Starved;
        };
        if !self.wire.starts_with(header) {
            return Expect::Refused(FrameError::HeaderMac);
        }
        if let Err(error) = self.check_size() {
            return Expect::Refused(error);
        }
        let Some(frame) = arrived.get(..wire_size(self.announced)) else {
            return Expect::Starved;
        };
        if frame != self.wire {
            return Expect::Refused(FrameError::BodyMac);
        }
        match &self.content {
            Content::NoId => Expect::BadId,
            content => Expect::Opened(content),
        }
    }

    /// What the header alone decides.
    fn check_size(&self) -> Result<(), FrameError> {
        let max = self.max_frame_size.min(MAX_FRAME_SIZE);
        match self.announced {
            0 => Err(MessageIdError::Missing.into()),
            got if got > max => Err(FrameError::FrameTooLarge { got, max }),
            _ => Ok(()),
        }
    }
}

/// What a receiver must make of bytes that no frame was sent for.
pub(super) fn expect_none(arrived: &[u8]) -> Expect<'static> {
    if arrived.len() < HEADER {
        Expect::Starved
    } else {
        Expect::Refused(FrameError::HeaderMac)
    }
}

/// Bytes on the wire of a frame with so many bytes of id and data.
pub(super) fn wire_size(frame_size: usize) -> usize {
    HEADER + frame_size.next_multiple_of(16) + 16
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use peermux::rlpx::fuzzing::direction;

    use super::*;

    /// A message as the first one of a connection.
    fn sent() -> Sent {
        let mut wire = BytesMut::new();
        direction().0.seal(1, b"payload", &mut wire).unwrap();
        Sent {
            wire: wire.to_vec(),
            snappy: false,
            max_frame_size: 2049,
            announced: 8,
            content: Content::Message {
                id: 1,
                payload: b"payload".to_vec(),
            },
        }
    }

    #[test]
    fn a_cut_frame_is_whole_if_what_follows_completes_it() {
        let sent = sent();
        let (start, [last]) = sent.wire.split_at(sent.wire.len() - 1) else {
            panic!("an empty frame");
        };
        assert!(matches!(sent.expect(start), Expect::Starved));
        let completed = [start, &[*last, 9]].concat();
        assert!(matches!(sent.expect(&completed), Expect::Opened(_)));
        let other = [start, &[!*last, 9]].concat();
        assert!(matches!(
            sent.expect(&other),
            Expect::Refused(FrameError::BodyMac)
        ));
    }

    #[test]
    fn every_changed_byte_is_refused() {
        let sent = sent();
        for position in 0..sent.wire.len() {
            let mut wire = sent.wire.clone();
            wire[position] ^= 1;
            let expected = match position {
                0..HEADER => FrameError::HeaderMac,
                _ => FrameError::BodyMac,
            };
            assert!(matches!(sent.expect(&wire), Expect::Refused(error) if error == expected));
            assert_eq!(direction().1.open(&mut wire).err(), Some(expected));
        }
    }
}
