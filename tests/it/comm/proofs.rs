//! Who is at the other end: proofs of identity and what comes of them.

use peermux::{Direction, DisconnectReason, Message};

use super::raw::Proof;
use super::*;

type Change = fn(&mut Proof);

/// Scenario 2, handshake-matrix, and 18: both ends prove themselves over the same channel binding.
#[tokio::test(start_paused = true)]
async fn only_a_whole_and_true_proof_is_accepted() {
    type Expected = fn(&HandshakeError) -> bool;
    let matrix: [(Change, Expected); 7] = [
        (
            |proof| proof.signature[0] ^= 1,
            |error| *error == HandshakeError::BadSignature,
        ),
        (
            |proof| proof.id[0] ^= 1,
            |error| matches!(error, HandshakeError::IdMismatch { .. }),
        ),
        (
            |proof| proof.rebind([9; 32]),
            |error| *error == HandshakeError::BindingMismatch,
        ),
        (
            |proof| proof.id.clear(),
            |error| *error == HandshakeError::MissingId,
        ),
        (
            |proof| proof.code = 1,
            |error| matches!(error, HandshakeError::Malformed(_)),
        ),
        (
            |proof| proof.code = 2,
            |error| matches!(error, HandshakeError::Malformed(_)),
        ),
        (
            |proof| proof.delay = Duration::from_secs(5),
            |error| matches!(error, HandshakeError::TimedOut { .. }),
        ),
    ];
    for (index, (change, expected)) in matrix.into_iter().enumerate() {
        let net = Net::default();
        let a = net.node();
        let mut inbox = everything(&a.comm);
        let mut events = a.comm.events();
        let client = raw::client(&net, change);
        net.connect(&client.node, &a.id).await.unwrap();
        let error = refusal(&mut events).await;
        assert!(expected(&error), "case {index}: {error}");
        a.comm.stop().await;
        assert!(
            inbox.next().await.is_none(),
            "case {index}: nothing is delivered"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_accepted_proof_can_be_checked_again_by_the_upper_layers() {
    use peermux::comm::IdentityProvider;

    let net = Net::default();
    let a = net.node();
    let mut inbox = everything(&a.comm);
    let client = raw::client(&net, |_| {});
    let peer = net.connect(&client.node, &a.id).await.unwrap();
    let message = next(&mut inbox).await;
    let sender = message.sender();
    assert_eq!(sender.identity, client.identity.identity());
    assert_eq!(sender.direction, Direction::Inbound);
    let verified = client
        .identity
        .verify(&sender.identity, &sender.signed, &sender.signature);
    assert_eq!(verified, Ok(()));
    let binding = peer.channel_binding().as_bytes();
    assert!(
        sender.signed.windows(32).any(|part| part == binding),
        "of the same connection"
    );
    let theirs = client.heard.borrow().clone().expect("the answer");
    assert!(
        theirs
            .windows(32)
            .any(|part| part == a.comm.id().as_bytes())
    );
    assert!(theirs.windows(32).any(|part| part == binding));
}

/// Scenario 3, unexpected-peer.
#[tokio::test(start_paused = true)]
async fn another_identity_is_accepted_only_within_the_organisation() {
    let net = Net::default();
    let a = net.node_with(Config::default(), org("one"));
    let known = net.node_with(Config::default(), org("one"));
    let same = net.node_with(Config::default(), org("one"));
    let mut switched = a.comm.identity_switch();
    a.comm.send(&text("x"), &[known.peer()]).remove(0).await;
    a.comm.close_conn(&known.comm.id());

    let mut inbox = everything(&same.comm);
    let sent = a
        .comm
        .send(&text("x"), &[same.under(known.comm.id())])
        .remove(0)
        .await;
    assert!(sent.is_sent(), "{sent:?}");
    next(&mut inbox).await;
    assert_eq!(switched.next().await, Some(known.comm.id()));

    // Providers without organisations have nothing in common.
    let b = net.node();
    let (other, third) = (net.node(), net.node());
    b.comm.send(&text("x"), &[other.peer()]).remove(0).await;
    b.comm.close_conn(&other.comm.id());
    let mut inbox = everything(&third.comm);
    let sent = b
        .comm
        .send(&text("x"), &[third.under(other.comm.id())])
        .remove(0)
        .await;
    assert!(
        matches!(sent, Delivery::Failed(CommError::IdMismatch { .. })),
        "{sent:?}"
    );
    assert!(timeout(Duration::from_secs(5), inbox.next()).await.is_err());
}

/// Scenario 4, connection-info.
#[tokio::test(start_paused = true)]
async fn a_received_message_shows_its_sender_and_its_source() {
    let net = Net::default();
    let (a, b) = (net.node(), net.node());
    let mut inbox = everything(&b.comm);
    let message = a.comm.sign(numbered(77)).unwrap();
    a.comm.send(&message, &[b.peer()]);
    let received = next(&mut inbox).await;
    assert_eq!(
        (received.sender().id, received.sender().node),
        (a.comm.id(), a.id)
    );
    assert_eq!(received.envelope(), &message);
    let author = &received.sender().identity;
    assert_eq!(b.comm.verify(author, received.envelope()), Ok(a.comm.id()));
    let forged = Envelope {
        nonce: 78,
        ..message
    };
    assert!(b.comm.verify(author, &forged).is_err());
}

/// The rest of scenario 2: a message that is well-formed but not the proof of identity.
#[tokio::test(start_paused = true)]
async fn another_kind_of_message_before_the_proof_is_a_breach_of_protocol() {
    let first: [(u64, Change); 2] = [
        (1, |proof| proof.instead = Some(raw::data(10))),
        (2, |proof| {
            proof.instead = Some(Message::new(2, vec![0xc2, 7, 0x80]));
        }),
    ];
    for (code, change) in first {
        let net = Net::default();
        let a = net.node();
        let mut inbox = everything(&a.comm);
        let mut events = a.comm.events();
        let client = raw::client(&net, change);
        let peer = net.connect(&client.node, &a.id).await.unwrap();
        let error = refusal(&mut events).await;
        assert_eq!(error, HandshakeError::WrongType { code });
        let ended = timeout(SOON, peer.ended()).await.expect("in time");
        let reason = ended.expect("an outcome").error.reason();
        assert_eq!(reason, Some(DisconnectReason::BREACH_OF_PROTOCOL));
        a.comm.stop().await;
        assert!(inbox.next().await.is_none(), "nothing is delivered");
    }
}
