//! The answering side.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use peermux::requests::{RequestConfig, RequestError};
use peermux::{DisconnectReason, PeerError, ProtocolError, Received};
use tokio::sync::Semaphore;

use super::*;

/// Returns a builder of [`Requests`] that need a permit for each answer. Also returns the semaphore
/// of the permits, and the number of requests in progress.
fn slow(config: RequestConfig) -> (RequestsBuilder<Kv>, Arc<Semaphore>, Arc<AtomicUsize>) {
    let (go, busy) = (Arc::new(Semaphore::new(0)), Arc::<AtomicUsize>::default());
    let (goes, works) = (Arc::clone(&go), Arc::clone(&busy));
    let builder = Requests::builder().config(config);
    let builder = builder.answer(move |_, get: Get| {
        let (goes, works) = (Arc::clone(&goes), Arc::clone(&works));
        async move {
            works.fetch_add(1, Ordering::SeqCst);
            goes.acquire().await.expect("never closed").forget();
            works.fetch_sub(1, Ordering::SeqCst);
            Ok(Value(Some(get.key)))
        }
    });
    (builder, go, busy)
}

#[tokio::test(start_paused = true)]
async fn no_more_requests_than_allowed_are_answered_at_once_and_none_is_lost() {
    let config = RequestConfig::default()
        .with_answering(3)
        .with_waiting(2)
        .with_timeout(Duration::MAX);
    let (builder, go, busy) = slow(config);
    let ours = Requests::builder().config(config).build();
    let pair = Pair::of(&ours, &builder.build()).await;
    let id = *pair.id();
    let asking: Vec<_> = (0..50)
        .map(|number: usize| {
            let ours = ours.clone();
            tokio::spawn(async move { ours.request(&id, get(&number.to_string())).await })
        })
        .collect();
    for (number, asking) in asking.into_iter().enumerate() {
        tokio::time::sleep(SECOND).await;
        assert!(busy.load(Ordering::SeqCst) <= 3);
        go.add_permits(1);
        let value = asking.await.unwrap().expect("is answered");
        assert_eq!(value, Value(Some(number.to_string())));
    }
}

#[tokio::test(start_paused = true)]
async fn one_more_gets_the_busy_answer() {
    let config = RequestConfig::default().with_answering(1).with_waiting(1);
    let (builder, go, _) = slow(config);
    let theirs = builder.when_busy(|_: Get| Value(None)).build();
    let ours = Requests::new();
    let pair = Pair::of(&ours, &theirs).await;
    let id = *pair.id();
    let (first, second, third, ()) = tokio::join!(
        ours.request(&id, get("1")),
        ours.request(&id, get("2")),
        ours.request(&id, get("3")),
        async {
            tokio::time::sleep(SECOND).await;
            go.add_permits(2);
        }
    );
    assert_eq!(first.unwrap(), Value(Some("1".into())));
    assert_eq!(second.unwrap(), Value(Some("2".into())));
    assert_eq!(third.unwrap(), Value(None));
    assert_eq!(theirs.stats(&pair.ours.id()).unwrap().busy, 1);
}

/// Each answer asks the node that has asked. Its responses arrive behind requests that cannot be
/// answered yet.
#[tokio::test(start_paused = true)]
async fn requests_beyond_the_limits_do_not_hold_up_responses() {
    let asked_back = Arc::new(OnceLock::<Requests<Kv>>::new());
    let asks = Arc::clone(&asked_back);
    let theirs = Requests::builder()
        .config(RequestConfig::default().with_answering(2).with_waiting(2))
        .answer(move |peer, Get { key }| {
            let asks = asks.get().expect("set before").clone();
            async move {
                let put = Put {
                    key: key.clone(),
                    value: key.clone(),
                };
                let asked = asks.request(&peer.id(), put).await;
                asked.map_err(ProtocolError::other)?;
                Ok(Value(Some(key)))
            }
        })
        .build();
    asked_back.get_or_init(|| theirs.clone());
    let ours = echoes().build();
    let pair = Pair::of(&ours, &theirs).await;
    let keys: Vec<String> = (0..50).map(|key| key.to_string()).collect();
    let answers = keys.iter().map(|key| ours.request(pair.id(), get(key)));
    let answers = futures::future::try_join_all(answers).await;
    let keys = keys.into_iter().map(|key| Value(Some(key)));
    assert_eq!(answers.expect("all are answered"), keys.collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn an_answer_function_sees_how_long_its_request_has_waited() {
    let theirs = Requests::builder()
        .config(RequestConfig::default().with_answering(1))
        .answer_received(|_, get: Received<Get>| async move {
            let waited = get.received_at().elapsed().as_secs();
            tokio::time::sleep(SECOND).await;
            Ok(Value(Some(format!("{waited} s, {} B", get.size()))))
        })
        .build();
    let ours = Requests::new();
    let pair = Pair::of(&ours, &theirs).await;
    let (first, second) = tokio::join!(
        ours.request(pair.id(), get("cat")),
        ours.request(pair.id(), get("mouse")),
    );
    // Each payload is a list of an id of one byte and the key.
    assert_eq!(first.unwrap(), Value(Some("0 s, 6 B".into())));
    assert_eq!(second.unwrap(), Value(Some("1 s, 8 B".into())));
}

#[tokio::test(start_paused = true)]
async fn an_error_or_a_panic_ends_only_its_own_peer() {
    let fails = Requests::builder()
        .answer(|_, get: Get| async move {
            match get.key.as_str() {
                "panic" => panic!("as asked"),
                _ => Err(ProtocolError::from(DisconnectReason::USELESS_PEER)),
            }
        })
        .build();
    let theirs = server(kv(&fails)).await;
    for key in ["panic", "error"] {
        let (ours, bystander) = (Requests::new(), Requests::new());
        let (asks, stays) = (server(kv(&ours)).await, server(kv(&bystander)).await);
        let (peer, _) = join(&asks, &theirs).await;
        let (other, _) = join(&stays, &theirs).await;
        let error = ours.request(&theirs.id(), get(key)).await.unwrap_err();
        assert!(matches!(error, RequestError::Gone { .. }), "{error}");
        peer.ended().await;
        assert!(other.outcome().is_none());
        other.disconnect(DisconnectReason::REQUESTED);
        other.ended().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_nothing_answers_is_a_breach() {
    let (ours, theirs) = (Requests::new(), Requests::new());
    let pair = Pair::of(&ours, &theirs).await;
    ours.request(pair.id(), get("cat")).await.unwrap_err();
    let outcome = pair.peer.ended().await.unwrap();
    assert!(matches!(
        outcome.error,
        PeerError::Remote(Some(DisconnectReason::BREACH_OF_PROTOCOL))
    ));
}
