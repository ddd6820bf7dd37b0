//! Transports that panic.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use peermux::transport::Generic;
use peermux::{DisconnectReason, PeerError};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};

use super::*;

/// A stream that panics when told to.
struct Fragile {
    stream: DuplexStream,
    on_use: Arc<AtomicBool>,
    on_drop: bool,
}

impl Fragile {
    fn check(&self) {
        assert!(!self.on_use.load(Ordering::Relaxed), "a panic in a test");
    }
}

impl AsyncRead for Fragile {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check();
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Fragile {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check();
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check();
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Drop for Fragile {
    fn drop(&mut self) {
        if self.on_drop && !std::thread::panicking() {
            panic!("a panic in a test");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_panics_keeps_no_seat_and_its_peer_is_reported_as_gone() {
    let (server, remote) = (remote().await, remote().await);
    let key = *remote.enode().public_key();
    for (uses, on_drop, aborted) in [
        (true, false, false),
        (false, true, false),
        (true, true, false),
        (true, true, true),
    ] {
        let mut feed = server.subscribe();
        let (near, far) = duplex(64 << 10);
        let on_use = Arc::new(AtomicBool::new(false));
        let fragile = Generic::new(Fragile {
            stream: near,
            on_use: Arc::clone(&on_use),
            on_drop,
        });
        let (peer, accepted) =
            tokio::join!(server.dial_over(fragile, &key), remote.accept_over(far));
        let (peer, accepted) = (peer.expect("connects"), accepted.expect("connects"));
        on_use.store(uses, Ordering::Relaxed);
        if aborted {
            accepted.disconnect(DisconnectReason::REQUESTED);
        } else {
            peer.disconnect(DisconnectReason::REQUESTED);
        }
        assert_eq!(dropped(&mut feed).await.id(), remote.id());
        assert_eq!(server.peer_count(), 0);
        let outcome = peer.ended().await.expect("the cause is not lost");
        assert_eq!(
            matches!(outcome.error, PeerError::Local(_)),
            !aborted,
            "{outcome}"
        );
        accepted.ended().await;
    }
}
