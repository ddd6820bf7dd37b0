//! Requests to peers whose connection or protocol ends.

use std::future::pending;
use std::sync::Arc;

use peermux::requests::{RequestConfig, RequestError};
use peermux::{DisconnectReason, PeerError, ProtocolConn};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep, timeout};

use super::*;

/// Returns a node whose connections end slowly: a second protocol takes 3 s to return.
async fn slow_to_end(requests: &Requests<Kv>) -> Server {
    let slow = Protocol::builder("slow", 1, 1).run(|_, mut conn: ProtocolConn| async move {
        while conn.recv().await?.is_some() {}
        sleep(3 * SECOND).await;
        Ok(())
    });
    let builder = Server::builder(SecretKey::random(&mut rand::rng()));
    let builder = builder.protocol(kv(requests)).protocol(slow);
    builder.start().await.expect("starts")
}

fn is_useless(error: &RequestError) -> bool {
    let outcome = error.outcome().expect("the reason is known");
    assert!(error.to_string().contains("useless"), "{error}");
    matches!(
        outcome.error,
        PeerError::Remote(Some(DisconnectReason::USELESS_PEER))
    )
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_for_the_reason_of_a_connection_that_ends_slowly() {
    let ours = Requests::new();
    let (near, far) = (slow_to_end(&ours).await, slow_to_end(&silent()).await);
    let (_, theirs) = join(&near, &far).await;
    let id = far.id();
    let started = Instant::now();
    let cancelled = timeout(SECOND, ours.request(&id, get("dog")));
    let short = RequestConfig::default().with_timeout(2 * SECOND);
    let (error, in_short, cancelled, ()) = tokio::join!(
        ours.request(&id, get("cat")),
        async {
            let error = ours.request_with(&id, get("cat"), &short).await;
            (error.unwrap_err(), started.elapsed())
        },
        cancelled,
        async {
            until_open(&ours, &id, 3).await;
            theirs.disconnect(DisconnectReason::USELESS_PEER);
        },
    );
    assert!(is_useless(&error.unwrap_err()));
    assert!(started.elapsed() >= 3 * SECOND);
    // The wait is within the request's own time limit.
    let (in_short, after) = in_short;
    assert!(matches!(in_short, RequestError::Gone { .. }), "{in_short}");
    assert_eq!(after, 2 * SECOND);
    assert!(cancelled.is_err(), "a dropped call ends at once");
}

#[tokio::test(start_paused = true)]
async fn any_asks_the_next_peer_before_the_reason_is_known() {
    let ours = Requests::new();
    let near = slow_to_end(&ours).await;
    let (first, works) = (
        slow_to_end(&silent()).await,
        server(kv(&echoes().build())).await,
    );
    let (_, theirs) = join(&near, &first).await;
    let id = first.id();
    let started = Instant::now();
    let (answered, ()) = tokio::join!(ours.any(get("cat")).send(), async {
        until_open(&ours, &id, 1).await;
        join(&near, &works).await;
        theirs.disconnect(DisconnectReason::USELESS_PEER);
    });
    assert_eq!(answered.unwrap().0.id(), works.id());
    assert!(started.elapsed() < SECOND);
}

#[tokio::test(start_paused = true)]
async fn the_failure_of_any_contains_the_reason_of_the_last_peer() {
    let ours = Requests::new();
    let (near, far) = (slow_to_end(&ours).await, slow_to_end(&silent()).await);
    let (_, theirs) = join(&near, &far).await;
    let (answered, ()) = tokio::join!(ours.any(get("cat")).send(), async {
        until_open(&ours, &far.id(), 1).await;
        theirs.disconnect(DisconnectReason::USELESS_PEER);
    });
    let error = answered.unwrap_err();
    assert!(matches!(error, RequestError::Nobody { tried: 1, .. }));
    assert!(is_useless(&error));
}

/// A protocol that drops its channel may go on for ever, with its connection.
#[tokio::test(start_paused = true)]
async fn a_request_to_a_protocol_that_ended_alone_does_not_wait_for_the_connection() {
    let ours = Requests::new();
    let stop = Arc::new(Notify::new());
    let stopped = Arc::clone(&stop);
    let protocol = ours.protocol_with(Protocol::typed("kv", 1), move |_, before| {
        let stopped = Arc::clone(&stopped);
        async move {
            let mut conn = before.ready();
            tokio::select! {
                // The order does not matter: there is no other message.
                biased;
                _ = conn.recv() => {}
                () = stopped.notified() => {}
            }
            drop(conn);
            pending().await
        }
    });
    let pair = Pair::of_protocols(protocol, kv(&silent())).await;
    let config = RequestConfig::default().with_timeout(Duration::MAX);
    let started = Instant::now();
    let (error, ()) = tokio::join!(ours.request_with(pair.id(), get("cat"), &config), async {
        until_open(&ours, pair.id(), 1).await;
        stop.notify_one();
    });
    let error = error.unwrap_err();
    assert!(matches!(error, RequestError::Gone { .. }), "{error}");
    assert!(error.outcome().is_none());
    assert!(started.elapsed() <= 2 * SECOND);
}

/// The connection waits for its protocols' functions, so these must not wait for the connection.
#[tokio::test(start_paused = true)]
async fn a_request_in_a_function_of_its_peer_fails_at_once() {
    let ours = Requests::new();
    let (failed, mut failures) = mpsc::channel(1);
    let asking = ours.clone();
    let protocol = ours.protocol_with(Protocol::typed("kv", 1), move |peer, before| {
        let (failed, asking) = (failed.clone(), asking.clone());
        async move {
            let mut conn = before.ready();
            let read = async move { while let Ok(Some(_)) = conn.recv().await {} };
            let id = peer.id();
            let (error, ()) = tokio::join!(asking.request(&id, get("cat")), read);
            failed.send(error.unwrap_err()).await.ok();
            Ok(())
        }
    });
    let pair = Pair::of_protocols(protocol, kv(&silent())).await;
    until_open(&ours, pair.id(), 1).await;
    let started = Instant::now();
    let theirs = pair.theirs.peer(&pair.ours.id()).unwrap();
    theirs.disconnect(DisconnectReason::USELESS_PEER);
    pair.peer.ended().await;
    assert!(started.elapsed() < SECOND);
    let error = failures.recv().await.expect("the function has failed");
    assert!(matches!(error, RequestError::Gone { .. }), "{error}");
    assert!(is_useless(&error), "the outcome is set by now");
}
