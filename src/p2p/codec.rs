//! A `tokio-util` codec over a session, for programs that drive a connection themselves.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use tokio_util::codec::{Decoder, Encoder};

use super::ids::DISCONNECT;
use crate::fault::Fault;
use crate::rlpx::{Egress, Frame, FrameError, Ingress, MAX_FRAME_SIZE, Opened, SealError};

/// The maximum room reserved for a frame before its bytes arrive, in bytes.
const READ_AHEAD: usize = 64 * 1024;

/// One message: an id and an uncompressed payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawMessage {
    /// The message id on the wire, with the protocol's offset.
    pub id: u64,
    /// The payload, as the protocol wrote it.
    pub payload: Bytes,
}

/// Why a codec failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The stream under the codec failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A received frame was rejected. The connection is lost.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A message cannot be sent. The connection can still be used.
    #[error(transparent)]
    Seal(#[from] SealError),
}

impl CodecError {
    /// Returns who is at fault.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Io(_) => Fault::Io,
            Self::Frame(error) => error.fault(),
            Self::Seal(error) => error.fault(),
        }
    }
}

/// Encodes and decodes [`RawMessage`]s on a session, for `tokio_util::codec::Framed`.
///
/// A new codec is in the state of a connection before its Hellos: it accepts frames of at most 2049
/// bytes until [`set_max_frame_size`](Self::set_max_frame_size), and does not compress until
/// [`set_snappy`](Self::set_snappy). Both settings take effect on the next frame, even if its bytes
/// have already been read, because frames are decoded one at a time.
#[derive(Debug)]
pub struct RlpxCodec {
    egress: Egress,
    ingress: Ingress,
    max_payload: usize,
}

impl RlpxCodec {
    /// Returns a codec over both directions of a session.
    pub fn new(egress: Egress, ingress: Ingress) -> Self {
        Self {
            egress,
            ingress,
            max_payload: MAX_FRAME_SIZE,
        }
    }

    /// Sets how many bytes a received payload may have, uncompressed.
    ///
    /// The default is 2^24 - 1, the protocol's maximum. A compressed payload can cause an
    /// allocation of up to this size, but of at most 22 times the bytes that the remote has sent.
    #[must_use]
    pub fn with_max_payload(mut self, bytes: usize) -> Self {
        self.max_payload = bytes;
        self
    }

    /// Sets how many bytes of id and data a frame may have; see [`Ingress::set_max_frame_size`].
    pub fn set_max_frame_size(&mut self, bytes: usize) {
        self.ingress.set_max_frame_size(bytes);
    }

    /// Switches compression on or off in both directions.
    pub fn set_snappy(&mut self, on: bool) {
        self.egress.set_snappy(on);
        self.ingress.set_snappy(on);
    }
}

impl Encoder<RawMessage> for RlpxCodec {
    type Error = CodecError;

    fn encode(&mut self, message: RawMessage, out: &mut BytesMut) -> Result<(), CodecError> {
        self.egress.seal(message.id, &message.payload, out)?;
        Ok(())
    }
}

impl Decoder for RlpxCodec {
    type Item = RawMessage;
    type Error = CodecError;

    fn decode(&mut self, input: &mut BytesMut) -> Result<Option<RawMessage>, CodecError> {
        match self.ingress.open(input)? {
            Opened::NeedMore { total } => {
                let missing = total.saturating_sub(input.len());
                input.reserve(missing.min(READ_AHEAD));
                Ok(None)
            }
            Opened::Frame { frame, consumed } => {
                let message = RawMessage {
                    id: frame.id(),
                    payload: payload(&frame, self.max_payload)?,
                };
                input.advance(consumed);
                Ok(Some(message))
            }
        }
    }
}

/// Returns a frame's payload.
///
/// EthereumJS and reth may send an uncompressed Disconnect although compression is on. Such a
/// Disconnect is accepted, because its reason is more useful than an error about its form.
fn payload(frame: &Frame<'_>, max: usize) -> Result<Bytes, FrameError> {
    match frame.payload(max) {
        Err(FrameError::Snappy(_)) if frame.id() == DISCONNECT && frame.data().len() <= 2 => {
            Ok(Bytes::copy_from_slice(frame.data()))
        }
        payload => payload,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rlpx::testing::sessions;

    fn codecs() -> (RlpxCodec, RlpxCodec) {
        let (initiator, recipient) = sessions();
        (
            RlpxCodec::new(initiator.egress, initiator.ingress),
            RlpxCodec::new(recipient.egress, recipient.ingress),
        )
    }

    fn message(id: u64, length: usize) -> RawMessage {
        let payload = vec![7; length].into();
        RawMessage { id, payload }
    }

    #[test]
    fn switches_between_frames_that_were_already_read() {
        let (mut a, mut b) = codecs();
        let mut wire = BytesMut::new();
        a.encode(message(0, 100), &mut wire).unwrap();
        a.set_snappy(true);
        a.encode(message(16, 100_000), &mut wire).unwrap();
        assert!(wire.len() < 10_000);
        assert_eq!(b.decode(&mut wire).unwrap(), Some(message(0, 100)));
        b.set_snappy(true);
        b.set_max_frame_size(usize::MAX);
        assert_eq!(b.decode(&mut wire).unwrap(), Some(message(16, 100_000)));
        assert_eq!(b.decode(&mut wire).unwrap(), None);
        assert!(wire.is_empty());
    }

    #[test]
    fn a_disconnect_may_be_uncompressed() {
        for form in [&[0x04][..], &[0xc1, 0x04]] {
            let (mut a, mut b) = codecs();
            b.set_snappy(true);
            let mut wire = BytesMut::new();
            for id in [1, 2] {
                let payload = Bytes::copy_from_slice(form);
                a.encode(RawMessage { id, payload }, &mut wire).unwrap();
            }
            let disconnect = b.decode(&mut wire).unwrap().unwrap();
            assert_eq!((disconnect.id, &disconnect.payload[..]), (1, form));
            assert!(matches!(
                b.decode(&mut wire),
                Err(CodecError::Frame(FrameError::Snappy(_)))
            ));
        }
    }

    #[test]
    fn an_announcement_reserves_64_kib() {
        let (mut a, mut b) = codecs();
        b.set_max_frame_size(usize::MAX);
        let mut wire = BytesMut::new();
        a.encode(message(16, 4 << 20), &mut wire).unwrap();
        let mut input = BytesMut::from(&wire[..32]);
        assert_eq!(b.decode(&mut input).unwrap(), None);
        assert!(input.capacity() <= 2 * READ_AHEAD);
        input.extend_from_slice(&wire[32..]);
        let decoded = b.decode(&mut input).unwrap();
        assert_eq!(decoded, Some(message(16, 4 << 20)));
    }

    #[test]
    fn errors_name_the_side_at_fault() {
        let (mut a, b) = codecs();
        let mut b = b.with_max_payload(9);
        let mut wire = BytesMut::new();
        let error = a.encode(message(1, 16 << 20), &mut wire).unwrap_err();
        assert_eq!(error.fault(), Fault::Local);
        a.encode(message(1, 10), &mut wire).unwrap();
        let error = b.decode(&mut wire).unwrap_err();
        assert!(matches!(
            error,
            CodecError::Frame(FrameError::PayloadTooLarge { got: 10, max: 9 })
        ));
        assert_eq!(error.fault(), Fault::Remote);
        let error = CodecError::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(error.fault(), Fault::Io);
    }
}
