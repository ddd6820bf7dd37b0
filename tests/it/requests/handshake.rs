//! Protocols with other messages in addition to requests.

use peermux::requests::{BeforeRequests, RequestError};
use peermux::{DisconnectReason, ProtocolError};
use tokio::time::{Instant, sleep};

use super::*;

/// Waits, sends its own Status, and expects the same Status from the remote.
async fn handshake(
    mut before: BeforeRequests<Kv>,
    genesis: u64,
    wait: Duration,
) -> Result<(), ProtocolError> {
    sleep(wait).await;
    before.conn().send(&Kv::Status { genesis }).await?;
    let status = before
        .conn()
        .recv()
        .await?
        .map(peermux::Received::into_inner);
    if status != Some(Kv::Status { genesis }) {
        return Err(DisconnectReason::SUBPROTOCOL_ERROR.into());
    }
    let mut conn = before.ready();
    while let Some(message) = conn.recv().await? {
        // A Status that arrives after the handshake is returned to its sender.
        conn.send(&message.into_inner()).await?;
    }
    Ok(())
}

fn with_status(requests: &Requests<Kv>, genesis: u64, wait: Duration) -> Protocol {
    requests.protocol_with(Protocol::typed("kv", 1), move |_, before| {
        handshake(before, genesis, wait)
    })
}

#[tokio::test(start_paused = true)]
async fn requests_wait_for_the_handshake() {
    let (ours, theirs) = (echoes().build(), echoes().build());
    let started = Instant::now();
    let pair = Pair::of_protocols(
        with_status(&ours, 1, Duration::ZERO),
        with_status(&theirs, 1, 3 * SECOND),
    )
    .await;
    assert!(started.elapsed() < SECOND, "a dial does not wait for it");
    assert!(ours.peers().is_empty());
    let value = ours.request(pair.id(), get("cat")).await.unwrap();
    assert_eq!(value, Value(Some("cat".into())));
    assert!(started.elapsed() >= 3 * SECOND);
    assert_eq!(ours.peers().len(), 1);
}

/// A request to any peer waits for a handshake that is in progress. Otherwise it would fail right
/// after a dial, when there may be no other peer to ask.
#[tokio::test(start_paused = true)]
async fn a_request_to_any_peer_waits_for_the_handshake_of_the_last_one() {
    let (ours, theirs) = (echoes().build(), echoes().build());
    let pair = Pair::of_protocols(
        with_status(&ours, 1, Duration::ZERO),
        with_status(&theirs, 1, 3 * SECOND),
    )
    .await;
    let (peer, value) = ours.any(get("cat")).send().await.unwrap();
    assert_eq!((peer.id(), value), (*pair.id(), Value(Some("cat".into()))));
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_fails_fails_the_requests_that_wait() {
    let (ours, theirs) = (echoes().build(), echoes().build());
    let pair = Pair::of_protocols(
        with_status(&ours, 1, Duration::ZERO),
        with_status(&theirs, 2, SECOND),
    )
    .await;
    let error = ours.request(pair.id(), get("cat")).await.unwrap_err();
    assert!(
        matches!(error, RequestError::NotConnected { .. }),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn any_other_message_in_a_protocol_of_requests_is_a_breach() {
    let ours = Requests::new();
    let pair = Pair::of(&ours, &echoes().build()).await;
    let sender = pair.peer.sender::<Kv>().expect("runs");
    sender.send(&Kv::Status { genesis: 1 }).await.unwrap();
    let outcome = pair.peer.ended().await.unwrap();
    let reason = outcome.error.reason();
    assert_eq!(reason, Some(DisconnectReason::BREACH_OF_PROTOCOL));
}
