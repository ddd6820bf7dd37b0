//! The first messages of a connection, valid and invalid.

use bytes::{Bytes, BytesMut};
use futures::{SinkExt, StreamExt};
use peermux::p2p::RawMessage;
use peermux::p2p::{HelloError, ids};
use peermux::rlpx::Legacy;
use peermux::setup::{Authenticated, SetupError, accept, initiate};
use peermux::testing::Scripted;
use peermux::{Capability, DisconnectReason, Fault, Hello, SecretKey, Stage};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

fn key() -> SecretKey {
    SecretKey::random(&mut rand::rng())
}

fn hello(key: &SecretKey) -> Hello {
    Hello::new("test", vec![Capability::new("a", 0)], key.public_key())
}

struct Side {
    key: SecretKey,
    stream: Authenticated<DuplexStream>,
}

/// Returns both ends after auth and ack, the initiator first.
async fn authenticated() -> (Side, Side) {
    let (near, far) = duplex(1 << 16);
    let (near_key, far_key) = (key(), key());
    let remote = far_key.public_key();
    let (dialled, accepted) = tokio::join!(
        initiate(near, &near_key, &remote),
        accept(far, &far_key, Legacy::Refuse)
    );
    let dialled = Side {
        key: near_key,
        stream: dialled.expect("authenticates"),
    };
    let accepted = Side {
        key: far_key,
        stream: accepted.expect("authenticates"),
    };
    assert_eq!(accepted.stream.public_key(), &dialled.key.public_key());
    (dialled, accepted)
}

#[tokio::test]
async fn both_sides_know_each_other_and_share_a_channel_binding() {
    let (near, far) = authenticated().await;
    let (near_hello, far_hello) = (hello(&near.key), hello(&far.key));
    let (ours, theirs) = tokio::join!(
        near.stream.exchange_hello(&near_hello),
        far.stream.exchange_hello(&far_hello)
    );
    let (ours, theirs) = (ours.expect("exchanged"), theirs.expect("exchanged"));
    assert_eq!((ours.hello(), theirs.hello()), (&far_hello, &near_hello));
    assert_eq!(
        ours.channel_binding().as_bytes(),
        theirs.channel_binding().as_bytes()
    );

    let mut far = theirs.into_framed();
    ours.refuse(DisconnectReason::CLIENT_QUITTING).await;
    let message = far.next().await.expect("a message").expect("intact");
    assert_eq!(
        (message.id, &message.payload[..]),
        (ids::DISCONNECT, &[0xc1, 0x08][..])
    );
}

#[tokio::test]
async fn a_hello_can_be_answered_with_one_that_depends_on_it() {
    let (near, far) = authenticated().await;
    let near_hello = hello(&near.key);
    let far_key = far.key.clone();
    let mirror = move |theirs: &Hello| {
        Hello::new("mirror", theirs.capabilities.clone(), far_key.public_key())
    };
    let (ours, theirs) = tokio::join!(
        near.stream.exchange_hello(&near_hello),
        far.stream.answer_hello(mirror)
    );
    let ours = ours.expect("exchanged");
    assert_eq!(ours.hello().capabilities, near_hello.capabilities);
    let mut framed = theirs.expect("exchanged").into_framed();
    let ping = RawMessage {
        id: ids::PING,
        payload: Bytes::from_static(&[0xc0]),
    };
    framed.send(ping).await.expect("written");
}

#[tokio::test]
async fn a_refusal_instead_of_hello_reaches_the_caller() {
    let (near, far) = authenticated().await;
    let near_hello = hello(&near.key);
    let (result, ()) = tokio::join!(
        near.stream.exchange_hello(&near_hello),
        far.stream.refuse(DisconnectReason::TOO_MANY_PEERS)
    );
    let error = result.expect_err("refused");
    assert!(matches!(
        error,
        SetupError::Refused(Some(DisconnectReason::TOO_MANY_PEERS))
    ));
    assert_eq!(
        (error.stage(), error.fault()),
        (Stage::Hello, Fault::Remote)
    );
}

#[tokio::test]
async fn a_hello_with_another_key_is_an_unexpected_identity_on_either_side() {
    for honest_dials in [true, false] {
        let (near, far) = authenticated().await;
        let (honest, liar) = if honest_dials {
            (near, far)
        } else {
            (far, near)
        };
        let (true_hello, false_hello) = (hello(&honest.key), hello(&key()));
        let (honest, liar) = tokio::join!(
            honest.stream.exchange_hello(&true_hello),
            liar.stream.exchange_hello(&false_hello)
        );
        let error = honest.expect_err("refused");
        assert_eq!(
            error.reason(),
            Some(DisconnectReason::UNEXPECTED_IDENTITY),
            "{error}"
        );
        let mut liar = liar.expect("the other side's Hello is fine").into_framed();
        let told = liar.next().await.expect("a message").expect("intact");
        assert_eq!(
            (told.id, &told.payload[..]),
            (ids::DISCONNECT, &[0xc1, 0x09][..])
        );
    }
}

/// Sends one first message instead of a Hello, and returns the other side's error.
async fn first_message(id: u64, payload: Vec<u8>) -> SetupError {
    let (near, far) = authenticated().await;
    let near_hello = hello(&near.key);
    let script = async {
        let mut remote = Scripted::before_hello(far.stream);
        remote.send(id, &payload).await;
        remote.disconnected().await
    };
    let (result, told) = tokio::join!(near.stream.exchange_hello(&near_hello), script);
    let error = result.expect_err("must be refused");
    if error.fault() == Fault::Remote && !matches!(error, SetupError::Refused(_)) {
        assert_eq!(told, error.reason());
    }
    error
}

#[tokio::test]
async fn first_messages_other_than_hello_are_distinguished() {
    let quitting = Some(DisconnectReason::CLIENT_QUITTING);
    for form in [vec![0xc1, 0x08], vec![0x08]] {
        let error = first_message(ids::DISCONNECT, form).await;
        assert!(
            matches!(error, SetupError::Refused(reason) if reason == quitting),
            "{error}"
        );
    }
    let error = first_message(0x98_9898, vec![0xc0]).await;
    assert!(
        matches!(error, SetupError::NotHello { id: 0x98_9898 }),
        "{error}"
    );
    assert_eq!(error.reason(), Some(DisconnectReason::BREACH_OF_PROTOCOL));

    let error = first_message(ids::HELLO, vec![0x55; 2050]).await;
    assert!(matches!(error, SetupError::Frame(_)), "{error}");

    let error = first_message(ids::HELLO, vec![0x80]).await;
    assert!(matches!(error, SetupError::Hello(_)), "{error}");
    assert_eq!(error.reason(), Some(DisconnectReason::BREACH_OF_PROTOCOL));

    // This Hello has version 5, an empty name, no capabilities, port 0 and an empty key.
    let error = first_message(ids::HELLO, vec![0xc5, 0x05, 0x80, 0xc0, 0x80, 0x80]).await;
    assert!(
        matches!(&error, SetupError::Hello(HelloError::KeyLength { .. })),
        "{error:?}"
    );
    assert_eq!(error.reason(), Some(DisconnectReason::INVALID_IDENTITY));
}

#[tokio::test]
async fn a_remote_without_rlpx_is_distinguished_from_one_that_closes() {
    let (near, mut far) = duplex(1 << 16);
    let remote = key().public_key();
    let own = key();
    let web = async move {
        let mut request = BytesMut::new();
        far.read_buf(&mut request).await.expect("reads");
        far.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .expect("writes");
    };
    let (result, ()) = tokio::join!(initiate(near, &own, &remote), web);
    let error = result.expect_err("no ack");
    assert_eq!(
        (error.stage(), error.fault()),
        (Stage::Ack, Fault::Remote),
        "{error}"
    );

    let (near, far) = duplex(1 << 16);
    drop(far);
    let error = initiate(near, &own, &remote).await.expect_err("closed");
    assert_eq!(error.fault(), Fault::Io, "{error}");
}
