//! Acknowledgements: who receives them, and how they are counted.

use peermux::Enode;
use peermux::comm::CommErrorKind;

use super::*;

/// Returns a task that acknowledges the next `count` messages that a node receives.
fn acknowledge_patiently(node: &Node, count: usize) -> tokio::task::JoinHandle<()> {
    let mut inbox = patient(&node.comm);
    tokio::spawn(async move {
        for _ in 0..count {
            let message = next(&mut inbox).await;
            message.ack(Ok(())).await.expect("acknowledged once");
        }
    })
}

#[tokio::test(start_paused = true)]
async fn two_nodes_send_each_other_a_thousand_messages_at_once_and_all_are_acknowledged() {
    let net = Net::default();
    let (a, b) = (net.node(), net.node());
    let (at_a, at_b) = (
        acknowledge_patiently(&a, 1000),
        acknowledge_patiently(&b, 1000),
    );
    let send = async |from: &Node, to: &Node| {
        let peers = [to.peer()];
        let calls = (0..1000).map(|n| {
            let (comm, peers) = (from.comm.clone(), peers.clone());
            async move {
                comm.send_with_ack(&numbered(n), policy(1, 20_000), &peers)
                    .await
            }
        });
        let results = futures::future::join_all(calls).await;
        results
            .into_iter()
            .map(|one| one.unwrap().ack_count())
            .sum::<usize>()
    };
    assert_eq!(tokio::join!(send(&a, &b), send(&b, &a)), (1000, 1000));
    at_a.await.unwrap();
    at_b.await.unwrap();
}

/// An acknowledgement reaches only the call that waits for it.
///
/// An acknowledgement that arrives after the call has ended is counted and dropped.
#[tokio::test(start_paused = true)]
async fn acknowledgements_reach_only_the_calls_that_wait_for_them() {
    let net = Net::default();
    let (a, b) = (net.node(), net.node());
    let (mut at_a, mut at_b) = (everything(&a.comm), everything(&b.comm));
    let mut events = a.comm.events();
    let late = a
        .comm
        .send_with_ack(&text("x"), policy(1, 50), &[b.peer()])
        .await
        .unwrap();
    assert_eq!(late.failures()["timed out"], 1);
    let message = next(&mut at_b).await;
    message.ack(Ok(())).await.expect("sent");
    let twice = message.ack(Ok(())).await;
    assert!(matches!(twice, Err(CommError::AlreadyAcknowledged)));
    b.comm.send(&text("after"), &[a.peer()]);
    assert_eq!(
        content(&next(&mut at_a).await),
        "after",
        "the connection stays open"
    );
    assert_eq!(a.comm.stats().unasked_acks, 1);
    let unasked = |event: &CommEvent| matches!(event, CommEvent::UnaskedAck { .. });
    assert!(told(&mut events).any(|event| unasked(&event)));

    let peers = [b.peer()];
    let hundred = (0..100).map(|n| {
        let (comm, peers) = (a.comm.clone(), peers.clone());
        async move {
            comm.send_with_ack(&numbered(n), policy(1, 1000), &peers)
                .await
        }
    });
    let answer = async {
        for _ in 0..100 {
            let message = next(&mut at_b).await;
            let odd = message.envelope().nonce % 2 == 1;
            message
                .ack(if odd { Err("odd") } else { Ok(()) })
                .await
                .unwrap();
        }
    };
    let (results, ()) = tokio::join!(futures::future::join_all(hundred), answer);
    for (n, result) in results.into_iter().enumerate() {
        assert_eq!(result.unwrap().ack_count(), (n + 1) % 2, "message {n}");
    }
}

#[tokio::test(start_paused = true)]
async fn answers_are_counted_by_their_result() {
    let net = Net::default();
    let (a, b, c) = (net.node(), net.node(), net.node());
    let (nay, silent) = (net.node(), net.node());
    acknowledge_all(&b);
    acknowledge_all(&c);
    let mut refused = everything(&nay.comm);
    tokio::spawn(async move {
        while let Some(message) = refused.next().await {
            message.ack(Err("no, thanks")).await.unwrap();
        }
    });
    let send = async |min, peers: &[RemotePeer]| {
        let started = Instant::now();
        let result = a
            .comm
            .send_with_ack(&text("x"), policy(min, 1000), peers)
            .await;
        (result.unwrap(), started.elapsed())
    };
    let brief = Duration::from_millis(100);
    let (both, took) = send(2, &[b.peer(), c.peer()]).await;
    assert_eq!((both.ack_count(), both.nack_count()), (2, 0));
    assert!(took < brief);
    let (two, took) = send(2, &[b.peer(), silent.peer(), c.peer()]).await;
    assert_eq!(two.ack_count(), 2);
    assert!(took < brief);

    let (mixed, took) = send(2, &[b.peer(), nay.peer(), silent.peer()]).await;
    assert_eq!(took.as_millis(), 1000);
    assert_eq!(
        (mixed.results.len(), mixed.ack_count(), mixed.nack_count()),
        (3, 1, 2)
    );
    let json: serde_json::Value = serde_json::from_str(&mixed.to_json()).unwrap();
    let expected = serde_json::json!({
        "successes": 1, "failures": {"no, thanks": 1, "timed out": 1}
    });
    assert_eq!(json, expected);
    let (none, _) = send(0, &[]).await;
    assert_eq!((none.results.len(), none.to_json()), (0, "{}".to_owned()));
    a.comm.stop().await;
    let (stopped, _) = send(1, &[b.peer(), c.peer()]).await;
    assert_eq!(stopped.failures()["comm is stopping"], 2);
}

/// The time limit of a call starts with the call, not with a later step.
#[tokio::test(start_paused = true)]
async fn one_deadline_covers_the_dial_the_queue_and_the_answer() {
    let net = Net::default();
    let limit = Duration::from_millis(60);
    // The first case: a connection that carries nothing.
    let a = net.node_with(
        Config::default().with_queue_messages(1),
        Secp256k1Identity::new(key()),
    );
    let b = net.node();
    let stuck = SubscriptionConfig::default()
        .with_messages(1)
        .with_overflow(Overflow::Wait(SOON));
    let _unread = b.comm.accept_with(stuck, |_| true);
    let large = Envelope::new(1, vec![1; 2 << 20]);
    for _ in 0..50 {
        drop(a.comm.send(&large, &[b.peer()]));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(a.comm.stats().overflowed > 0, "the queue is full");
    let timed = async |peer: RemotePeer| {
        let started = Instant::now();
        let result = a
            .comm
            .send_with_ack(&large, policy(1, 50), &[peer])
            .await
            .unwrap();
        assert_eq!(result.results[0].to_string(), "timed out");
        assert!(started.elapsed() <= limit, "{:?}", started.elapsed());
    };
    timed(b.peer()).await;
    // The second case: a node that takes long to dial.
    let c = net.node();
    net.set_latency(Duration::from_secs(4));
    timed(c.peer()).await;
    net.set_latency(Duration::ZERO);
    // The third case: a node that is connected but does not answer.
    let silent = net.node();
    timed(silent.peer()).await;
}

#[tokio::test(start_paused = true)]
async fn zero_acks_return_at_once_too_many_fail_and_a_repeated_peer_counts_once() {
    let net = Net::default();
    let (a, b, c) = (net.node(), net.node(), net.node());
    acknowledge_all(&b);
    let peers = [b.peer(), c.peer(), b.peer(), b.anybody()];
    let message = numbered(5);
    let started = Instant::now();
    let none = a
        .comm
        .send_with_ack(&message, policy(0, 1000), &peers)
        .await
        .unwrap();
    assert_eq!((none.results.len(), none.nack_count()), (2, 0));
    let too_many = a
        .comm
        .send_with_ack(&message, policy(3, 1000), &peers)
        .await;
    let expected = CommError::TooManyAcks { min: 3, peers: 2 };
    assert_eq!(too_many.unwrap_err().to_string(), expected.to_string());
    let one = a
        .comm
        .send_with_ack(&message, policy(1, 1000), &peers)
        .await
        .unwrap();
    assert_eq!(one.ack_count(), 1);
    assert!(started.elapsed() < Duration::from_millis(100));
    assert_eq!(message, numbered(5));
}

#[tokio::test(start_paused = true)]
async fn a_result_shows_whether_the_policy_is_met_and_the_kinds_of_failures() {
    let net = Net::default();
    let (a, b, silent) = (net.node(), net.node(), net.node());
    acknowledge_all(&b);
    let nobody = [key(), key()].map(|key| RemotePeer::at(Enode::incomplete(key.public_key())));
    let [gone, away] = nobody;
    let peers = [b.peer(), silent.peer(), gone.clone(), away];
    let send = async |min| {
        let (message, policy) = (text("x"), policy(min, 1000));
        let sent = a.comm.send_with_ack(&message, policy, &peers);
        sent.await.unwrap()
    };
    assert!(send(0).await.is_satisfied());
    assert!(send(1).await.is_satisfied());
    let result = send(2).await;
    assert!(!result.is_satisfied());
    assert_eq!((result.ack_count(), result.wanted), (1, 2));
    let kinds = result.failures_by_kind();
    let counts: Vec<_> = kinds.iter().map(|(kind, all)| (*kind, all.len())).collect();
    let expected = [(CommErrorKind::Dial, 2), (CommErrorKind::Deadline, 1)];
    assert_eq!(counts, expected);
    assert!(
        kinds[&CommErrorKind::Dial]
            .iter()
            .any(|one| one.peer == gone)
    );
    assert_eq!(CommErrorKind::Deadline.to_string(), "deadline");
    // The two failed dials have the same kind, but different texts.
    assert_eq!(result.failures().len(), 3);
}
