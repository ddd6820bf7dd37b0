//! The whole stack over sockets, without assertions about time.

use peermux::{Enode, SecretKey, Server};

use super::*;

/// Starts a node that acknowledges what it receives, with long limits for slow machines.
async fn start() -> (Server, Comm) {
    let key = SecretKey::random(&mut rand::rng());
    let identity = Secp256k1Identity::new(super::key());
    let patient = Config::default()
        .with_dial_timeout(SOON)
        .with_handshake_timeout(SOON)
        .with_probe_timeout(SOON);
    let server = Server::builder(key).listen("127.0.0.1:0".parse().unwrap());
    let started = Comm::start_with(patient, identity, server, everything).await;
    let (server, comm, mut inbox) = started.unwrap();
    tokio::spawn(async move {
        while let Some(message) = inbox.next().await {
            message.ack(Ok(())).await.expect("acknowledged once");
        }
    });
    (server, comm)
}

fn address((server, comm): &(Server, Comm)) -> RemotePeer {
    RemotePeer::new(server.enode(), comm.id())
}

/// Returns the part of the signed text that must be the same at both ends. The text begins with the
/// domain, the role and the probe flag. After these it names the dialler, the listener and the
/// channel binding.
fn what_both_signed(comm: &Comm) -> Option<Vec<u8>> {
    match &comm.connections()[..] {
        [only] => Some(only.signed[26..26 + 3 * 32].to_vec()),
        _ => None,
    }
}

#[tokio::test]
async fn two_servers_that_dial_each_other_at_once_keep_the_same_connection() {
    for round in 0..10 {
        let (one, other) = (start().await, start().await);
        let (to_one, to_other) = ([address(&one)], [address(&other)]);
        let send = async |from: &Comm, to: &[RemotePeer]| {
            let result = from.send_with_ack(&text("x"), policy(1, 20_000), to).await;
            let result = result.unwrap();
            assert_eq!(result.ack_count(), 1, "round {round}: {}", result.to_json());
        };
        tokio::join!(send(&one.1, &to_other), send(&other.1, &to_one));
        let settled = async {
            loop {
                let (near, far) = (what_both_signed(&one.1), what_both_signed(&other.1));
                if near.is_some() && near == far {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        let settled = timeout(SOON, settled).await;
        settled.expect("one connection, the same at both ends");
        tokio::join!(send(&one.1, &to_other), send(&other.1, &to_one));
        for (server, comm) in [&one, &other] {
            assert!(comm.stop().await);
            server.shutdown(SOON).await.expect("all end");
        }
    }
}

#[tokio::test]
async fn a_message_right_after_a_close_makes_a_new_connection() {
    let (one, other) = (start().await, start().await);
    let to_other = [address(&other)];
    for round in 0..3 {
        let sent = one.1.send(&text("x"), &to_other).remove(0).await;
        assert!(sent.is_sent(), "round {round}: {sent:?}");
        assert!(one.1.close_conn(&other.1.id()), "round {round}");
    }
}

#[tokio::test]
async fn three_nodes_on_sockets_acknowledge() {
    let nodes = [start().await, start().await, start().await];
    let peers = nodes.each_ref().map(address);
    let comm = &nodes[0].1;
    let result = comm
        .send_with_ack(&text("x"), policy(2, 20_000), &peers[1..])
        .await
        .unwrap();
    assert_eq!(result.ack_count(), 2, "{}", result.to_json());
    comm.probe(&peers[1]).await.expect("answers");
    nodes[1].1.stop().await;
    nodes[1].0.shutdown(SOON).await.expect("all end");
    let mut dead = comm.presumed_dead();
    drop(comm.send(&text("x"), &peers[1..2]));
    // The end of the connection may have been reported before the subscription began, so the result
    // is ignored.
    let _ = futures::poll!(dead.next());
    assert!(comm.handshake(&peers[1]).await.is_err());
    let back = nodes[2]
        .1
        .send_with_ack(&text("y"), policy(1, 20_000), &peers[..1])
        .await;
    assert_eq!(back.unwrap().ack_count(), 1);
    for (server, comm) in [&nodes[0], &nodes[2]] {
        comm.stop().await;
        server.shutdown(SOON).await.expect("all end");
    }
}

/// Messages that wait for a dial count towards the server's memory budget.
#[tokio::test]
async fn messages_that_wait_for_a_connection_count_towards_the_servers_memory() {
    let (server, comm) = start().await;
    // The socket is open, but nothing answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let enode = Enode::new(super::key().public_key(), silent.local_addr().unwrap());
    let to = RemotePeer::at(enode);
    let _receipts = comm.send(&Envelope::new(1, vec![0; 1 << 20]), &[to]);
    let used = server.memory().used();
    assert!((1 << 20..(1 << 20) + 1000).contains(&used), "{used}");
    assert!(comm.stop().await);
    assert_eq!(server.memory().used(), 0);
}
