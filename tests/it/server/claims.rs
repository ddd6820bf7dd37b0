//! The identity in an auth is only a claim, which any node can make.

use peermux::rlpx::{HandshakeRandomness, Initiator};
use peermux::server::NodeStore;
use peermux::testing::memory_listener;
use peermux::{DisconnectReason, NodeId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

#[derive(Debug)]
struct Bans(NodeId);

impl NodeStore for Bans {
    fn draw(&self, _: usize) -> Vec<Enode> {
        Vec::new()
    }

    fn is_banned(&self, node: &NodeId) -> bool {
        *node == self.0
    }
}

fn auth(key: &SecretKey, to: &Server) -> Vec<u8> {
    let randomness = HandshakeRandomness::random(&mut rand::rng());
    let sealed = Initiator::new(key, to.enode().public_key(), randomness);
    sealed.expect("sealed").1.to_vec()
}

/// Returns a server's answer to an auth of `key`, before `key` is proven. The answer is the number
/// of bytes after the ack, and the seconds from the ack to the end of the connection.
async fn answer(server: &Server, key: &SecretKey) -> (usize, u64) {
    let auth = auth(key, server);
    let (mut near, far) = duplex(64 << 10);
    let serve = server.accept_over(far);
    let listen = async {
        near.write_all(&auth).await.expect("is read");
        let prefix = near.read_u16().await.expect("an ack");
        let mut ack = vec![0; prefix.into()];
        near.read_exact(&mut ack).await.expect("all of it");
        let started = tokio::time::Instant::now();
        let mut rest = Vec::new();
        near.read_to_end(&mut rest).await.expect("closed in order");
        (rest.len(), started.elapsed().as_secs())
    };
    let (served, heard) = tokio::join!(serve, listen);
    served.expect_err("nothing was proven");
    heard
}

#[tokio::test(start_paused = true)]
async fn an_auth_does_not_reveal_who_is_connected_or_banned() {
    let [connected, banned, stranger] = [key(), key(), key()];
    let builder = Server::builder(key()).protocol(idle("test"));
    let store = Bans(banned.public_key().node_id());
    let server = builder.node_store(store).start().await.expect("starts");
    let builder = Server::builder(connected.clone()).protocol(idle("test"));
    let remote = builder.start().await.expect("starts");
    call(&remote, &server).await.0.expect("connects");

    let expected = answer(&server, &stranger).await;
    assert!(expected.0 > 0);
    assert_eq!(answer(&server, &connected).await, expected);
    assert_eq!(answer(&server, &banned).await, expected);
    assert_eq!(server.peer_count(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_unproven_identity_is_reported_as_a_claim() {
    let claimed = key();
    let (listener, caller) = memory_listener();
    let server = called(Server::builder(key()), listener).await;
    let mut failures = server.subscribe_connections();
    let mut stream = caller.call("20.1.1.1:9".parse().expect("valid")).await;
    let sent = stream.write_all(&auth(&claimed, &server)).await;
    sent.expect("is read");
    let event = told(&mut failures).await;
    let ConnectionEvent::InboundFailed {
        id, claimed: says, ..
    } = event
    else {
        panic!("{event:?}");
    };
    assert_eq!((id, says), (None, Some(claimed.public_key().node_id())));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_has_proven_its_identity_receives_the_reason_of_a_refusal() {
    let banned = key();
    let builder = Server::builder(key()).protocol(idle("test"));
    let store = Bans(banned.public_key().node_id());
    let server = builder.node_store(store).start().await.expect("starts");
    let builder = Server::builder(banned).protocol(idle("test"));
    let remote = builder.start().await.expect("starts");
    let peer = call(&remote, &server)
        .await
        .0
        .expect("is not refused at once");
    let outcome = peer.ended().await.expect("ended");
    assert_eq!(outcome.error.reason(), Some(DisconnectReason::REQUESTED));
    assert_eq!(server.peer_count(), 0);
}
