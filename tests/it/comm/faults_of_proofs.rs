//! Faults that layers of this kind are known for, one test each: it asserts the very thing that
//! goes wrong there. Here: establishing, and what breaks the form.

use std::future::pending;

use peermux::{Message, Protocol};

use super::raw::{impostor, mute};
use super::*;

/// While an identity was waited for, the end of the stream used to go unnoticed until the time was
/// over.
#[tokio::test(start_paused = true)]
async fn w15_a_handshake_fails_as_soon_as_it_cannot_succeed() {
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
            source: HandshakeError::TimedOut { .. },
            ..
        }
    );
    assert!(timed_out, "{error}");
}

/// Identities used to be stored before they were proven.
#[tokio::test(start_paused = true)]
async fn w16_only_proven_identities_are_remembered() {
    let net = Net::default();
    let (a, b) = (net.node(), net.node());
    let known = |node: &Node| node.comm.identities().len();
    let mut events = a.comm.events();
    let thief = impostor(&net, |_, mut conn| async move {
        // Its own proof comes back to the node that made it.
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

/// A proof of identity used to say nothing about the connection, so that it could be used again
/// on another one.
#[tokio::test(start_paused = true)]
async fn w17_a_relayed_or_reflected_proof_is_refused() {
    let net = Net::default();
    let (a, b) = (net.node(), net.node());
    let mut events = a.comm.events();
    let mirror = impostor(&net, |_, mut conn| async move {
        let proof = conn.recv().await?.expect("a proof").into_inner();
        conn.send(&proof).await?;
        pending().await
    });
    a.comm.send(&text("x"), &[mirror]).remove(0).await;
    assert_eq!(refusal(&mut events).await, HandshakeError::BadSignature);

    // A man in the middle has b prove itself to him, and passes that on to a.
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
    assert_eq!(refusal(&mut events).await, HandshakeError::BindingMismatch);
    assert_eq!(a.comm.conn_count(), 0);
}

/// A message that could not be parsed used to close the connection without a word, and the limit
/// on a message's size was 100 MiB.
#[tokio::test(start_paused = true)]
async fn w21_a_malformed_or_oversized_message_ends_the_connection_with_a_reason() {
    let net = Net::default();
    let limited = Config::default().with_max_message(1000);
    let a = net.node_with(limited, Secp256k1Identity::new(key()));
    let b = net.node();
    let mut events = a.comm.events();
    let sent = a
        .comm
        .send(&Envelope::new(1, vec![0; 1000]), &[b.peer()])
        .remove(0)
        .await;
    assert!(matches!(
        sent,
        Delivery::Dropped(CommError::TooLarge { limit: 1000, .. })
    ));
    b.comm
        .send(&Envelope::new(1, vec![0; 1000]), &[a.peer()])
        .remove(0)
        .await;
    let reason = closing(&mut events).await;
    assert_eq!(reason, CloseReason::TransportEnded);
    a.until_connected(0).await;
}

async fn closing(events: &mut Receiver<CommEvent>) -> CloseReason {
    loop {
        let event = timeout(SOON, events.recv()).await.expect("in time");
        if let CommEvent::Closed { reason, .. } = event.expect("the feed goes on") {
            return reason;
        }
    }
}
