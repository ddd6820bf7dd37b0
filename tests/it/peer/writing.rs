//! The sending direction of a peer: limits, order, batches.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use peermux::driver::PeerOptions;
use peermux::p2p::ids;
use peermux::peer::PeerEvents;
use peermux::rlpx::MAX_PAYLOAD;
use peermux::testing::Settings;
use peermux::transport::Generic;
use peermux::{
    DisconnectReason, Message, PeerError, PeerEvent, ProtocolLimits, SecretKey, SendError, Server,
    TrySendError,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::{noise, peer, protocol};

#[tokio::test(start_paused = true)]
async fn an_oversized_message_is_an_error_only_for_its_sender() {
    let sends = protocol(1).run(|peer, conn| async move {
        let size = MAX_PAYLOAD + 1;
        let refused = conn.send(&Message::new(0, vec![0; size])).await;
        assert_eq!(
            refused,
            Err(SendError::TooLarge {
                code: 0,
                size,
                limit: MAX_PAYLOAD
            })
        );
        conn.send(&Message::new(0, vec![0x05])).await?;
        peer.ending().await;
        Ok(())
    });
    let (_peer, mut remote) = peer(sends).await;
    assert_eq!(&remote.expect().await.payload[..], [0x05]);
}

/// The buffer kept after a large message must leave room for the next message. Both count towards
/// the peer's memory.
#[tokio::test(start_paused = true)]
async fn the_largest_messages_follow_one_another_without_a_pause() {
    let noise = noise(MAX_PAYLOAD);
    let sends = protocol(1).run(move |peer, conn| {
        let noise = noise.clone();
        async move {
            for _ in 0..3 {
                conn.send_and_flush(&Message::new(0, noise.clone())).await?;
            }
            peer.ending().await;
            Ok(())
        }
    });
    let (_peer, mut remote) = peer(sends).await;
    let begun = tokio::time::Instant::now();
    for _ in 0..3 {
        assert_eq!(remote.expect().await.payload.len(), MAX_PAYLOAD);
    }
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn the_largest_incompressible_message_arrives_whole() {
    let noise = noise(MAX_PAYLOAD);
    let expected = noise.clone();
    let sends = protocol(1).run(move |peer, conn| {
        let noise = noise.clone();
        async move {
            conn.send_and_flush(&Message::new(0, noise)).await?;
            peer.ending().await;
            Ok(())
        }
    });
    let (_peer, mut remote) = peer(sends).await;
    assert_eq!(remote.expect().await.payload, expected);
}

#[tokio::test(start_paused = true)]
async fn a_message_id_of_two_bytes_leaves_one_byte_less_for_the_largest_payload() {
    let sends = protocol(0x80).run(|peer, conn| async move {
        let limit = MAX_PAYLOAD - 1;
        let refused = conn.send(&Message::new(0x70, noise(limit + 1))).await;
        let size = limit + 1;
        let code = 0x70;
        assert_eq!(refused, Err(SendError::TooLarge { code, size, limit }));
        conn.send_and_flush(&Message::new(0x70, noise(limit)))
            .await?;
        peer.ending().await;
        Ok(())
    });
    let (_peer, mut remote) = peer(sends).await;
    let largest = remote.expect().await;
    assert_eq!(largest.id, 0x80);
    assert!(largest.payload == noise(MAX_PAYLOAD - 1));
}

#[tokio::test(start_paused = true)]
async fn try_send_reports_when_the_queue_is_full() {
    let sends = protocol(1).run(|_, conn| async move {
        let message = Message::new(0, vec![0x55; 1000]);
        let mut sent = 0;
        // Nothing is written before this task yields.
        let full = loop {
            match conn.try_send(&message) {
                Ok(()) => sent += 1,
                Err(error) => break error,
            }
        };
        assert_eq!((full, sent), (TrySendError::Full, 256));
        Ok(())
    });
    let (_peer, mut remote) = peer(sends).await;
    for _ in 0..256 {
        assert_eq!(remote.expect().await.id, 16);
    }
    assert_eq!(remote.expect().await.id, ids::DISCONNECT);
}

#[tokio::test(start_paused = true)]
async fn flushing_fails_when_the_connection_ends_first() {
    let (result, seen) = tokio::sync::oneshot::channel();
    let result = std::sync::Mutex::new(Some(result));
    let sends = protocol(1).run(move |peer, conn| {
        let result = result.lock().unwrap().take();
        async move {
            peer.ending().await;
            let flushed = conn.send_and_flush(&Message::new(0, vec![0xc0])).await;
            if let Some(result) = result {
                let _ = result.send(flushed);
            }
            Ok(())
        }
    });
    let (_peer, remote) = peer(sends).await;
    drop(remote);
    assert_eq!(
        seen.await.expect("the handler reports"),
        Err(SendError::ShuttingDown)
    );
}

#[tokio::test(start_paused = true)]
async fn waiting_senders_learn_which_write_failed() {
    let (results, mut seen) = tokio::sync::mpsc::channel(2);
    let limits = ProtocolLimits::default().with_queue_messages(1);
    let sends = protocol(1).limits(limits).run(move |_, conn| {
        let results = results.clone();
        async move {
            let message = Message::new(0, noise(1 << 20));
            // The first message is being written to a remote that does not read, the second is
            // queued, and the third waits for room.
            let flushed = conn.send_and_flush(&message);
            let waiting = async {
                tokio::task::yield_now().await;
                conn.send(&message).await?;
                conn.send(&message).await
            };
            let (flushed, waiting) = tokio::join!(flushed, waiting);
            for result in [flushed, waiting] {
                results.try_send(result).expect("there are two");
            }
            Ok(())
        }
    });
    let (peer, _remote) = peer(sends).await;
    for _ in 0..2 {
        let error = seen.recv().await.expect("reported").expect_err("unsent");
        assert!(error.is_shutting_down());
        let io = Error::source(&error).and_then(Error::source);
        let io = io.and_then(|error| error.downcast_ref::<io::Error>());
        assert_eq!(io.expect("the cause").kind(), io::ErrorKind::TimedOut);
    }
    let outcome = peer.ended().await.expect("ran to its end");
    assert!(matches!(outcome.error, PeerError::SlowWrite(_)));
    assert_eq!(outcome.unsent, 2);
}

#[tokio::test(start_paused = true)]
async fn message_events_contain_code_and_uncompressed_size() {
    let events = PeerEvents::new(16, true);
    let mut feed = events.subscribe();
    let mirror = protocol(4).run(|_, mut conn| async move {
        while let Some(message) = conn.recv().await? {
            conn.send_and_flush(&message).await?;
        }
        Ok(())
    });
    let options = PeerOptions::default().with_events(events);
    let (peer, mut remote) = peer(Settings::from(mirror).with_options(options)).await;
    let began = Instant::now();
    remote.send(19, &[0x55; 500]).await;
    remote.expect().await;
    let PeerEvent::MessageReceived(received) = feed
        .recv()
        .await
        .expect("reported")
        .expect("none is missed")
    else {
        panic!()
    };
    assert_eq!(
        (received.code, received.size, &*received.protocol),
        (3, 500, "a")
    );
    assert!((began..=Instant::now()).contains(&received.at));
    let sent = feed
        .recv()
        .await
        .expect("reported")
        .expect("none is missed");
    let json = serde_json::to_value(&sent).expect("serialises");
    let id = peer.id().to_string();
    let expected = serde_json::json!(
        {"event": "message_sent", "node_id": id, "protocol": "a", "code": 3, "size": 500, "addr": null, "local_addr": null});
    assert_eq!(json, expected);
}

/// Counts the writes to the underlying stream.
struct CountWrites {
    stream: tokio::io::DuplexStream,
    writes: Arc<AtomicUsize>,
}

impl AsyncRead for CountWrites {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for CountWrites {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[tokio::test(start_paused = true)]
async fn small_messages_queued_together_share_a_write() {
    let sends = protocol(1).run(|peer, conn| async move {
        for n in 0..100 {
            conn.send(&Message::new(0, vec![n])).await?;
        }
        peer.ending().await;
        Ok(())
    });
    let receives = protocol(1).run(|_, mut conn| async move {
        while conn.recv().await?.is_some() {}
        Ok(())
    });
    let writes = Arc::new(AtomicUsize::new(0));
    let (near, far) = tokio::io::duplex(1 << 16);
    let near = Generic::new(CountWrites {
        stream: near,
        writes: writes.clone(),
    });
    let key = SecretKey::generate;
    let (dialler, listener) = (
        Server::builder(key())
            .protocol(sends)
            .start()
            .await
            .unwrap(),
        Server::builder(key())
            .protocol(receives)
            .start()
            .await
            .unwrap(),
    );
    let remote = *listener.enode().public_key();
    let (peer, accepted) =
        tokio::join!(dialler.dial_over(near, &remote), listener.accept_over(far));
    let (peer, accepted) = (peer.expect("connects"), accepted.expect("connects"));
    peer.close_gracefully(DisconnectReason::REQUESTED, Duration::from_secs(5))
        .await;
    let outcome = accepted.ended().await.expect("ends");
    assert_eq!(outcome.error.reason(), Some(DisconnectReason::REQUESTED));
    // These are the writes of the auth, the Hello, the Disconnect, and the messages.
    let writes = writes.load(Ordering::Relaxed);
    assert!(writes <= 10, "{writes} writes");
}
