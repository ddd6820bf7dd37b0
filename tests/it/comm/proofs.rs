//! Proofs of identity and their consequences.

use std::future::pending;

use peermux::comm::{CommErrorKind, IdentityError, IdentityLimits, IdentityProvider};
use peermux::{Direction, DisconnectReason, Message, Protocol};

use super::raw::{Proof, impostor, mute};
use super::*;

type Change = fn(&mut Proof);

#[tokio::test(start_paused = true)]
async fn a_stopped_layer_proves_nothing() {
    // Repeat this, because code that chose at random would pass half of the time.
    for _ in 0..20 {
        let net = Net::default();
        let node = net.node();
        assert!(node.comm.stop().await);
        let client = raw::client(&net, |_| {});
        let peer = net.connect(&client.node, &node.id).await.expect("it lives");
        peer.ended().await;
        assert_eq!(*client.heard.borrow(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn only_a_whole_and_true_proof_is_accepted() {
    type Expected = fn(&EstablishError) -> bool;
    let matrix: [(Change, Expected); 7] = [
        (
            |proof| proof.signature[0] ^= 1,
            |error| *error == EstablishError::BadSignature,
        ),
        (
            |proof| proof.id[0] ^= 1,
            |error| matches!(error, EstablishError::IdMismatch { .. }),
        ),
        (
            |proof| proof.rebind([9; 32]),
            |error| *error == EstablishError::BindingMismatch,
        ),
        (
            |proof| proof.id.clear(),
            |error| *error == EstablishError::MissingId,
        ),
        (
            |proof| proof.code = 1,
            |error| matches!(error, EstablishError::Malformed(_)),
        ),
        (
            |proof| proof.code = 2,
            |error| matches!(error, EstablishError::Malformed(_)),
        ),
        (
            |proof| proof.delay = Duration::from_secs(5),
            |error| matches!(error, EstablishError::TimedOut { .. }),
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

/// The message is well-formed, but it does not contain a proof of identity.
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
        assert_eq!(error, EstablishError::WrongType { code });
        let ended = timeout(SOON, peer.ended()).await.expect("in time");
        let reason = ended.expect("an outcome").error.reason();
        assert_eq!(reason, Some(DisconnectReason::BREACH_OF_PROTOCOL));
        a.comm.stop().await;
        assert!(inbox.next().await.is_none(), "nothing is delivered");
    }
}

/// The node notices the end of the stream at once, not only at the deadline.
#[tokio::test(start_paused = true)]
async fn a_handshake_fails_when_the_remote_leaves_or_the_time_is_up() {
    let net = Net::default();
    let a = net.node();
    let leaving = impostor(&net, |_, _| async { Ok(()) });
    let started = Instant::now();
    let error = a.comm.handshake(&leaving).await.expect_err("it leaves");
    assert!(started.elapsed() < Duration::from_millis(100), "{error}");
    let silent = mute(&net);
    let started = Instant::now();
    let error = a.comm.handshake(&silent).await.expect_err("silent");
    assert_eq!(started.elapsed().as_millis() / 100, 20, "{error}");
    let timed_out = matches!(
        &error,
        CommError::Handshake {
            source: EstablishError::TimedOut { .. },
            ..
        }
    );
    assert!(timed_out, "{error}");
}

/// A proof names its connection and its author's role. So it is invalid on any other connection,
/// and in the other role.
#[tokio::test(start_paused = true)]
async fn a_relayed_or_reflected_proof_is_refused() {
    let net = Net::default();
    let (a, b) = (net.node(), net.node());
    let mut events = a.comm.events();
    let mirror = impostor(&net, |_, mut conn| async move {
        let proof = conn.recv().await?.expect("a proof").into_inner();
        conn.send(&proof).await?;
        pending().await
    });
    a.comm.send(&text("x"), &[mirror]).remove(0).await;
    assert_eq!(refusal(&mut events).await, EstablishError::BadSignature);

    // A man in the middle has `b` prove its identity, and relays the proof to `a`.
    let (stolen, proofs) = tokio::sync::watch::channel(None);
    let spy_key = key();
    let spy = Protocol::builder("comm", 1, 4).run(move |_, mut conn| {
        let stolen = stolen.clone();
        async move {
            let proof = conn.recv().await?.expect("a proof").into_inner();
            stolen.send_replace(Some(proof));
            pending().await
        }
    });
    let spy_node = spy_key.public_key().node_id();
    net.join(spy_key, vec![spy]);
    net.connect(&spy_node, &b.id).await.unwrap();
    let relay = impostor(&net, move |_, conn| {
        let mut proofs = proofs.clone();
        async move {
            let proof: Message = proofs
                .wait_for(Option::is_some)
                .await
                .expect("one comes")
                .clone()
                .expect("there");
            conn.send(&proof).await?;
            pending().await
        }
    });
    a.comm
        .send(&text("x"), &[relay.with_id(b.comm.id())])
        .remove(0)
        .await;
    assert_eq!(refusal(&mut events).await, EstablishError::BindingMismatch);
    assert_eq!(a.comm.connection_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn only_proven_identities_are_remembered() {
    let net = Net::default();
    let (a, b) = (net.node(), net.node());
    let known = |node: &Node| node.comm.identities().len();
    let mut events = a.comm.events();
    let thief = impostor(&net, |_, mut conn| async move {
        // The thief sends the node's own proof back to the node.
        let mut proof = conn.recv().await?.expect("a proof").into_inner();
        let changed = [&proof.payload[..4], &[0; 8], &proof.payload[12..]].concat();
        proof.payload = changed.into();
        conn.send(&proof).await?;
        pending().await
    });
    a.comm.send(&text("x"), &[thief]).remove(0).await;
    refusal(&mut events).await;
    assert_eq!(known(&a), 1, "its own");
    a.comm.send(&text("x"), &[b.peer()]).remove(0).await;
    assert_eq!(known(&a), 2);
}

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
    assert_eq!(switched.next().await, Some(Ok(known.comm.id())));

    // Two identities without organisations never belong to one organisation.
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
    let verified = b.comm.verify(author, received.envelope()).await;
    assert_eq!(verified, Ok(a.comm.id()));
    let forged = message.with_nonce(78);
    assert!(b.comm.verify(author, &forged).await.is_err());
}

/// A learned identity is treated like an identity that a connection has proven.
#[tokio::test(start_paused = true)]
async fn an_identity_learned_elsewhere_is_validated_bounded_and_used() {
    let net = Net::default();
    let limits = IdentityLimits::default().with_max(3);
    let a = net.node_with(Config::default().with_identities(limits), org("red"));
    let (b, old) = (net.node_with(Config::default(), org("red")), org("red"));
    let (identity, id) = (old.identity(), old.id_of(&old.identity()).unwrap());
    let receipt = a.comm.send(&text("x"), &[b.under(id)]).remove(0).await;
    let error = receipt.error().map(CommError::kind);
    assert_eq!(error, Some(CommErrorKind::IdMismatch));
    let record = a.comm.learn_identity(&identity).await.expect("valid");
    assert_eq!((record.id, &record.identity), (id, &identity));
    assert!(a.comm.identities().contains(&record));
    let again = a.comm.learn_identity(&identity).await;
    assert_eq!(again, Ok(record.clone()));

    // Now the identity of `b` may replace the learned one, since both belong to one organisation.
    let mut switched = a.comm.identity_switch();
    let receipt = a.comm.send(&text("x"), &[b.under(id)]).remove(0);
    assert!(receipt.await.is_sent());
    assert_eq!(switched.next().await, Some(Ok(id)));

    for wrong in [&b""[..], b"?", &[1; 17 << 10]] {
        let refused = a.comm.learn_identity(wrong).await;
        assert!(matches!(refused, Err(IdentityError::Malformed(_))));
    }
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let before = a.comm.identities();
        let other = org("red").identity();
        a.comm.learn_identity(&other).await.expect("valid");
        let after = a.comm.identities();
        assert!(after.len() <= 3);
        // Evicted identities are reported.
        for gone in before.iter().filter(|one| !after.contains(one)) {
            assert_eq!(switched.next().await, Some(Ok(gone.id)));
        }
    }
    assert!(a.comm.identities().iter().any(|one| one.id == a.comm.id()));
}
