//! Dials with a waiting caller.

use std::io;

use peermux::connmgr::{ConnectError as RawError, Kind};
use peermux::server::NodeAddr;
use peermux::testing::memory_listener;
use peermux::{DialError, DisconnectReason, Stage};

use super::*;

#[tokio::test(start_paused = true)]
async fn each_failure_is_an_error_of_its_own_and_an_event() {
    let (builder, mut script) = scripted();
    let server = builder.start().await.unwrap();
    let mut feed = server.subscribe_connections();
    let kinds = [
        (RawError::Refused, io::ErrorKind::ConnectionRefused),
        (RawError::Timeout, io::ErrorKind::TimedOut),
        (RawError::Unreachable, io::ErrorKind::HostUnreachable),
    ];
    for (raw, kind) in kinds {
        let node = stranger("20.1.1.1:30303");
        let (result, ()) = tokio::join!(server.dial(&node), async {
            next_dial(&mut script).await.fail(raw);
        });
        let error = result.expect_err("fails");
        let DialError::Connect { id, addr, source } = &error else {
            panic!("{error}");
        };
        assert_eq!(*id, node.node_id());
        assert_eq!(*addr, Some("20.1.1.1:30303".parse().unwrap()));
        assert_eq!((source.kind(), error.stage()), (kind, Stage::Dial));
        let ConnectionEvent::DialFailed { node: failed, .. } = told(&mut feed).await else {
            panic!()
        };
        assert_eq!(failed, node);
    }
    let error = server.dial(&server.enode()).await.expect_err("itself");
    assert_eq!(error.reason(), Some(DisconnectReason::CONNECTED_TO_SELF));
}

#[tokio::test(start_paused = true)]
async fn a_dial_that_takes_too_long_is_given_up() {
    let (builder, mut script) = scripted();
    let server = builder
        .configure(|config| config.with_dial_timeout(3 * SECOND))
        .start()
        .await
        .unwrap();
    let node = stranger("20.1.1.1:30303");
    let (result, ()) = tokio::join!(server.dial(&node), async {
        next_dial(&mut script).await.given_up().await;
    });
    let Err(DialError::Connect { source, .. }) = result else {
        panic!("{result:?}");
    };
    assert_eq!(source.kind(), io::ErrorKind::TimedOut);
}

#[tokio::test(start_paused = true)]
async fn all_who_want_a_node_wait_for_one_dial() {
    let (builder, mut script) = scripted();
    let (server, remote) = (builder.start().await.unwrap(), remote().await);
    let node = at(&remote, "20.1.1.1:30303");
    let (first, second, ()) = tokio::join!(server.dial(&node), server.dial(&node), async {
        reach(next_dial(&mut script).await, &remote);
        no_dial(&mut script, LONG).await;
    });
    assert_eq!(first.unwrap().id(), remote.id());
    assert_eq!(second.unwrap().id(), remote.id());
    let error = server.dial(&node).await.expect_err("is connected");
    assert_eq!(error.reason(), Some(DisconnectReason::ALREADY_CONNECTED));
}

#[tokio::test(start_paused = true)]
async fn a_dial_that_nobody_waits_for_any_more_is_given_up() {
    let (builder, mut script) = scripted();
    let (server, remote) = (builder.start().await.unwrap(), remote().await);
    let node = at(&remote, "20.1.1.1:30303");
    let (first, second) = (server.dial(&node), server.dial(&node));
    let mut second = Box::pin(second);
    let mut dial = tokio::select! {
        _ = first => panic!("nobody decided it"),
        _ = &mut second => panic!("nobody decided it"),
        dial = next_dial(&mut script) => dial,
    };
    // The other caller still waits.
    assert!(timeout(LONG / 100, dial.given_up()).await.is_err());
    drop(second);
    dial.given_up().await;

    let (result, ()) = tokio::join!(server.dial(&node), async {
        reach(next_dial(&mut script).await, &remote);
    });
    result.expect("it can be dialled again at once");
}

#[tokio::test(start_paused = true)]
async fn a_node_is_dialled_again_right_after_its_set_up_failed() {
    let (builder, mut script) = scripted();
    let (server, full) = (builder.start().await.unwrap(), remote().await);
    let impostor = stranger("20.1.1.1:30303");
    for _ in 0..3 {
        let (result, ()) = tokio::join!(server.dial(&impostor), async {
            reach(next_dial(&mut script).await, &full);
        });
        let error = result.expect_err("another key");
        assert!(matches!(error, DialError::Setup { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_name_is_resolved_at_each_dial_and_all_its_addresses_are_tried() {
    // `localhost` often has an IPv6 address too, at which nothing listens here.
    let listens = Server::builder(key())
        .listen("127.0.0.1:0".parse().unwrap())
        .start()
        .await
        .unwrap();
    let dials = Server::builder(key()).start().await.unwrap();
    let port = listens.local_addr().unwrap().port();
    let url = format!("enode://{}@localhost:{port}", listens.enode().public_key());
    let peer = dials.dial(&url.parse().unwrap()).await.expect("connects");
    assert_eq!(peer.id(), listens.id());

    let url = format!("enode://{}@name.invalid:1", key().public_key());
    let error = dials
        .dial(&url.parse().unwrap())
        .await
        .expect_err("no name");
    assert!(
        matches!(
            &error,
            DialError::Connect { source: RawError::Resolve { host, .. }, .. } if host == "name.invalid"
        ),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_peer_leads_to_the_request_of_its_connection() {
    let (listener, caller) = memory_listener();
    let (builder, mut script) = scripted();
    let server = builder.listener(listener).start().await.unwrap();
    let (asked, kept, inbound, handed) = (
        remote().await,
        remote().await,
        remote().await,
        remote().await,
    );

    let node = at(&asked, &public(1));
    let (dialled, ()) = tokio::join!(server.dial(&node), async {
        reach(next_dial(&mut script).await, &asked);
    });
    let peer = dialled.expect("connects");
    let request = server.request_of(&peer.id()).await.expect("its request");
    assert_eq!(request.kind, Kind::OneShot);
    assert_eq!(request.addr, NodeAddr::Node(node.clone()));
    let text = format!("request {}: one-shot, {node}, ", request.id);
    assert!(request.to_string().starts_with(&text), "{request}");

    let mut feed = server.subscribe();
    server.add_static(at(&kept, &public(2))).await.unwrap();
    reach(next_dial(&mut script).await, &kept);
    added(&mut feed).await;
    let request = server.request_of(&kept.id()).await.expect("its request");
    assert!(matches!(request.kind, Kind::Permanent(_)), "{request}");

    let addr = public(3).parse().unwrap();
    let stream = caller.call(addr).await;
    let key = *server.enode().public_key();
    inbound.dial_over(stream, &key).await.expect("is let in");
    added(&mut feed).await;
    let request = server.request_of(&inbound.id()).await.expect("accepted");
    assert_eq!(
        (request.kind, request.addr),
        (Kind::Inbound, NodeAddr::Inbound(addr))
    );

    call(&server, &handed).await.0.expect("connects");
    assert!(server.peer(&handed.id()).is_some());
    assert!(server.request_of(&handed.id()).await.is_none());
    assert!(server.request_of(&server.id()).await.is_none());
}
