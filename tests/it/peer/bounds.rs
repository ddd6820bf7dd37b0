//! Bounds on slow protocols, full queues and memory.

use std::time::Duration;

use peermux::channel::NodeBudget;
use peermux::driver::PeerOptions;
use peermux::p2p::ids;
use peermux::testing::Settings;
use peermux::{DisconnectReason, Message, PeerConfig, ProtocolLimits};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{idle, mirror, outcome, peer, protocol};

#[tokio::test(start_paused = true)]
async fn a_protocol_that_never_reads_hurts_nobody_until_its_queue_is_full_and_then_ends() {
    let limits = ProtocolLimits::default().with_queue_messages(4);
    let stuck = protocol(1).limits(limits).run(|peer, conn| async move {
        peer.ending().await;
        drop(conn);
        Ok(())
    });
    let (peer, mut remote) = peer(vec![stuck, mirror("b")]).await;
    for _ in 0..4 {
        remote.send(16, &[0xc0]).await;
        remote.send(17, &[0x05]).await;
        assert_eq!(remote.expect().await.id, 17);
    }
    remote.send(ids::PING, &[0xc0]).await;
    assert_eq!(remote.expect().await.id, ids::PONG);

    let started = Instant::now();
    remote.send(16, &[0xc0]).await;
    assert_eq!(
        remote.disconnected().await,
        Some(DisconnectReason::SUBPROTOCOL_ERROR)
    );
    assert_eq!(started.elapsed().as_secs(), 8);
    drop(remote);
    assert_eq!(
        outcome(&peer).await.error.to_string(),
        "protocol a/0 took no messages for 8.0s"
    );
}

#[tokio::test(start_paused = true)]
async fn a_protocol_that_keeps_up_may_stall_again_and_again() {
    let limits = ProtocolLimits::default().with_queue_messages(2);
    let bursty = protocol(1).limits(limits).run(|_, mut conn| async move {
        loop {
            tokio::time::sleep(Duration::from_secs(5)).await;
            for _ in 0..3 {
                if conn.recv().await?.is_none() {
                    return Ok(());
                }
            }
        }
    });
    let (peer, mut remote) = peer(bursty).await;
    for _ in 0..30 {
        assert!(remote.send(16, &[0xc0]).await);
        // The pauses are short enough that only the stall limit could end the peer, not silence.
        tokio::time::sleep(Duration::from_millis(1700)).await;
    }
    assert!(peer.outcome().is_none());
}

#[tokio::test(start_paused = true)]
async fn our_pause_does_not_count_as_silence_of_the_remote() {
    let limits = ProtocolLimits::default().with_queue_messages(1);
    let (release, released) = oneshot::channel::<()>();
    let released = std::sync::Mutex::new(Some(released));
    let pauses = protocol(1).limits(limits).run(move |peer, mut conn| {
        let released = released.lock().unwrap().take();
        async move {
            if let Some(released) = released {
                let _ = released.await;
            }
            while conn.recv().await?.is_some() {}
            drop(peer);
            Ok(())
        }
    });
    let config = PeerConfig::default()
        .with_stall_limit(Duration::from_secs(100))
        .with_ping_interval(Duration::from_secs(1))
        .with_liveness_timeout(Duration::from_secs(2));
    let (peer, mut remote) = peer(Settings::from(pauses).with_config(config)).await;
    remote.send_all(&[(16, &[0xc0]), (16, &[0xc0])]).await;
    assert_eq!(remote.expect().await.id, ids::PING);
    remote.send(ids::PONG, &[0xc0]).await;
    tokio::time::sleep(Duration::from_secs(50)).await;
    assert!(peer.outcome().is_none());
    release.send(()).expect("the handler waits");
    assert_eq!(
        remote.disconnected().await,
        Some(DisconnectReason::READ_TIMEOUT)
    );
}

#[tokio::test(start_paused = true)]
async fn a_declared_size_over_the_protocols_limit_is_refused_before_decompression() {
    let small = protocol(1)
        .limits(ProtocolLimits::default().with_max_message(100))
        .run(|_, mut conn| async move {
            while conn.recv().await?.is_some() {}
            Ok(())
        });
    let (peer, mut remote) = peer(small).await;
    remote.send(16, &[0x55; 100]).await;
    let bomb = remote.seal_raw(16, &[101, 0x00]);
    remote.send_bytes(&bomb).await;
    assert_eq!(
        remote.disconnected().await,
        Some(DisconnectReason::BREACH_OF_PROTOCOL)
    );
    let text = outcome(&peer).await.error.to_string();
    assert!(text.contains("101") && text.contains("100"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn one_message_of_the_largest_size_passes_whatever_the_queue_holds() {
    let limits = ProtocolLimits::default().with_queue_bytes(10);
    let reads = protocol(1).limits(limits).run(|_, mut conn| async move {
        let message = conn.recv().await?.expect("still connected");
        assert_eq!(message.size(), peermux::rlpx::MAX_PAYLOAD);
        conn.send(&Message::new(0, vec![0xc0])).await?;
        Ok(())
    });
    let (_peer, mut remote) = peer(reads).await;
    let payload = vec![0x55; peermux::rlpx::MAX_PAYLOAD];
    assert!(remote.send(16, &payload).await);
    assert_eq!(remote.expect().await.id, 16);
}

#[tokio::test(start_paused = true)]
async fn memory_is_charged_while_messages_wait_and_released_afterwards() {
    let budget = NodeBudget::default();
    let (release, released) = oneshot::channel::<()>();
    let released = std::sync::Mutex::new(Some(released));
    let holds = protocol(1).run(move |peer, mut conn| {
        let released = released.lock().unwrap().take();
        async move {
            let held = conn.recv().await?.expect("still connected");
            conn.send(&Message::new(0, vec![0xc0])).await?;
            if let Some(released) = released {
                let _ = released.await;
            }
            drop(held);
            conn.send(&Message::new(0, vec![0xc0])).await?;
            peer.ending().await;
            Ok(())
        }
    });
    let options = PeerOptions::default().with_budget(budget.clone());
    let (_peer, mut remote) = peer(Settings::from(holds).with_options(options)).await;
    remote.send(16, &vec![0x55; 1 << 20]).await;
    remote.expect().await;
    let held = budget.used();
    assert!((1 << 20..(1 << 20) + (64 << 10)).contains(&held), "{held}");
    release.send(()).expect("the handler waits");
    remote.expect().await;
    assert!(budget.used() <= BUFFER, "{}", budget.used());
}

/// The part of the usual read buffer that exceeds a peer's free allowance.
const BUFFER: usize = 32 << 10;

/// A header that announces 16 MiB costs only what has arrived, not the announced size.
#[tokio::test(start_paused = true)]
async fn announcements_cost_no_more_than_the_usual_buffer() {
    let budget = NodeBudget::default();
    let mut remotes = Vec::new();
    for _ in 0..50 {
        let options = PeerOptions::default().with_budget(budget.clone());
        let (peer, mut remote) = peer(Settings::from(idle("a", 1)).with_options(options)).await;
        let frame = remote.seal(16, &vec![1; 16_000_000]);
        remote.send_bytes(&frame[..32]).await;
        remote.send(ids::PONG, &[]).await;
        remotes.push((peer, remote));
    }
    for (peer, _) in &remotes {
        tokio::task::yield_now().await;
        assert!(peer.outcome().is_none());
    }
    let used = budget.used();
    assert!(used <= remotes.len() * BUFFER, "{used}");
}
