//! Pings, pongs and silence.

use std::time::Duration;

use peermux::p2p::ids;
use peermux::testing::Settings;
use peermux::{DisconnectReason, PeerConfig, PeerError, ProtocolLimits};
use tokio::time::Instant;

use super::{idle, outcome, peer, protocol};

#[tokio::test(start_paused = true)]
async fn a_ping_goes_out_after_15_seconds_and_its_round_trip_is_known() {
    let (peer, mut remote) = peer(idle("a", 1)).await;
    let started = Instant::now();
    for round in 1..4u32 {
        assert_eq!(remote.expect().await.id, ids::PING);
        assert_eq!(started.elapsed().as_secs(), u64::from(15 * round));
        tokio::time::sleep(Duration::from_millis(70)).await;
        remote.send(ids::PONG, &[0xc0]).await;
    }
    // The remote's own Ping shows that its earlier Pong was handled.
    remote.send(ids::PING, &[0xc0]).await;
    assert_eq!(remote.expect().await.id, ids::PONG);
    let rtt = peer.rtt().expect("measured");
    assert!(
        rtt >= Duration::from_millis(70) && rtt < Duration::from_millis(75),
        "{rtt:?}"
    );
}

/// Returns the arrival times of ten Pings, in seconds from the start. The remote answers each Ping
/// after the time `answer`.
async fn ten_pings(interval: Duration, answer: Duration) -> Vec<f32> {
    let config = PeerConfig::default().with_ping_interval(interval);
    let (_peer, mut remote) = peer(Settings::from(idle("a", 1)).with_config(config)).await;
    let started = Instant::now();
    let mut at = Vec::new();
    for _ in 0..10 {
        assert_eq!(remote.expect().await.id, ids::PING);
        at.push(started.elapsed().as_secs_f32().round());
        tokio::time::sleep(answer).await;
        remote.send(ids::PONG, &[0xc0]).await;
    }
    at
}

#[tokio::test(start_paused = true)]
async fn an_interval_below_the_liveness_timeout_is_kept() {
    let each_second: Vec<_> = (1..=10u8).map(f32::from).collect();
    let at = ten_pings(Duration::from_secs(1), Duration::from_millis(70)).await;
    assert_eq!(at, each_second);
    let at = ten_pings(Duration::from_millis(1), Duration::ZERO).await;
    assert_eq!(at, each_second, "remotes accept one Ping a second");
}

#[tokio::test(start_paused = true)]
async fn a_pong_after_the_next_ping_is_due_triggers_that_ping_at_once() {
    let at = ten_pings(Duration::from_secs(1), Duration::from_secs(3)).await;
    let three_apart: Vec<_> = (0..10u8).map(|n| f32::from(1 + 3 * n)).collect();
    assert_eq!(at, three_apart);
}

#[tokio::test(start_paused = true)]
async fn a_requested_ping_is_sent_at_once_and_its_result_is_reused_for_a_second() {
    let (peer, mut remote) = peer(idle("a", 1)).await;
    let started = Instant::now();
    let answer = async {
        assert_eq!(remote.expect().await.id, ids::PING);
        tokio::time::sleep(Duration::from_millis(70)).await;
        remote.send(ids::PONG, &[0xc0]).await;
    };
    let (rtt, ()) = tokio::join!(peer.ping(), answer);
    assert!(rtt.expect("answered") >= Duration::from_millis(70));
    assert_eq!(peer.ping().await, rtt, "less than a second ago");
    assert!(started.elapsed() < Duration::from_millis(75));

    drop(remote);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(peer.ping().await, None, "the peer has ended");
}

#[tokio::test(start_paused = true)]
async fn a_silent_remote_is_disconnected_30_seconds_after_the_start() {
    let (peer, mut remote) = peer(idle("a", 1)).await;
    let started = Instant::now();
    assert_eq!(
        remote.disconnected().await,
        Some(DisconnectReason::READ_TIMEOUT)
    );
    assert_eq!(started.elapsed().as_secs(), 30);
    drop(remote);
    assert!(matches!(outcome(&peer).await.error, PeerError::Silent(_)));
}

#[tokio::test(start_paused = true)]
async fn a_remote_that_sends_is_alive_even_without_pongs() {
    let (peer, mut remote) = peer(idle("a", 1)).await;
    for _ in 0..12 {
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert!(remote.send(ids::PONG + 1, &[0xc0]).await);
    }
    assert!(peer.outcome().is_none());
}

#[tokio::test(start_paused = true)]
async fn five_pings_in_a_burst_are_answered_and_six_are_a_breach() {
    let ping: (u64, &[u8]) = (ids::PING, &[0xc0]);
    let (_peer, mut remote) = peer(vec![]).await;
    remote.send_all(&[ping; 5]).await;
    for _ in 0..5 {
        assert_eq!(remote.expect().await.id, ids::PONG);
    }

    let (peer, mut remote) = peer_again().await;
    remote.send_all(&[ping; 6]).await;
    assert_eq!(
        remote.disconnected().await,
        Some(DisconnectReason::BREACH_OF_PROTOCOL)
    );
    drop(remote);
    assert!(matches!(outcome(&peer).await.error, PeerError::PingFlood));
}

async fn peer_again() -> (peermux::Peer, peermux::testing::Scripted) {
    peer(vec![]).await
}

/// Lets a slow handler stall the stream for a while, with a Ping each second.
async fn pings_through_a_pause(seconds: usize) {
    let limits = ProtocolLimits::default().with_queue_messages(1);
    let slow = protocol(1).limits(limits).run(|_, mut conn| async move {
        while let Some(message) = conn.recv().await? {
            tokio::time::sleep(Duration::from_secs(7)).await;
            drop(message);
        }
        Ok(())
    });
    let (peer, mut remote) = peer(slow).await;
    let message: (u64, &[u8]) = (16, &[0xc0]);
    remote.send_all(&vec![message; seconds / 7 + 2]).await;
    for _ in 0..seconds {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(remote.send(ids::PING, &[0xc0]).await);
    }
    let (mut pongs, mut first) = (0, None);
    while pongs < seconds {
        match remote.expect().await.id {
            ids::PONG => pongs += 1,
            other => assert_eq!(other, ids::PING),
        }
        if pongs == 1 {
            first.get_or_insert_with(Instant::now);
        }
    }
    let took = first.expect("a Pong").elapsed();
    assert!(took < Duration::from_secs(1), "all at once, not {took:?}");
    assert!(peer.outcome().is_none());
}

#[tokio::test(start_paused = true)]
async fn pings_once_a_second_are_all_answered_after_our_pauses_of_seconds_and_minutes() {
    for seconds in [7, 60, 600] {
        pings_through_a_pause(seconds).await;
    }
}

#[tokio::test(start_paused = true)]
async fn twenty_pings_at_once_on_a_fresh_connection_are_a_flood() {
    let (peer, mut remote) = peer(vec![]).await;
    let ping: (u64, &[u8]) = (ids::PING, &[0xc0]);
    remote.send_all(&[ping; 20]).await;
    let reason = remote.disconnected().await;
    assert_eq!(reason, Some(DisconnectReason::BREACH_OF_PROTOCOL));
    drop(remote);
    assert!(matches!(outcome(&peer).await.error, PeerError::PingFlood));
}

#[tokio::test(start_paused = true)]
async fn ten_pings_a_second_are_a_flood_once_the_connections_allowance_is_used_up() {
    let (peer, mut remote) = peer(vec![]).await;
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_secs(10)).await;
        remote.send(ids::PONG, &[0xc0]).await;
    }
    let mut pings = 0;
    loop {
        assert!(remote.send(ids::PING, &[0xc0]).await);
        pings += 1;
        let pause = Duration::from_millis(100);
        if tokio::time::timeout(pause, peer.ending()).await.is_ok() {
            break;
        }
    }
    assert_eq!(pings, 131, "5, and one for each 0.9 s of the connection");
    assert!(matches!(outcome(&peer).await.error, PeerError::PingFlood));
}

#[tokio::test(start_paused = true)]
async fn any_payload_of_a_ping_is_answered_but_a_large_one_is_refused_unread() {
    let (_peer, mut remote) = peer(vec![]).await;
    remote.send(ids::PING, &[0x83, 1, 2, 3]).await;
    assert_eq!(remote.expect().await.id, ids::PONG);

    let (_peer, mut remote) = peer(vec![]).await;
    // Declares 16 MiB - 1 in five bytes.
    let frame = remote.seal_raw(ids::PING, &[0xff, 0xff, 0xff, 0x07, 0x00]);
    remote.send_bytes(&frame).await;
    assert_eq!(
        remote.disconnected().await,
        Some(DisconnectReason::BREACH_OF_PROTOCOL)
    );
}

#[tokio::test(start_paused = true)]
async fn a_trickled_message_is_cut_off_at_its_deadline() {
    let (peer, mut remote) = peer(idle("a", 1)).await;
    let started = Instant::now();
    let frame = remote.seal(16, &vec![7; 100_000]);
    for chunk in frame.chunks(10) {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if !remote.send_bytes(chunk).await {
            break;
        }
    }
    let outcome = outcome(&peer).await;
    assert!(
        matches!(outcome.error, PeerError::SlowMessage { .. }),
        "{outcome:?}"
    );
    let waited = started.elapsed();
    assert!(
        waited > Duration::from_secs(30) && waited < Duration::from_secs(40),
        "{waited:?}"
    );
}
