//! Tests of handlers on the two ends of an in-memory pair.

use peermux::{Message, ProtocolConn, ProtocolLimits, SendError};

fn narrow() -> (ProtocolConn, ProtocolConn) {
    ProtocolConn::pair_with(ProtocolLimits::default().with_queue_messages(1))
}

#[tokio::test]
async fn messages_sent_before_the_end_are_received_before_it() {
    let (near, mut far) = ProtocolConn::<Message>::pair();
    for code in [8, 5] {
        near.send(&Message::new(code, vec![0xc0])).await.unwrap();
    }
    drop(near);
    for code in [8, 5] {
        let message = far.recv().await.unwrap().expect("sent before the end");
        assert_eq!((message.code, &message.payload[..]), (code, &[0xc0][..]));
    }
    assert!(far.recv().await.unwrap().is_none());
}

#[tokio::test]
async fn a_waiting_sender_is_notified_when_the_other_end_is_dropped() {
    for _ in 0..100 {
        let (near, far) = narrow();
        near.send(&Message::new(0, "fills the queue"))
            .await
            .unwrap();
        let waiting = tokio::spawn(async move { near.send(&Message::new(0, "waits")).await });
        tokio::task::yield_now().await;
        drop(far);
        assert_eq!(waiting.await.unwrap(), Err(SendError::ShuttingDown));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_senders_may_be_dropped_at_once() {
    let (near, mut far) = ProtocolConn::<Message>::pair();
    let senders: Vec<_> = (0..10).map(|_| near.sender()).collect();
    drop(near);
    let dropped: Vec<_> = senders
        .into_iter()
        .map(|sender| tokio::spawn(async move { drop(sender) }))
        .collect();
    for task in dropped {
        task.await.expect("does not panic");
    }
    assert!(far.recv().await.unwrap().is_none());
}
