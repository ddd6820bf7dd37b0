//! The services and the runtime that a server needs.

use futures::FutureExt;
use peermux::comm::{Comm, CommStartError, Config, Secp256k1Identity};
use peermux::server::ServerFailed;
use peermux::{DisconnectReason, RuntimeError, StartError};
use tokio::io::duplex;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use super::*;

/// Connects two servers; returns the dialler's handle.
async fn connect(from: &Server, to: &Server) -> Peer {
    let (near, far) = duplex(64 << 10);
    let key = *to.enode().public_key();
    let (peer, accepted) = tokio::join!(from.dial_over(near, &key), to.accept_over(far));
    accepted.expect("connects");
    peer.expect("connects")
}

#[tokio::test(start_paused = true)]
async fn a_part_that_ends_stops_the_server_and_is_named() {
    for panics in [false, true] {
        let (end, ended) = oneshot::channel::<()>();
        let part = async move {
            ended.await.ok();
            assert!(!panics, "a panic in a test");
        };
        let builder = Server::builder(key()).protocol(idle("test"));
        let server = builder.stop_with("part", part).start().await.unwrap();
        let mut events = server.subscribe_connections();
        let remote = remote().await;
        let peer = connect(&remote, &server).await;
        assert!(server.stopped().now_or_never().is_none());
        drop(end);
        let failure = server.stopped().await.expect_err("nobody stopped it");
        assert_eq!((failure.service, failure.panicked), ("part", panics));
        let outcome = peer.ended().await.expect("ran to its end");
        let quitting = Some(DisconnectReason::CLIENT_QUITTING);
        assert_eq!(outcome.error.reason(), quitting);
        let event = told(&mut events).await;
        let ConnectionEvent::ServiceFailed(ServerFailed { service, .. }) = event else {
            panic!("{event:?}")
        };
        assert_eq!(service, "part");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_shut_down_has_not_failed() {
    let (_end, ended) = oneshot::channel::<()>();
    let part = async move { drop(ended.await) };
    let builder = Server::builder(key()).stop_with("part", part);
    let server = builder.start().await.unwrap();
    let (stopped, ended) = tokio::join!(server.stopped(), server.shutdown(LONG));
    assert_eq!((stopped, ended.is_ok()), (Ok(()), true));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_dropped_has_not_failed() {
    let server = Server::builder(key()).start().await.unwrap();
    let mut events = server.subscribe_connections();
    drop(server);
    while let Some(event) = events.recv().await {
        let failed = matches!(event, Ok(ConnectionEvent::ServiceFailed(_)));
        assert!(!failed, "{event:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_shutdown_that_timed_out_no_peer_is_listed() {
    let deaf = Protocol::builder("test", 1, 1).run(|_, _conn| std::future::pending());
    let server = Server::builder(key()).protocol(deaf).start().await.unwrap();
    let mut feed = server.subscribe();
    let remote = remote().await;
    connect(&server, &remote).await;
    let error = server.shutdown(SECOND).await.expect_err("it is deaf");
    assert_eq!(error.tasks, 1);
    assert_eq!((server.peer_count(), server.peers().len()), (0, 0));
    dropped(&mut feed).await;
}

fn runtime() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().build().unwrap()
}

#[test]
fn a_dial_can_be_dropped_outside_the_runtime() {
    let runtime = runtime();
    let (builder, mut script) = scripted();
    let server = runtime.block_on(builder.start()).unwrap();
    let node = stranger(&public(1));
    let mut dial = Box::pin(server.dial(&node));
    let mut pending = runtime.block_on(async {
        tokio::select! {
            biased;
            _ = &mut dial => panic!("nobody is there"),
            pending = next_dial(&mut script) => pending,
        }
    });
    drop(dial);
    runtime.block_on(pending.given_up());
}

#[test]
fn a_runtime_that_lacks_something_is_refused_at_the_start() {
    let bare = Builder::new_current_thread().build().unwrap();
    let timers = Builder::new_current_thread().enable_time().build().unwrap();
    let cases = [(bare, RuntimeError::NoTimers), (timers, RuntimeError::NoIo)];
    let comm = || {
        let identity = Secp256k1Identity::new(key());
        Comm::start(Config::default(), identity, Server::builder(key()))
    };
    for (runtime, lacks) in cases {
        let error = runtime.block_on(Server::builder(key()).start());
        let error = error.expect_err("something is missing");
        assert!(matches!(error, StartError::Runtime(error) if error == lacks));
        let error = runtime.block_on(comm()).expect_err("something is missing");
        assert_eq!(error.to_string(), lacks.to_string());
    }
    let outside = comm().now_or_never().expect("at once");
    assert!(matches!(
        outside,
        Err(CommStartError::Runtime(RuntimeError::Missing))
    ));
}
