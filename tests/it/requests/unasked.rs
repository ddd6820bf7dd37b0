//! Unsolicited and late responses.

use peermux::requests::{RequestConfig, RequestError, Unasked};
use peermux::{DisconnectReason, ProtocolConn, ProtocolSender};
use tokio::sync::mpsc;

use super::*;

/// Returns a protocol without the request layer. It sends what it reads to the test, which answers
/// by hand.
fn by_hand() -> (Protocol, mpsc::Receiver<Kv>) {
    let (read, reads) = mpsc::channel(16);
    let protocol = Protocol::typed::<Kv>("kv", 1).run(move |_, mut conn: ProtocolConn<Kv>| {
        let read = read.clone();
        async move {
            while let Some(message) = conn.recv().await? {
                read.send(message.into_inner()).await.ok();
            }
            Ok(())
        }
    });
    (protocol, reads)
}

async fn pair(
    config: RequestConfig,
) -> (Requests<Kv>, Pair, mpsc::Receiver<Kv>, ProtocolSender<Kv>) {
    let ours = Requests::builder().config(config).build();
    let (protocol, reads) = by_hand();
    let pair = Pair::of_protocols(kv(&ours), protocol).await;
    let theirs = pair.theirs.peer(&pair.ours.id()).unwrap();
    let sender = theirs.sender().expect("runs");
    (ours, pair, reads, sender)
}

#[tokio::test(start_paused = true)]
async fn a_late_response_is_counted_and_forgiven() {
    let config = RequestConfig::default()
        .with_timeout(SECOND)
        .with_unasked(Unasked::Disconnect);
    let (ours, pair, mut reads, sender) = pair(config).await;
    let error = ours.request(pair.id(), get("cat")).await.unwrap_err();
    assert!(matches!(error, RequestError::TimedOut { .. }));
    let Some(Kv::Get(id, _)) = reads.recv().await else {
        panic!("a request");
    };
    sender.send(&Kv::Value(id, Value(None))).await.unwrap();
    // The late response was sent first, so it has arrived once the next request is answered.
    let (answered, ()) = tokio::join!(ours.request(pair.id(), get("dog")), async {
        let Some(Kv::Get(id, _)) = reads.recv().await else {
            panic!("a request");
        };
        sender.send(&Kv::Value(id, Value(None))).await.unwrap();
    });
    answered.expect("is answered");
    let stats = ours.stats(pair.id()).unwrap();
    assert_eq!((stats.late, stats.unasked, stats.answered), (1, 0, 1));
    // A second response to the same request is not forgiven.
    sender.send(&Kv::Value(id, Value(None))).await.unwrap();
    let outcome = pair.peer.ended().await.unwrap();
    let reason = outcome.error.reason();
    assert_eq!(reason, Some(DisconnectReason::BREACH_OF_PROTOCOL));
}

#[tokio::test(start_paused = true)]
async fn a_late_response_disconnects_the_peer_if_so_configured() {
    let strict = RequestConfig::default()
        .with_timeout(SECOND)
        .with_late(Unasked::Disconnect);
    let (ours, pair, mut reads, sender) = pair(strict).await;
    // A response that no request preceded is not late, so only its own policy counts.
    sender.send(&Kv::Value(77, Value(None))).await.unwrap();
    ours.request(pair.id(), get("cat")).await.unwrap_err();
    let stats = ours.stats(pair.id()).unwrap();
    assert_eq!((stats.late, stats.unasked), (0, 1));
    let Some(Kv::Get(id, _)) = reads.recv().await else {
        panic!("a request");
    };
    sender.send(&Kv::Value(id, Value(None))).await.unwrap();
    let outcome = pair.peer.ended().await.unwrap();
    let reason = outcome.error.reason();
    assert_eq!(reason, Some(DisconnectReason::BREACH_OF_PROTOCOL));
    let error = outcome.error.to_string();
    assert!(error.contains("before its request has ended"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_response_to_no_request_is_counted_or_disconnects_the_peer() {
    let (ours, pair, mut reads, sender) = pair(RequestConfig::default()).await;
    sender.send(&Kv::Value(77, Value(None))).await.unwrap();
    let (result, ()) = tokio::join!(ours.request(pair.id(), get("cat")), async {
        let Some(Kv::Get(id, _)) = reads.recv().await else {
            panic!("a request");
        };
        sender.send(&Kv::Stored(id, Stored)).await.unwrap();
    });
    let error = result.unwrap_err();
    assert!(
        matches!(error, RequestError::WrongResponse { code: 3, .. }),
        "{error}"
    );
    assert_eq!(ours.stats(pair.id()).unwrap().unasked, 2);

    let strict = RequestConfig::default().with_unasked(Unasked::Disconnect);
    let (_ours, pair, _reads, sender) = self::pair(strict).await;
    sender.send(&Kv::Value(77, Value(None))).await.unwrap();
    let outcome = pair.peer.ended().await.unwrap();
    let reason = outcome.error.reason();
    assert_eq!(reason, Some(DisconnectReason::BREACH_OF_PROTOCOL));
}
