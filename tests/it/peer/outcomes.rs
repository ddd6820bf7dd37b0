//! The Disconnect and the outcome for each cause that can end a connection.

use std::error::Error;
use std::fmt;
use std::future::Ready;

use bytes::BytesMut;
use peermux::p2p::ids;
use peermux::testing::Scripted;
use peermux::{
    DisconnectReason, Fault, Message, MessageError, Peer, PeerError, PeerOutcome, Protocol,
    ProtocolError, Stage,
};
use std::sync::Arc;

use super::{OFFSET, idle, outcome, peer, protocol};

/// Returns the reason that the remote reads, and the peer's outcome.
async fn both_sides(
    peer: &Peer,
    mut remote: Scripted,
) -> (Option<DisconnectReason>, Arc<PeerOutcome>) {
    let reason = remote.disconnected().await;
    drop(remote);
    (reason, outcome(peer).await)
}

async fn protocol_that_returns(
    result: impl Fn() -> Result<(), ProtocolError> + Send + Sync + 'static,
) -> (Option<DisconnectReason>, Arc<PeerOutcome>) {
    let returns = protocol(1).run(move |_, _| {
        let result = result();
        async move { result }
    });
    let (peer, remote) = peer(returns).await;
    both_sides(&peer, remote).await
}

#[tokio::test(start_paused = true)]
async fn a_remote_disconnect_is_reported_and_not_echoed() {
    for (payload, reason) in [
        (&[0xc1, 0x08][..], Some(DisconnectReason::CLIENT_QUITTING)),
        (&[0x04], Some(DisconnectReason::TOO_MANY_PEERS)),
        (&[0xc1, 0x0c], Some(DisconnectReason(12))),
        (&[0xc0], None),
        (&[0x83, 1, 2, 3], Some(DisconnectReason::INVALID)),
    ] {
        let (peer, mut remote) = peer(idle("a", 1)).await;
        remote.send(ids::DISCONNECT, payload).await;
        let (sent, outcome) = both_sides(&peer, remote).await;
        assert_eq!(sent, None, "{payload:x?}");
        assert!(outcome.error.remote_requested());
        assert_eq!(
            (outcome.error.reason(), outcome.error.fault()),
            (reason, Fault::Remote)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_uncompressed_disconnect_is_understood_with_snappy_on() {
    let (peer, mut remote) = peer(idle("a", 1)).await;
    let frame = remote.seal_raw(ids::DISCONNECT, &[0x08]);
    remote.send_bytes(&frame).await;
    let outcome = outcome(&peer).await;
    assert!(
        matches!(
            outcome.error,
            PeerError::Remote(Some(DisconnectReason::CLIENT_QUITTING))
        ),
        "{:?}",
        outcome.error
    );
}

#[tokio::test(start_paused = true)]
async fn a_closed_socket_is_an_io_error_without_a_reason() {
    let (peer, remote) = peer(idle("a", 1)).await;
    drop(remote);
    let outcome = outcome(&peer).await;
    assert!(matches!(outcome.error, PeerError::Closed));
    assert_eq!(
        (outcome.error.fault(), outcome.error.reason()),
        (Fault::Io, None)
    );
}

#[tokio::test(start_paused = true)]
async fn a_wrong_mac_closes_without_a_disconnect() {
    let (peer, mut remote) = peer(idle("a", 1)).await;
    let mut frame: BytesMut = remote.seal(OFFSET, &[0xc0]);
    frame[20] ^= 1;
    remote.send_bytes(&frame).await;
    let (sent, outcome) = both_sides(&peer, remote).await;
    assert_eq!(sent, None);
    assert!(matches!(outcome.error, PeerError::Frame(_)));
    assert_eq!(outcome.error.stage(), Stage::Frame);
}

#[tokio::test(start_paused = true)]
async fn malformed_snappy_is_a_breach() {
    let (peer, mut remote) = peer(idle("a", 1)).await;
    let frame = remote.seal_raw(OFFSET, &[0x05, 0xff, 0xff]);
    remote.send_bytes(&frame).await;
    let (sent, outcome) = both_sides(&peer, remote).await;
    assert_eq!(sent, Some(DisconnectReason::BREACH_OF_PROTOCOL));
    assert_eq!(outcome.error.fault(), Fault::Remote);
}

#[tokio::test(start_paused = true)]
async fn a_protocol_that_returns_quits() {
    let (sent, outcome) = protocol_that_returns(|| Ok(())).await;
    assert_eq!(sent, Some(DisconnectReason::CLIENT_QUITTING));
    assert!(matches!(outcome.error, PeerError::ProtocolReturned(_)));
    assert_eq!(outcome.error.fault(), Fault::Local);
}

#[tokio::test(start_paused = true)]
async fn a_protocol_chooses_its_reason() {
    let reason = DisconnectReason::USELESS_PEER;
    let (sent, outcome) = protocol_that_returns(move || Err(reason.into())).await;
    assert_eq!((sent, outcome.error.reason()), (Some(reason), Some(reason)));
}

#[derive(Debug)]
struct Wrapped(DisconnectReason);

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("wrapped")
    }
}

impl Error for Wrapped {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

#[tokio::test(start_paused = true)]
async fn a_reason_that_is_never_sent_closes_without_a_disconnect() {
    for reason in [DisconnectReason::NETWORK_ERROR, DisconnectReason::INVALID] {
        let (sent, outcome) = protocol_that_returns(move || Err(reason.into())).await;
        assert_eq!((sent, outcome.error.reason()), (None, None));
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrapped_reason_is_not_lost() {
    let wrapped = || {
        Err(ProtocolError::other(Wrapped(
            DisconnectReason::TOO_MANY_PEERS,
        )))
    };
    let (sent, _) = protocol_that_returns(wrapped).await;
    assert_eq!(sent, Some(DisconnectReason::TOO_MANY_PEERS));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_does_not_decode_is_a_breach() {
    let unknown = || Err(MessageError::UnknownCode { code: 3 }.into());
    let (sent, outcome) = protocol_that_returns(unknown).await;
    assert_eq!(sent, Some(DisconnectReason::BREACH_OF_PROTOCOL));
    assert_eq!(outcome.error.fault(), Fault::Remote);
}

#[tokio::test(start_paused = true)]
async fn any_other_error_is_a_subprotocol_error() {
    let (sent, outcome) = protocol_that_returns(|| Err(ProtocolError::other("no more"))).await;
    assert_eq!(sent, Some(DisconnectReason::SUBPROTOCOL_ERROR));
    assert_eq!(outcome.error.to_string(), "protocol a/0 failed: no more");
}

#[tokio::test(start_paused = true)]
async fn a_panic_ends_one_peer_with_a_subprotocol_error() {
    let later = protocol(1).run(|_, _| async { panic!("a bug in a handler") });
    let at_once = protocol(1)
        .run(|_, _| -> Ready<Result<(), ProtocolError>> { panic!("a bug before the future") });
    for panics in [later, at_once] {
        let (peer, remote) = peer(panics).await;
        let (sent, outcome) = both_sides(&peer, remote).await;
        assert_eq!(sent, Some(DisconnectReason::SUBPROTOCOL_ERROR));
        let PeerError::Protocol { source, .. } = &outcome.error else {
            panic!("{outcome:?}")
        };
        assert!(matches!(source, ProtocolError::Panicked));
    }
}

#[tokio::test(start_paused = true)]
async fn a_local_disconnect_sends_its_reason_unless_it_is_a_network_error() {
    for (reason, expected) in [
        (
            DisconnectReason::REQUESTED,
            Some(DisconnectReason::REQUESTED),
        ),
        (DisconnectReason::NETWORK_ERROR, None),
    ] {
        let (peer, remote) = peer(idle("a", 1)).await;
        peer.disconnect(reason);
        peer.disconnect(DisconnectReason::TOO_MANY_PEERS);
        let (sent, outcome) = both_sides(&peer, remote).await;
        assert_eq!(sent, expected);
        assert!(matches!(outcome.error, PeerError::Local(local) if local == reason));
    }
}

#[tokio::test(start_paused = true)]
async fn disconnecting_an_ended_peer_does_nothing() {
    let (peer, remote) = peer(idle("a", 1)).await;
    drop(remote);
    let outcome = outcome(&peer).await;
    peer.disconnect(DisconnectReason::REQUESTED);
    peer.close_gracefully(
        DisconnectReason::REQUESTED,
        std::time::Duration::from_secs(1),
    )
    .await;
    assert!(Arc::ptr_eq(&outcome, &peer.outcome().expect("ended")));
}

/// If several causes occur at once, the remote's Disconnect wins, then the local one.
#[tokio::test(start_paused = true)]
async fn causes_have_a_fixed_priority() {
    let fails: Protocol = protocol(1).run(|peer, _| async move {
        peer.disconnect(DisconnectReason::USELESS_PEER);
        Err(ProtocolError::other("at the same time"))
    });
    let (peer, _remote) = peer(fails).await;
    assert!(matches!(outcome(&peer).await.error, PeerError::Local(_)));
}

/// Several causes occur at once, in all combinations. The peer always ends.
#[tokio::test(start_paused = true)]
async fn any_race_of_causes_ends_the_peer() {
    for round in 0u32..200 {
        let fails = Protocol::builder("a", 0, 1).run(|_, mut conn| async move {
            conn.recv().await?;
            Err(ProtocolError::other("first message"))
        });
        let disconnects = Protocol::builder("b", 0, 1).run(move |peer, mut conn| async move {
            conn.recv().await?;
            if round & 1 == 0 {
                peer.disconnect(DisconnectReason::REQUESTED);
            }
            peer.ending().await;
            Ok(())
        });
        let (peer, mut remote) = peer(vec![fails, disconnects]).await;
        if round & 2 == 0 {
            peer.disconnect(DisconnectReason::REQUESTED);
        }
        if round & 4 == 0 {
            remote.send(ids::DISCONNECT, &[0xc1, 0x08]).await;
        }
        remote.send_all(&[(16, &[0xc0]), (17, &[0xc0])]).await;
        if round & 8 == 0 {
            drop(remote);
            outcome(&peer).await;
        } else {
            outcome(&peer).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn unsent_messages_are_counted() {
    let (blocked, unblock) = tokio::sync::oneshot::channel::<()>();
    let blocked = std::sync::Mutex::new(Some(blocked));
    let sends = protocol(1).run(move |peer, conn| {
        let blocked = blocked.lock().unwrap().take();
        async move {
            // Two large messages fill the pipe, so the remaining messages stay in the queue.
            let noise: Vec<u8> = (0..200_000u32)
                .map(|i| (i.wrapping_mul(i) >> 7) as u8)
                .collect();
            for _ in 0..5 {
                conn.send(&Message::new(0, noise.clone())).await?;
            }
            drop(blocked);
            peer.ending().await;
            Ok(())
        }
    });
    let (peer, remote) = peer(sends).await;
    assert!(unblock.await.is_err(), "all five are queued");
    peer.disconnect(DisconnectReason::REQUESTED);
    let outcome = outcome(&peer).await;
    assert!((1..=5).contains(&outcome.unsent), "{outcome:?}");
    drop(remote);
}
