//! The requesting side.

use std::future::pending;

use peermux::requests::{RequestConfig, RequestError, WhenOpen};
use peermux::{DisconnectReason, PeerError};
use tokio::time::Instant;

use super::*;

/// Returns a [`Requests`] that never answers.
fn silent() -> Requests<Kv> {
    let builder = Requests::builder();
    builder.answer(|_, _: Get| pending()).build()
}

#[tokio::test(start_paused = true)]
async fn the_first_request_after_a_dial_is_answered() {
    for _ in 0..100 {
        let ours = Requests::new();
        let pair = Pair::of(&ours, &echoes().build()).await;
        let value = ours.request(pair.id(), get("cat")).await.unwrap();
        assert_eq!(value, Value(Some("cat".into())));
    }
}

#[tokio::test(start_paused = true)]
async fn many_requests_are_open_at_once_and_both_sides_ask() {
    let (ours, theirs) = (echoes().build(), echoes().build());
    let pair = Pair::of(&ours, &theirs).await;
    let (near, far) = (pair.ours.id(), pair.theirs.id());
    let ask = |number: usize| {
        let (ours, theirs) = (ours.clone(), theirs.clone());
        async move {
            let key = number.to_string();
            let there = ours.request(&far, get(&key)).await.unwrap();
            let back = theirs.request(&near, get(&key)).await.unwrap();
            assert_eq!(there, Value(Some(key)));
            assert_eq!(there, back);
            let put = Put {
                key: "a".into(),
                value: "b".into(),
            };
            assert_eq!(ours.request(&far, put).await.unwrap(), Stored);
        }
    };
    futures::future::join_all((0..1000).map(ask)).await;
    let stats = ours.stats(&far).unwrap();
    assert_eq!((stats.open, stats.answered, stats.served), (0, 2000, 1000));
    let estimate = ours.estimate::<Get>(&far).expect("has answered");
    assert_eq!(estimate.responses(), 1000);
    assert!(ours.capacity::<Get>(&far, SECOND) > 1);
    assert!(!ours.is_slow::<Get>(&far));
}

#[tokio::test(start_paused = true)]
async fn each_request_ends_in_time() {
    let ours = Requests::new();
    let pair = Pair::of(&ours, &silent()).await;
    let started = Instant::now();
    let error = ours.request(pair.id(), get("cat")).await.unwrap_err();
    assert!(
        matches!(&error, RequestError::TimedOut { peer, request: "Get", .. } if peer == pair.id()),
        "{error}"
    );
    assert_eq!(started.elapsed(), 10 * SECOND);
    for _ in 0..3 {
        ours.request(pair.id(), get("cat")).await.unwrap_err();
    }
    assert!(ours.is_slow::<Get>(pair.id()));
    let stats = ours.stats(pair.id()).unwrap();
    assert_eq!((stats.open, stats.timed_out, stats.cancelled), (0, 4, 0));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_releases_its_request_and_its_slot() {
    let ours = Requests::builder()
        .config(RequestConfig::default().with_max_open(1))
        .build();
    let pair = Pair::of(&ours, &silent()).await;
    for _ in 0..10 {
        let id = *pair.id();
        let asking = tokio::time::timeout(SECOND, ours.request(&id, get("cat")));
        assert!(asking.await.is_err());
    }
    let stats = ours.stats(pair.id()).unwrap();
    assert_eq!((stats.open, stats.cancelled), (0, 10));
}

#[tokio::test(start_paused = true)]
async fn requests_beyond_the_maximum_wait_or_are_refused() {
    let config = RequestConfig::default().with_max_open(2);
    let ours = Requests::builder().config(config).build();
    let pair = Pair::of(&ours, &silent()).await;
    let id = *pair.id();
    // The settings of one call cannot change the handle's limit on open requests.
    let refuses = config.with_when_open(WhenOpen::Refuse).with_max_open(9);
    let hurries = config.with_timeout(SECOND);
    let (first, second, third, fourth) = tokio::join!(
        ours.request(&id, get("1")),
        ours.request(&id, get("2")),
        ours.request_with(&id, get("3"), &hurries),
        ours.request_with(&id, get("4"), &refuses),
    );
    for waited in [first, second, third] {
        assert!(matches!(waited, Err(RequestError::TimedOut { .. })));
    }
    let refused = fourth.unwrap_err();
    assert!(matches!(
        refused,
        RequestError::TooManyOpen { limit: 2, .. }
    ));
    // The third request was never sent.
    assert_eq!(ours.stats(&id).unwrap().timed_out, 2);
}

#[tokio::test(start_paused = true)]
async fn requests_to_a_peer_that_leaves_fail_with_its_reason() {
    let ours = Requests::new();
    let pair = Pair::of(&ours, &silent()).await;
    let id = *pair.id();
    let asking = tokio::spawn({
        let ours = ours.clone();
        async move { ours.request(&id, get("cat")).await }
    });
    while ours.stats(&id).unwrap().open == 0 {
        tokio::task::yield_now().await;
    }
    let theirs = pair.theirs.peer(&pair.ours.id()).unwrap();
    theirs.disconnect(DisconnectReason::USELESS_PEER);
    let error = asking.await.unwrap().unwrap_err();
    assert!(matches!(error, RequestError::Gone { .. }), "{error}");
    // The test does not wait for the end of the connection: the request has done so.
    let outcome = error.outcome().expect("has ended");
    assert!(matches!(
        outcome.error,
        PeerError::Remote(Some(DisconnectReason::USELESS_PEER))
    ));
    assert!(error.to_string().contains("useless"), "{error}");
    let error = ours.request(&id, get("cat")).await.unwrap_err();
    assert!(matches!(error, RequestError::NotConnected { peer, .. } if peer == id));
}

#[tokio::test(start_paused = true)]
async fn a_response_may_not_exceed_the_limit_of_its_request() {
    let ours = Requests::new();
    let pair = Pair::of(&ours, &echoes().build()).await;
    let config = RequestConfig::default().with_max_response(100);
    let large = get(&"x".repeat(200));
    let error = ours.request_with(pair.id(), large, &config).await;
    let error = error.unwrap_err();
    assert!(
        matches!(
            error,
            RequestError::TooLarge {
                limit: 100,
                size: 200..,
                ..
            }
        ),
        "{error}"
    );
    let small = ours.request_with(pair.id(), get("x"), &config).await;
    assert!(small.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_request_that_cannot_be_sent_returns_an_error() {
    let ours = Requests::new();
    let pair = Pair::of(&ours, &echoes().build()).await;
    let large = get(&"x".repeat(17 << 20));
    let error = ours.request(pair.id(), large).await.unwrap_err();
    assert!(matches!(error, RequestError::Send { .. }), "{error}");
    assert_eq!(ours.stats(pair.id()).unwrap().open, 0);
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_open_requests_need_no_task_each() {
    const PEERS: usize = 100;
    const EACH: usize = 100;
    let config = RequestConfig::default().with_max_open(EACH);
    let ours = Requests::builder().config(config).build();
    let node = Server::builder(SecretKey::random(&mut rand::rng())).protocol(kv(&ours));
    let node = node.configure(|config| config.with_max_peers(PEERS));
    let node = node.start().await.expect("starts");
    let mut others = Vec::new();
    for _ in 0..PEERS {
        let other = server(kv(&silent())).await;
        join(&node, &other).await;
        others.push(other);
    }
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let before = tasks();
    let ids: Vec<_> = others.iter().map(Server::id).collect();
    let asking = ids
        .iter()
        .flat_map(|id| (0..EACH).map(|_| ours.request(id, get("cat"))));
    let asking = futures::future::join_all(asking);
    let watch = async {
        tokio::time::sleep(SECOND).await;
        let open = |id| ours.stats(id).map_or(0, |stats| stats.open);
        assert_eq!(ids.iter().map(open).sum::<usize>(), PEERS * EACH);
        assert_eq!(tasks(), before);
    };
    let (results, ()) = tokio::join!(asking, watch);
    assert!(results.iter().all(Result::is_err));
}
