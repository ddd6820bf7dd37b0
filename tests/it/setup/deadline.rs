//! Remotes that do not finish the setup, in virtual time.

use std::time::Duration;

use peermux::setup::SetupError;
use peermux::testing::Scripted;
use peermux::{DialError, Protocol, SecretKey, Server, Stage};
use tokio::io::{AsyncWriteExt, duplex};
use tokio::time::Instant;

const SETUP: Duration = Duration::from_secs(5);

async fn node() -> Server {
    let idle = Protocol::builder("a", 0, 1).run(|peer, _conn| async move {
        peer.ending().await;
        Ok(())
    });
    let node = Server::builder(SecretKey::generate()).protocol(idle);
    node.start().await.expect("starts")
}

fn timed_out_at(error: &SetupError, stage: Stage) -> bool {
    matches!(error, SetupError::TimedOut { stage: at, after } if *at == stage && *after == SETUP)
}

#[tokio::test(start_paused = true)]
async fn a_silent_dialler_is_disconnected_after_five_seconds() {
    let (near, _far) = duplex(1 << 16);
    let started = Instant::now();
    let error = node().await.accept_over(near).await.expect_err("silent");
    assert!(timed_out_at(&error, Stage::Auth), "{error}");
    assert_eq!(started.elapsed(), SETUP);
}

#[tokio::test(start_paused = true)]
async fn a_dialler_that_trickles_its_auth_gains_no_time() {
    let (near, mut far) = duplex(1 << 16);
    let node = node().await;
    let started = Instant::now();
    let trickle = async {
        while far.write_all(&[1]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(900)).await;
        }
    };
    let (result, ()) = tokio::join!(node.accept_over(near), trickle);
    let error = result.expect_err("too slow");
    assert!(timed_out_at(&error, Stage::Auth), "{error}");
    assert!(started.elapsed() < SETUP + Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_dial_to_a_node_that_does_not_answer_fails() {
    let (near, _far) = duplex(1 << 16);
    let remote = SecretKey::generate().public_key();
    let error = node().await.dial_over(near, &remote).await;
    let Err(DialError::Setup { id, source, .. }) = error else {
        panic!("{error:?}")
    };
    assert_eq!(id, remote.node_id());
    assert!(timed_out_at(&source, Stage::Ack), "{source}");
}

#[tokio::test(start_paused = true)]
async fn a_dialler_that_sends_no_hello_has_five_seconds_in_all() {
    let (near, far) = duplex(1 << 16);
    let node = node().await;
    let key = SecretKey::generate();
    let public_key = *node.enode().public_key();
    let started = Instant::now();
    let silent = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        let authenticated = peermux::setup::initiate(far, &key, &public_key).await;
        Scripted::before_hello(authenticated.expect("authenticates"))
    };
    let (result, _silent) = tokio::join!(node.accept_over(near), silent);
    let error = result.expect_err("no Hello");
    assert!(timed_out_at(&error, Stage::Hello), "{error}");
    assert_eq!(started.elapsed(), SETUP);
}

#[tokio::test(start_paused = true)]
async fn a_set_up_may_have_unlimited_time() {
    let patient = |key| {
        Server::builder(key)
            .configure(|config| config.with_setup_timeout(Duration::MAX))
            .start()
    };
    let dialler = patient(SecretKey::generate()).await.expect("starts");
    let listener = patient(SecretKey::generate()).await.expect("starts");
    let (near, far) = duplex(1 << 16);
    let remote = *listener.enode().public_key();
    let (accepted, dialled) =
        tokio::join!(listener.accept_over(near), dialler.dial_over(far, &remote));
    assert_eq!(accepted.expect("a peer").id(), dialler.id());
    assert_eq!(dialled.expect("a peer").id(), listener.id());
}

/// Sends oversized and malformed Hellos, under Hello's own id and under a subprotocol's.
///
/// The remote reads at most our Hello, and then a Disconnect or the end of the stream.
#[tokio::test(start_paused = true)]
async fn malicious_hellos_end_the_connection() {
    let name = |length: usize| vec![b'a'; length];
    let hello = |name: &[u8], key: &[u8]| {
        let mut hello = peermux::rlp::RlpStream::new_list(5);
        hello.append(&5u8).append(&"").begin_list(1);
        hello.begin_list(2).append(&name).append(&1u8);
        hello.append(&0u8).append(&key);
        hello.out()
    };
    let valid = SecretKey::generate().public_key().to_bytes();
    for (name, key) in [
        (name(2048), valid.to_vec()),
        (name(1), vec![1; 65]),
        (name(1), vec![1; 128]),
        (name(1), vec![1; 2048]),
        (name(2048), vec![1; 2048]),
    ] {
        for id in [0x00, 0x10] {
            let node = node().await;
            let (near, far) = duplex(1 << 16);
            let dialler = SecretKey::generate();
            let public_key = *node.enode().public_key();
            let attack = async {
                let authenticated = peermux::setup::initiate(far, &dialler, &public_key).await;
                let mut remote = Scripted::before_hello(authenticated.expect("authenticates"));
                // The Hello is sent before compression is on.
                let frame = remote.seal_raw(id, &hello(&name, &key));
                remote.send_bytes(&frame).await;
                while remote.next().await.is_some_and(|frame| frame.id == 0) {}
            };
            let (result, ()) = tokio::join!(node.accept_over(near), attack);
            let error = result.expect_err("malformed");
            assert_eq!(error.stage(), Stage::Hello, "{error}");
            assert_eq!(error.fault(), peermux::Fault::Remote, "{error}");
            assert_eq!(node.peer_count(), 0);
        }
    }
}
