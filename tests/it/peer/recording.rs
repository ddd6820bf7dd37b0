//! Recordings of peers, including those that a server keeps after the peer has ended.

use peermux::p2p::ids;
use peermux::recorder::{EndedBy, RecordedEvent, Recording};
use peermux::testing::{Replay, Settings};
use peermux::{DisconnectReason, PeerConfig, SecretKey, Server};

use super::{OFFSET, mirror, outcome, peer};

/// Returns code and size of the inbound messages.
fn received(recording: &Recording) -> Vec<(u64, u32)> {
    let message = |event| match event {
        RecordedEvent::Received { code, size, .. } => Some((code, size)),
        _ => None,
    };
    let entries = recording.entries();
    entries.filter_map(|entry| message(entry.event)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_conversation_its_pings_and_its_end_are_recorded_and_can_be_replayed() {
    let (peer, mut remote) = peer(mirror("a")).await;
    for size in [3, 700] {
        remote.send(OFFSET, &vec![7; size]).await;
        assert_eq!(remote.expect().await.payload.len(), size);
    }
    assert_eq!(remote.expect().await.id, ids::PING);
    remote.send(ids::PONG, &[0xc0]).await;
    let reason = DisconnectReason::TOO_MANY_PEERS;
    remote.send(ids::DISCONNECT, &reason.encode()).await;
    outcome(&peer).await;

    let recording = peer.recording();
    assert_eq!(received(&recording), [(0, 3), (0, 700)]);
    let has =
        |wanted: fn(&RecordedEvent) -> bool| recording.entries().any(|one| wanted(&one.event));
    assert!(has(|event| matches!(
        event,
        RecordedEvent::Sent { size: 700, .. }
    )));
    assert!(has(|event| matches!(
        event,
        RecordedEvent::Pings {
            sent: 1,
            answered: 1,
            ..
        }
    )));
    let disconnected = RecordedEvent::DisconnectReceived {
        reason: Some(reason),
    };
    assert!(recording.entries().any(|one| one.event == disconnected));
    let end = recording.end().expect("ended");
    assert_eq!(
        (end.requested_by, end.reason),
        (EndedBy::Remote, Some(reason))
    );

    let (_peer, mut replay) = Replay::of(&recording, mirror("a")).await.expect("connects");
    assert_eq!(replay.run().await, 2);
    for size in [3, 700] {
        let answer = replay.next().await.expect("is mirrored");
        assert_eq!(answer.payload, vec![0; size]);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_recorded_if_recording_is_switched_off() {
    let config = PeerConfig::default().with_recording(false);
    let (peer, mut remote) = peer(Settings::from(mirror("a")).with_config(config)).await;
    remote.send(OFFSET, b"hello").await;
    remote.expect().await;
    drop(remote);
    outcome(&peer).await;
    let recording = peer.recording();
    assert!(
        recording.is_empty() && recording.end().is_some(),
        "{recording}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_keeps_the_recording_of_a_peer_that_left() {
    let node = || async {
        let node = Server::builder(SecretKey::generate()).protocol(mirror("a"));
        node.start().await.expect("starts")
    };
    let (near, far) = (node().await, node().await);
    let (dials, accepts) = tokio::io::duplex(1 << 10);
    let remote = *far.enode().public_key();
    let (left, right) = tokio::join!(near.dial_over(dials, &remote), far.accept_over(accepts));
    let (left, right) = (left.expect("connects"), right.expect("connects"));
    let live = near.recording(&far.id()).expect("connected");
    assert!(live.end().is_none() && near.recordings().is_empty());

    right.disconnect(DisconnectReason::USELESS_PEER);
    outcome(&left).await;
    let kept = near.recording(&far.id()).expect("kept");
    let end = kept.end().expect("ended");
    assert_eq!(end.reason, Some(DisconnectReason::USELESS_PEER));
    assert_eq!(end.requested_by, EndedBy::Remote);
    assert_eq!(near.recordings(), std::slice::from_ref(&kept));
    assert_eq!(left.recording(), kept);
}
