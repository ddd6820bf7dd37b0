use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Draft, Outgoing, Part, SendQueue};
use crate::channel::{Batch, Lane, LaneSettings, Next, NodeBudget, ProtocolLimits, WriteGate};
use crate::comm::{CommError, Config, Delivery};

fn message(n: u8) -> (Outgoing, oneshot::Receiver<Delivery>) {
    let (done, receipt) = oneshot::channel();
    let draft = Draft {
        code: 1,
        payload: Bytes::from(vec![n]),
        ack: None,
        done: Some(done),
    };
    (Outgoing::new(draft, None, Instant::now()), receipt)
}

#[tokio::test]
async fn what_finds_no_room_is_handed_over_later_in_order() {
    let limits = ProtocolLimits::default().with_queue_messages(2);
    let gate = WriteGate::new(
        vec![LaneSettings { limits, weight: 1 }],
        NodeBudget::default().open(),
    );
    let lane = Lane::new(&gate, 0, 16);
    let queue = SendQueue::new(&Config::default(), &Arc::default());
    let mut receipts = Vec::new();
    for n in 0..5 {
        let (message, receipt) = message(n);
        queue.try_push(Part::Messages, message).expect("room");
        receipts.push(receipt);
    }
    let _opening = queue.open(lane, Arc::default());
    assert_eq!(queue.len(), 3);
    let (mut batch, mut written) = (Batch::default(), Vec::new());
    while written.len() < 5 {
        assert_eq!(gate.next(&mut batch, usize::MAX).await, Next::Batch);
        batch.counted(usize::MAX, |lane, frames| gate.count_written(lane, frames));
        written.extend(batch.drain(usize::MAX).map(|(_, frame)| frame.payload));
    }
    assert_eq!(written.concat(), [0, 1, 2, 3, 4]);
    for receipt in receipts {
        assert!(receipt.await.expect("told").is_sent());
    }
}

#[tokio::test]
async fn a_dropped_queue_tells_its_senders() {
    let stats = Arc::default();
    let queue = SendQueue::new(&Config::default(), &stats);
    let (message, receipt) = message(0);
    queue.try_push(Part::Messages, message).expect("room");
    drop(queue);
    assert!(matches!(receipt.await, Ok(Delivery::Failed(_))));
    assert_eq!(stats.snapshot().failed_closed, 1);
}

/// A remote that takes the place of its own connection again and again, and reads nothing.
#[tokio::test]
async fn messages_of_a_replaced_connection_count_in_the_bound() {
    let config = Config::default().with_queue_messages(8);
    let new = || SendQueue::new(&config, &Arc::default());
    let fill = |queue: &Arc<SendQueue>| {
        let push = |n| queue.try_push(Part::Messages, message(n).0).is_ok();
        (0..100).filter(|n| push(*n)).count()
    };
    let mut queue = new();
    assert_eq!(fill(&queue), 8);
    for _ in 0..10 {
        let next = new();
        queue.move_to(&next);
        assert_eq!((next.len(), fill(&next)), (8, 0));
        queue = next;
    }
    // Two that were full become one; a third finds no room.
    let [second, third] = [new(), new()];
    let (last, receipt) = message(7);
    third.try_push(Part::Messages, last).expect("room");
    assert_eq!((fill(&second), fill(&third)), (8, 7));
    second.move_to(&queue);
    third.move_to(&queue);
    assert_eq!((queue.len(), fill(&queue)), (16, 0));
    let refused = receipt.await.expect("told");
    assert!(matches!(refused, Delivery::Failed(CommError::Full)));
}
