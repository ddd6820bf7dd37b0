//! Requests that any of several peers may answer.

use std::future::pending;

use peermux::requests::{RequestConfig, RequestError};
use tokio::time::Instant;

use super::*;

/// Returns a node that is connected to the others.
async fn connected(others: &[&Requests<Kv>]) -> (Requests<Kv>, Server, Vec<Server>) {
    let requests = Requests::new();
    let node = server(kv(&requests)).await;
    let mut servers = Vec::new();
    for other in others {
        let other = server(kv(other)).await;
        join(&node, &other).await;
        servers.push(other);
    }
    (requests, node, servers)
}

fn silent() -> Requests<Kv> {
    let builder = Requests::builder();
    builder.answer(|_, _: Get| pending()).build()
}

fn empty() -> Requests<Kv> {
    let builder = Requests::builder();
    builder
        .answer(|_, _: Get| async { Ok(Value(None)) })
        .build()
}

#[tokio::test(start_paused = true)]
async fn the_next_peer_is_asked_when_one_does_not_answer() {
    let (silent, works) = (silent(), echoes().build());
    let (requests, _node, servers) = connected(&[&silent, &works]).await;
    for _ in 0..20 {
        let (peer, value) = requests.any(get("cat")).send().await.unwrap();
        assert_eq!(peer.id(), servers[1].id());
        assert_eq!(value, Value(Some("cat".into())));
    }
    // Once a peer has timed out, it is asked last.
    assert!(requests.stats(&servers[0].id()).unwrap().timed_out <= 1);
}

#[tokio::test(start_paused = true)]
async fn a_hedge_does_not_wait_for_the_slow_one() {
    let (first, second, works) = (silent(), silent(), echoes().build());
    let (requests, _node, servers) = connected(&[&first, &second, &works]).await;
    let started = Instant::now();
    let asked = requests.any(get("cat")).hedge_after(SECOND / 10);
    let (peer, _) = asked.send().await.unwrap();
    assert_eq!(peer.id(), servers[2].id());
    assert!(started.elapsed() <= SECOND / 5);
    for server in &servers {
        assert_eq!(requests.stats(&server.id()).unwrap().open, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_useless_response_the_next_peer_is_asked() {
    let (empty, works) = (empty(), echoes().build());
    let (requests, _node, servers) = connected(&[&empty, &works]).await;
    for _ in 0..10 {
        let asked = requests
            .any(get("cat"))
            .accept(|_, value| value.0.is_some());
        let (peer, _) = asked.send().await.unwrap();
        assert_eq!(peer.id(), servers[1].id());
    }
    let only = servers[0].id();
    let asked = requests
        .any(get("cat"))
        .among(move |peer| peer.id() == only)
        .accept(move |peer, value| peer.id() != only || value.0.is_some());
    let error = asked.send().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "none of 1 peers has answered Get; the last one: the response of {only} to Get was not accepted"
        )
    );
    let asked = requests
        .any(get("cat"))
        .among(move |peer| peer.id() == only);
    let (_, value) = asked.send().await.unwrap();
    assert_eq!(value, Value(None));
}

#[tokio::test(start_paused = true)]
async fn if_nobody_answers_the_error_contains_the_last_failure() {
    let (first, second) = (silent(), silent());
    let (requests, _node, _servers) = connected(&[&first, &second]).await;
    let config = RequestConfig::default().with_timeout(SECOND);
    let error = requests.any(get("cat")).config(config).send().await;
    let RequestError::Nobody { tried: 2, last, .. } = error.unwrap_err() else {
        panic!("two were asked");
    };
    assert!(matches!(
        last.as_deref(),
        Some(RequestError::TimedOut { .. })
    ));
    let nobody = Requests::<Kv>::new();
    let error = nobody.any(get("cat")).send().await.unwrap_err();
    assert!(matches!(error, RequestError::Nobody { tried: 0, .. }));
    assert_eq!(error.to_string(), "there is no peer to send Get to");
}
