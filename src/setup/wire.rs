use std::io;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use crate::p2p::{DisconnectReason, ids};
use crate::rlpx::{Egress, Ingress, ReadBuffer};
use crate::transport::Transport;

/// The time limit for writing the final Disconnect.
pub(crate) const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How long the receiving side stays open after a refusal.
const LINGER: Duration = Duration::from_secs(2);
/// The maximum number of bytes read during [`LINGER`].
pub(crate) const LINGER_BYTES: usize = 1 << 20;

/// A stream with a session: both directions, each with its cipher and buffer.
pub(crate) struct Wire<T: Transport> {
    pub(crate) reader: T::Reader,
    pub(crate) writer: T::Writer,
    pub(crate) ingress: Ingress,
    pub(crate) egress: Egress,
    /// Received bytes that have not been consumed.
    pub(crate) buffer: ReadBuffer,
    /// An ack that is sent together with the first frame.
    pub(crate) unsent: BytesMut,
}

impl<T: Transport> Wire<T> {
    /// Sends a Disconnect, waits for the remote to close, and closes, within 3 s.
    ///
    /// If the reason is one that is never sent, the stream is only closed.
    pub(crate) async fn refuse(mut self: Box<Self>, reason: DisconnectReason) {
        let Some(reason) = reason.sent() else {
            return;
        };
        let mut out = std::mem::take(&mut self.unsent);
        let sealed = self
            .egress
            .seal(ids::DISCONNECT, &reason.encode(), &mut out);
        if sealed.is_ok()
            && matches!(
                timeout(DISCONNECT_TIMEOUT, self.writer.write_all(&out)).await,
                Ok(Ok(()))
            )
        {
            hang_up::<T>(&mut self.reader, &mut self.writer, LINGER).await;
        }
    }
}

/// Closes the sending side, then reads until the remote closes or `linger` has passed.
///
/// A close with unread input would make the kernel reset the connection, which can destroy the last
/// frame at the receiver.
pub(crate) async fn hang_up<T: Transport>(
    reader: &mut T::Reader,
    writer: &mut T::Writer,
    linger: Duration,
) {
    let close = async {
        writer.shutdown().await?;
        drain(reader, LINGER_BYTES).await
    };
    // Errors do not matter here, because the connection ends in any case.
    let _: Result<io::Result<()>, _> = timeout(linger, close).await;
}

/// Reads and discards bytes until the remote closes or `limit` bytes have arrived.
pub(crate) async fn drain<R: AsyncRead + Unpin>(reader: &mut R, limit: usize) -> io::Result<()> {
    let mut sink = vec![0; 4096];
    let mut total = 0;
    while total < limit {
        match reader.read(&mut sink).await? {
            0 => break,
            read => total += read,
        }
    }
    Ok(())
}

/// Writes all of `bytes` and flushes.
pub(crate) async fn write_flushed<W: AsyncWrite + Unpin>(
    writer: &mut W,
    bytes: &[u8],
) -> io::Result<()> {
    writer.write_all(bytes).await?;
    writer.flush().await
}
