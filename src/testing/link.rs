use std::io;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::time::after;

/// How many bytes each direction holds at either end.
const PIPE: usize = 64 << 10;
/// How many pieces of up to [`PIPE`] bytes can be in transit in each direction.
const UNDER_WAY: usize = 64;

/// Returns the two ends of an in-memory stream with a latency.
///
/// Bytes written at one end can be read at the other after `latency`. The end of the stream also
/// arrives after `latency`. Call this function within a runtime. With paused time, the latency
/// takes no real time.
#[must_use]
pub fn link(latency: Duration) -> (DuplexStream, DuplexStream) {
    let (near, near_far) = duplex(PIPE);
    let (far, far_near) = duplex(PIPE);
    let (near_read, near_write) = split(near_far);
    let (far_read, far_write) = split(far_near);
    carry(near_read, far_write, latency);
    carry(far_read, near_write, latency);
    (near, far)
}

/// Carries one direction until either end is dropped.
fn carry(from: ReadHalf<DuplexStream>, to: WriteHalf<DuplexStream>, latency: Duration) {
    let (send, pieces) = mpsc::channel(UNDER_WAY);
    tokio::spawn(take(from, send, latency));
    tokio::spawn(async move {
        // If the reader has been dropped, the direction ends, as on a real network.
        let _ = deliver(to, pieces).await;
    });
}

async fn take(
    mut from: ReadHalf<DuplexStream>,
    send: mpsc::Sender<(Instant, Bytes)>,
    latency: Duration,
) {
    let mut buffer = vec![0; PIPE];
    loop {
        // At the end of the stream the piece is empty. It ends the direction, after the same
        // latency as the other pieces.
        let read = from.read(&mut buffer).await.unwrap_or_default();
        let piece = Bytes::copy_from_slice(buffer.get(..read).unwrap_or_default());
        let sent = send.send((after(Instant::now(), latency), piece)).await;
        if sent.is_err() || read == 0 {
            return;
        }
    }
}

async fn deliver(
    mut to: WriteHalf<DuplexStream>,
    mut pieces: mpsc::Receiver<(Instant, Bytes)>,
) -> io::Result<()> {
    while let Some((due, piece)) = pieces.recv().await {
        sleep_until(due).await;
        if piece.is_empty() {
            break;
        }
        to.write_all(&piece).await?;
    }
    to.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn bytes_and_the_end_arrive_after_the_latency() {
        let latency = Duration::from_millis(70);
        let (mut near, mut far) = link(latency);
        let started = Instant::now();
        near.write_all(b"hello").await.unwrap();
        drop(near);
        let mut all = Vec::new();
        far.read_to_end(&mut all).await.unwrap();
        assert_eq!(
            (all.as_slice(), started.elapsed()),
            (&b"hello"[..], latency)
        );
    }
}
