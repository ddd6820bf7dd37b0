//! How a peer shuts down: grace, draining, and what a handler still receives.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use peermux::p2p::ids;
use peermux::peer::TransferLimit;
use peermux::testing::Scripted;
use peermux::{DisconnectReason, Message, Peer, PeerError, ProtocolLimits, SendError};
use tokio::time::Instant;

use super::{idle, noise, outcome, peer, protocol};

#[tokio::test(start_paused = true)]
async fn a_hundred_messages_queued_before_the_return_arrive_before_the_disconnect() {
    let sends = protocol(1).run(|_, conn| async move {
        for number in 0..100u8 {
            conn.send(&Message::new(0, vec![0x81, 0x80 | number]))
                .await?;
        }
        Ok(())
    });
    let (peer, mut remote) = peer(sends).await;
    for number in 0..100u8 {
        let message = remote.expect().await;
        assert_eq!(
            (message.id, &message.payload[..]),
            (16, &[0x81, 0x80 | number][..])
        );
    }
    let last = remote.expect().await;
    assert_eq!(
        (last.id, last.reason),
        (ids::DISCONNECT, Some(DisconnectReason::CLIENT_QUITTING))
    );
    assert!(remote.next().await.is_none());
    assert_eq!(outcome(&peer).await.unsent, 0);
}

#[tokio::test(start_paused = true)]
async fn a_graceful_close_writes_queued_messages_first() {
    let (queued, ready) = tokio::sync::oneshot::channel::<()>();
    let queued = std::sync::Mutex::new(Some(queued));
    let sends = protocol(1).run(move |peer, conn| {
        let queued = queued.lock().unwrap().take();
        async move {
            for _ in 0..50 {
                conn.send(&Message::new(0, vec![0xc0])).await?;
            }
            drop(queued);
            peer.ending().await;
            assert_eq!(
                conn.send(&Message::new(0, vec![0xc0])).await,
                Err(SendError::ShuttingDown)
            );
            Ok(())
        }
    });
    let (peer, mut remote) = peer(sends).await;
    assert!(ready.await.is_err());
    let close = peer.close_gracefully(DisconnectReason::REQUESTED, Duration::from_secs(3));
    let read = async move {
        let mut messages = 0;
        loop {
            match remote.expect().await {
                frame if frame.id == ids::DISCONNECT => return (messages, frame.reason),
                _ => messages += 1,
            }
        }
    };
    let ((), (messages, reason)) = tokio::join!(close, read);
    assert_eq!((messages, reason), (50, Some(DisconnectReason::REQUESTED)));
}

/// Returns a peer with these messages queued, and its remote, which has read none.
async fn with_queued(messages: Vec<Vec<u8>>) -> (Peer, Scripted) {
    let limits = ProtocolLimits::default().with_queue_messages(messages.len());
    let (queued, ready) = tokio::sync::oneshot::channel::<()>();
    let work = std::sync::Mutex::new(Some((queued, messages)));
    let queues = protocol(1).limits(limits).run(move |peer, conn| {
        let work = work.lock().unwrap().take();
        async move {
            let (queued, messages) = work.expect("there is one peer");
            for message in messages {
                conn.send(&Message::new(0, message)).await?;
            }
            drop(queued);
            peer.ending().await;
            Ok(())
        }
    });
    let connected = peer(queues).await;
    assert!(ready.await.is_err());
    connected
}

/// Reads a message every 100 ms until the stream ends. Returns the number of messages, and the
/// Disconnects.
async fn read_slowly(mut remote: Scripted) -> (usize, Vec<Option<DisconnectReason>>) {
    let (mut messages, mut reasons) = (0, Vec::new());
    while let Some(frame) = remote.next().await {
        match frame.id {
            ids::DISCONNECT => reasons.push(frame.reason),
            _ => messages += 1,
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    (messages, reasons)
}

#[tokio::test(start_paused = true)]
async fn at_its_deadline_a_graceful_close_drops_queued_messages_and_sends_the_disconnect() {
    let (peer, remote) = with_queued(vec![noise(16 << 10); 200]).await;
    let started = Instant::now();
    let close = peer.close_gracefully(DisconnectReason::REQUESTED, Duration::from_secs(1));
    let ((), (read, reasons)) = tokio::join!(close, read_slowly(remote));
    assert_eq!(reasons, [Some(DisconnectReason::REQUESTED)]);
    assert!(started.elapsed() < Duration::from_secs(3));
    let outcome = outcome(&peer).await;
    assert!((10..30).contains(&read), "{read}");
    assert_eq!(read + outcome.unsent, 200);
}

#[tokio::test(start_paused = true)]
async fn a_large_message_not_begun_by_the_deadline_gives_way_to_the_disconnect() {
    // The small messages fill the pipe; the large one waits together with the remaining messages.
    let mut messages = vec![noise(14); 840];
    messages.push(noise(1 << 20));
    let (peer, remote) = with_queued(messages).await;
    let close = peer.close_gracefully(DisconnectReason::REQUESTED, Duration::from_secs(1));
    let late = async move {
        let mut remote = remote;
        tokio::time::sleep(Duration::from_millis(1100)).await;
        let mut messages = 0;
        while remote.expect().await.id != ids::DISCONNECT {
            messages += 1;
        }
        messages
    };
    let ((), read) = tokio::join!(close, late);
    assert_eq!(read, 840);
    assert_eq!(outcome(&peer).await.unsent, 1);
}

#[tokio::test(start_paused = true)]
async fn a_later_request_can_shorten_a_graceful_close_and_does_not_change_its_reason() {
    let (peer, remote) = with_queued(vec![noise(16 << 10); 200]).await;
    let started = Instant::now();
    let close = peer.close_gracefully(DisconnectReason::REQUESTED, Duration::from_secs(60));
    let hurry = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        peer.disconnect(DisconnectReason::CLIENT_QUITTING);
    };
    let ((), (), (_, reasons)) = tokio::join!(close, hurry, read_slowly(remote));
    assert_eq!(reasons, [Some(DisconnectReason::REQUESTED)]);
    assert!(started.elapsed() < Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn a_protocol_that_ignores_the_end_is_aborted_after_the_grace_period() {
    let deaf = protocol(1).run(|_, _conn| std::future::pending());
    let (peer, remote) = peer(deaf).await;
    drop(remote);
    let started = Instant::now();
    outcome(&peer).await;
    assert_eq!(started.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn messages_sent_before_the_remote_left_are_still_delivered() {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let counts = protocol(1).run(move |_, mut conn| {
        let counter = Arc::clone(&counter);
        async move {
            while conn.recv().await?.is_some() {
                tokio::time::sleep(Duration::from_millis(10)).await;
                counter.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        }
    });
    let (peer, mut remote) = peer(counts).await;
    let mut messages: Vec<(u64, &[u8])> = vec![(16, &[0xc0]); 20];
    messages.push((ids::DISCONNECT, &[0xc1, 0x08]));
    remote.send_all(&messages).await;
    assert!(matches!(outcome(&peer).await.error, PeerError::Remote(_)));
    assert_eq!(count.load(Ordering::Relaxed), 20);
}

#[tokio::test(start_paused = true)]
async fn after_a_local_disconnect_nothing_more_is_delivered() {
    let (peer, mut remote) = peer(protocol(1).run(|peer, mut conn| async move {
        peer.disconnect(DisconnectReason::REQUESTED);
        peer.ending().await;
        assert!(conn.recv().await?.is_none());
        Ok(())
    }))
    .await;
    remote.send(16, &[0xc0]).await;
    assert_eq!(
        remote.disconnected().await,
        Some(DisconnectReason::REQUESTED)
    );
    drop(remote);
    outcome(&peer).await;
}

/// The remote does not read, but the write in progress must not delay the end.
#[tokio::test(start_paused = true)]
async fn a_remote_that_does_not_read_cannot_delay_the_end() {
    let floods = protocol(1).run(|_, conn| async move {
        loop {
            conn.send(&Message::new(0, vec![0x55; 100_000])).await?;
        }
    });
    let (peer, mut remote) = peer(floods).await;
    remote.expect().await;
    peer.disconnect(DisconnectReason::REQUESTED);
    let started = Instant::now();
    outcome(&peer).await;
    assert!(
        started.elapsed() < Duration::from_secs(6),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_write_without_progress_disconnects_the_peer_after_20_seconds() {
    let noise: Vec<u8> = (0..1_000_000u64)
        .map(|i| ((i * i * 31) >> 5) as u8)
        .collect();
    let sends = protocol(1).run(move |peer, conn| {
        let noise = noise.clone();
        async move {
            conn.send(&Message::new(0, noise)).await?;
            peer.ending().await;
            Ok(())
        }
    });
    let (peer, _remote) = peer(sends).await;
    let started = Instant::now();
    let outcome = outcome(&peer).await;
    let PeerError::SlowWrite(slow) = &outcome.error else {
        panic!("{outcome:?}")
    };
    assert_eq!(slow.limit, TransferLimit::Progress);
    assert_eq!(slow.waited.as_secs(), 20);
    assert_eq!(outcome.unsent, 1, "it was being written");
    assert!(
        started.elapsed() < Duration::from_secs(28),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn dropping_a_handle_changes_nothing() {
    let (peer, mut remote) = peer(idle("a", 1)).await;
    drop(peer);
    remote.send(ids::PING, &[0xc0]).await;
    assert_eq!(remote.expect().await.id, ids::PONG);
}

#[tokio::test(start_paused = true)]
async fn a_peer_whose_driver_is_dropped_closes_its_connection() {
    let (ours, theirs) = peermux::testing::establish(&[], &[])
        .await
        .expect("connects");
    let driver = peermux::driver::PeerDriver::new(ours, &[], Default::default()).expect("fits");
    let running = tokio::spawn(driver.run());
    let mut remote = peermux::testing::Scripted::over(theirs);
    remote.send(peermux::p2p::ids::PING, &[0xc0]).await;
    assert_eq!(remote.expect().await.id, peermux::p2p::ids::PONG);
    running.abort();
    assert_eq!(remote.next().await, None);
}
