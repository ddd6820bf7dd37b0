//! A node that reconnects while its last connection is still ending.

use peermux::DisconnectReason;

use super::*;

/// Starts a server whose peers take `time` to end.
async fn slow_to_end(time: Duration) -> Server {
    let slow = Protocol::builder("test", 1, 1).run(move |peer, _conn| async move {
        peer.ending().await;
        tokio::time::sleep(time).await;
        Ok(())
    });
    let builder = Server::builder(key()).protocol(slow);
    builder.start().await.expect("starts")
}

#[tokio::test(start_paused = true)]
async fn a_node_that_comes_back_waits_for_the_end_of_its_last_connection() {
    let (server, remote) = (slow_to_end(2 * SECOND).await, remote().await);
    let first = call(&remote, &server).await.0.expect("connects");
    server
        .peer(&remote.id())
        .expect("is there")
        .disconnect(DisconnectReason::REQUESTED);
    first.ended().await;
    assert_eq!(server.peer_count(), 1, "it is still ending there");
    call(&remote, &server).await.0.expect("is no duplicate");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_ending_is_dialled_when_it_has_ended() {
    let (server, remote) = (slow_to_end(2 * SECOND).await, remote().await);
    let peer = call(&server, &remote).await.0.expect("connects");
    peer.disconnect(DisconnectReason::REQUESTED);
    call(&server, &remote).await.0.expect("is no duplicate");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_takes_too_long_to_end_is_in_the_way() {
    let (server, remote) = (slow_to_end(4 * SECOND).await, remote().await);
    let first = call(&remote, &server).await.0.expect("connects");
    let peer = server.peer(&remote.id()).expect("is there");
    let duplicate = call(&remote, &server).await.0.expect_err("is connected");
    assert_eq!(
        duplicate.reason(),
        Some(DisconnectReason::ALREADY_CONNECTED)
    );
    peer.disconnect(DisconnectReason::REQUESTED);
    first.ended().await;
    let early = call(&remote, &server).await.0.expect("proves who it is");
    let outcome = early.ended().await.expect("is still there");
    assert_eq!(
        outcome.error.reason(),
        Some(DisconnectReason::ALREADY_CONNECTED)
    );
}
