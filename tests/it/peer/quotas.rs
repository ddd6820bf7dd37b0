//! Rate limits on the messages that a protocol receives and sends.

use std::time::Duration;

use peermux::recorder::{HoldCause, RecordedEvent};
use peermux::testing::Replay;
use peermux::{
    DisconnectReason, Message, Peer, PeerError, Protocol, ProtocolLimits, Quota, TrySendError,
    WhenOver,
};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{outcome, peer, protocol};

/// A message of the protocol, with the smallest payload.
const MESSAGE: (u64, &[u8]) = (16, &[0xc0]);

/// Returns a protocol that reports the messages that it receives. Each report contains the time,
/// and the number of messages dropped so far.
fn reads(limits: ProtocolLimits) -> (Protocol, mpsc::Receiver<(Instant, u64)>) {
    let (told, tells) = mpsc::channel(1000);
    let protocol = protocol(1).limits(limits).run(move |_, mut conn| {
        let told = told.clone();
        async move {
            while conn.recv().await?.is_some() {
                told.send((Instant::now(), conn.dropped())).await.ok();
            }
            Ok(())
        }
    });
    (protocol, tells)
}

#[tokio::test(start_paused = true)]
async fn a_handler_gets_no_more_than_its_rate() {
    let limits = ProtocolLimits::default()
        .with_receive_quota(Quota::messages(10))
        .with_queue_messages(4);
    let (protocol, mut tells) = reads(limits);
    let (_peer, mut remote) = peer(protocol).await;
    let started = Instant::now();
    remote.send_all(&[MESSAGE; 40]).await;
    for number in 0..40u32 {
        let (at, dropped) = tells.recv().await.expect("goes on");
        let expected = Duration::from_millis(100) * number.saturating_sub(9);
        let late = (at - started).saturating_sub(expected);
        assert!(at - started >= expected, "{number}: {:?}", at - started);
        assert!(late < Duration::from_millis(50), "{number}: {late:?}");
        assert_eq!(dropped, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_rate_that_delays_messages_is_not_a_stall() {
    let limits = ProtocolLimits::default()
        .with_receive_quota(Quota::bytes(1))
        .with_queue_messages(1);
    let (protocol, mut tells) = reads(limits);
    let (peer, mut remote) = peer(protocol).await;
    let large = (16, &[0x55; 10][..]);
    for _ in 0..3 {
        remote.send_all(&[large]).await;
    }
    let mut last = None;
    for _ in 0..3 {
        let (at, _) = tells.recv().await.expect("goes on");
        let waited = last.replace(at).map(|last| at - last);
        assert!(waited.is_none_or(|waited| waited >= Duration::from_secs(10)));
    }
    assert!(peer.outcome().is_none());
}

#[tokio::test(start_paused = true)]
async fn the_rate_does_not_delay_the_end_of_a_peer() {
    let limits = ProtocolLimits::default().with_receive_quota(Quota::bytes(1));
    let (protocol, mut tells) = reads(limits);
    let (peer, mut remote) = peer(protocol).await;
    remote.send_all(&[(16, &[0x55; 1000]), MESSAGE]).await;
    tells.recv().await.expect("the first passes");
    let started = Instant::now();
    peer.disconnect(DisconnectReason::REQUESTED);
    outcome(&peer).await;
    assert!(started.elapsed() < Duration::from_secs(4));
}

#[tokio::test(start_paused = true)]
async fn messages_above_the_rate_are_dropped_or_disconnect_the_peer() {
    let limits = ProtocolLimits::default().with_receive_quota(Quota::messages(3));
    let drops = limits.with_when_over(WhenOver::DropNewest);
    let (protocol, mut tells) = reads(drops);
    let (_peer, mut remote) = peer(protocol).await;
    remote.send_all(&[MESSAGE; 10]).await;
    for _ in 0..3 {
        tells.recv().await.expect("passes");
    }
    tokio::time::advance(Duration::from_secs(1)).await;
    remote.send_all(&[MESSAGE]).await;
    assert_eq!(tells.recv().await.expect("passes").1, 7);

    let (protocol, _tells) = reads(limits.with_when_over(WhenOver::Disconnect));
    let (other, mut remote) = peer(protocol).await;
    remote.send_all(&[MESSAGE; 4]).await;
    let outcome = outcome(&other).await;
    assert!(matches!(outcome.error, PeerError::TooFast(_)));
    assert_eq!(
        outcome.error.reason(),
        Some(DisconnectReason::SUBPROTOCOL_ERROR)
    );
    assert!(outcome.error.is_misbehaviour());
}

#[tokio::test(start_paused = true)]
async fn a_sender_keeps_to_its_rate() {
    let limits = ProtocolLimits::default().with_send_quota(Quota::messages(5));
    let (told, mut tells) = mpsc::channel(100);
    let sends = protocol(1).limits(limits).run(move |peer, conn| {
        let told = told.clone();
        async move {
            let message = Message::new(0, vec![0xc0]);
            for _ in 0..5 {
                conn.try_send(&message)
                    .map_err(peermux::ProtocolError::other)?;
            }
            assert_eq!(conn.try_send(&message), Err(TrySendError::Full));
            let started = Instant::now();
            for _ in 0..10 {
                conn.send(&message).await?;
            }
            told.send(started.elapsed()).await.ok();
            // One more message waits for its turn, and fails when the connection ends.
            let large = Message::new(0, vec![0x55; 100]);
            peer.disconnect(DisconnectReason::REQUESTED);
            assert!(conn.send(&large).await.is_err());
            Ok(())
        }
    });
    let (peer, _remote) = peer(sends).await;
    let took = tells.recv().await.expect("sends").as_millis();
    assert!((2000..2020).contains(&took), "{took}");
    outcome(&peer).await;
}

/// Returns the waits for quotas that a peer has recorded. Each entry is the number of messages that
/// waited, and their total and longest wait in milliseconds.
fn held(peer: &Peer, wanted: HoldCause) -> Vec<(u16, u128, u128)> {
    let held = |event| match event {
        RecordedEvent::Held {
            protocol: 0,
            cause,
            messages,
            total,
            longest,
        } if cause == wanted => Some((messages, total.as_millis(), longest.as_millis())),
        _ => None,
    };
    let recording = peer.recording();
    let entries = recording.entries();
    entries.filter_map(|entry| held(entry.event)).collect()
}

#[tokio::test(start_paused = true)]
async fn waits_of_received_messages_are_recorded_and_not_replayed() {
    let limits = ProtocolLimits::default().with_receive_quota(Quota::messages(2));
    let (protocol, mut tells) = reads(limits);
    let (peer, mut remote) = peer(protocol).await;
    remote.send_all(&[MESSAGE; 5]).await;
    for _ in 0..2 {
        tells.recv().await.expect("passes at once");
    }
    assert_eq!(held(&peer, HoldCause::ReceiveQuota), []);
    for _ in 0..3 {
        tells.recv().await.expect("passes later");
    }
    let [(messages, total, longest)] = held(&peer, HoldCause::ReceiveQuota)[..] else {
        panic!("{}", peer.recording());
    };
    assert_eq!(messages, 3);
    assert!((1500..1520).contains(&total), "{total}");
    assert!((500..520).contains(&longest), "{longest}");
    assert_eq!(held(&peer, HoldCause::SendQuota), []);

    let (again, _tells) = reads(limits);
    let (_peer, mut replay) = Replay::of(&peer.recording(), again)
        .await
        .expect("connects");
    assert_eq!(replay.run().await, 5);
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_the_end_cuts_short_is_recorded() {
    let limits = ProtocolLimits::default().with_receive_quota(Quota::bytes(1));
    let (protocol, mut tells) = reads(limits);
    let (peer, mut remote) = peer(protocol).await;
    remote.send_all(&[(16, &[0x55; 1000]), MESSAGE]).await;
    tells.recv().await.expect("the first passes");
    tokio::time::sleep(Duration::from_secs(7)).await;
    peer.disconnect(DisconnectReason::REQUESTED);
    outcome(&peer).await;
    let [(1, total, _)] = held(&peer, HoldCause::ReceiveQuota)[..] else {
        panic!("{}", peer.recording());
    };
    assert!((7000..7020).contains(&total), "{total}");
}

#[tokio::test(start_paused = true)]
async fn waits_of_senders_are_recorded() {
    let limits = ProtocolLimits::default().with_send_quota(Quota::messages(4));
    let (told, mut tells) = mpsc::channel(1);
    let sends = protocol(1).limits(limits).run(move |peer, conn| {
        let told = told.clone();
        async move {
            let message = Message::new(0, vec![0xc0]);
            for _ in 0..6 {
                conn.send(&message).await?;
            }
            // The wait of a call that gives up is recorded, too.
            let gives_up = Duration::from_millis(100);
            tokio::time::timeout(gives_up, conn.send(&message))
                .await
                .expect_err("waits longer");
            told.send(()).await.ok();
            peer.ending().await;
            Ok(())
        }
    });
    let (peer, _remote) = peer(sends).await;
    tells.recv().await.expect("sends");
    let [(messages, total, longest)] = held(&peer, HoldCause::SendQuota)[..] else {
        panic!("{}", peer.recording());
    };
    assert_eq!(messages, 3);
    assert!((600..620).contains(&total), "{total}");
    assert!((250..260).contains(&longest), "{longest}");
    assert_eq!(held(&peer, HoldCause::ReceiveQuota), []);
}
