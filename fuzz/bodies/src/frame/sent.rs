//! What was sent, and the receiver's expected result for the bytes that arrive.

use peermux::rlpx::{FrameError, MAX_FRAME_SIZE, MessageIdError};

/// Length of a frame's header with its MAC in bytes.
const HEADER: usize = 32;

/// A frame as the sender wrote it.
pub(super) struct Sent {
    pub(super) wire: Vec<u8>,
    /// The receiver's settings before it reads the frame.
    pub(super) snappy: bool,
    pub(super) max_frame_size: usize,
    /// The length of id and data that the header states, whatever the body contains.
    pub(super) announced: usize,
    pub(super) content: Content,
}

/// The content of a frame's body.
pub(super) enum Content {
    /// A message from [`Egress::seal`](peermux::rlpx::Egress::seal).
    Message { id: u64, payload: Vec<u8> },
    /// A valid id, then data of any kind.
    Frame { plaintext: Vec<u8> },
    /// Bytes without a valid id.
    NoId,
}

/// The receiver's expected result.
pub(super) enum Expect<'a> {
    Opened(&'a Content),
    Refused(FrameError),
    /// The body is authentic, but its message id is invalid. The target `message` checks the exact
    /// error.
    BadId,
    /// Too few bytes arrive.
    Starved,
}

impl Sent {
    /// Returns the expected result for `arrived`. These are all bytes from where the receiver
    /// expects this frame. If its size is allowed, the frame must be opened exactly if its bytes
    /// arrive unchanged. A truncated frame is whole if the bytes after it happen to complete it.
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

    /// Checks what depends on the header alone.
    fn check_size(&self) -> Result<(), FrameError> {
        let max = self.max_frame_size.min(MAX_FRAME_SIZE);
        match self.announced {
            0 => Err(MessageIdError::Missing.into()),
            got if got > max => Err(FrameError::FrameTooLarge { got, max }),
            _ => Ok(()),
        }
    }
}

/// Returns the expected result for bytes that belong to no frame.
pub(super) fn expect_none(arrived: &[u8]) -> Expect<'static> {
    if arrived.len() < HEADER {
        Expect::Starved
    } else {
        Expect::Refused(FrameError::HeaderMac)
    }
}

/// Returns the size on the wire for this many bytes of id and data.
pub(super) fn wire_size(frame_size: usize) -> usize {
    HEADER + frame_size.next_multiple_of(16) + 16
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use peermux::rlpx::fuzzing::direction;

    use super::*;

    /// Returns a message as the first one of a connection.
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
