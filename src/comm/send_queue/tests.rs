use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Draft, Outgoing, Part, SendQueue};
use crate::channel::{
    Batch, Class, Lane, LaneSettings, MemoryLimits, Next, NodeBudget, Payload, ProtocolLimits,
    WriteGate,
};
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

fn large() -> (Outgoing, oneshot::Receiver<Delivery>) {
    let (mut message, receipt) = message(0);
    message.draft.payload = Bytes::from(vec![0; LARGE]);
    (message, receipt)
}

const LARGE: usize = 100 << 10;
/// The charge of a large message.
const COST: usize = LARGE + 64;
/// The bytes that each peer holds without a charge.
const FREE: usize = 32 << 10;

/// A gate whose lane takes two messages.
fn gate(node: &NodeBudget) -> Arc<WriteGate> {
    let limits = ProtocolLimits::default().with_queue_messages(2);
    let lane = LaneSettings {
        limits,
        class: Class::Normal,
        weight: 1,
    };
    WriteGate::new(vec![lane], node.open())
}

fn small() -> NodeBudget {
    let limits = MemoryLimits::default().with_per_node(MemoryLimits::MIN);
    NodeBudget::new(limits).expect("enough")
}

#[tokio::test]
async fn messages_without_room_are_handed_over_later_in_order() {
    let gate = gate(&NodeBudget::default());
    let lane = Lane::new(&gate, 0, 16);
    let queue = SendQueue::new(&Config::default(), &Arc::default(), &NodeBudget::default());
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
        let frames = batch.drain(usize::MAX).map(|(_, frame)| frame.payload);
        written.extend(frames.map(|payload| match payload {
            Payload::Own(payload) => payload,
            Payload::Shared(_) => panic!("comm shares nothing"),
        }));
    }
    assert_eq!(written.concat(), [0, 1, 2, 3, 4]);
    for receipt in receipts {
        assert!(receipt.await.expect("an outcome").is_sent());
    }
}

#[tokio::test]
async fn a_dropped_queue_notifies_its_senders() {
    let stats = Arc::default();
    let queue = SendQueue::new(&Config::default(), &stats, &NodeBudget::default());
    let (message, receipt) = message(0);
    queue.try_push(Part::Messages, message).expect("room");
    drop(queue);
    assert!(matches!(receipt.await, Ok(Delivery::Failed(_))));
    assert_eq!(stats.snapshot().failed_closed, 1);
}

/// A remote that repeatedly replaces its own connection, and reads nothing.
#[tokio::test]
async fn messages_of_a_replaced_connection_count_towards_the_bound() {
    let config = Config::default().with_queue_messages(8);
    let new = || SendQueue::new(&config, &Arc::default(), &NodeBudget::default());
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
    // Two full queues become one; the messages of a third find no room.
    let [second, third] = [new(), new()];
    let (last, receipt) = message(7);
    third.try_push(Part::Messages, last).expect("room");
    assert_eq!((fill(&second), fill(&third)), (8, 7));
    second.move_to(&queue);
    third.move_to(&queue);
    assert_eq!((queue.len(), fill(&queue)), (16, 0));
    let refused = receipt.await.expect("an outcome");
    assert!(matches!(refused, Delivery::Failed(CommError::Full)));
}

#[test]
fn a_message_is_counted_once_from_the_queue_until_it_is_written() {
    let node = NodeBudget::default();
    let queue = SendQueue::new(&Config::default(), &Arc::default(), &node);
    let push = |part| queue.try_push(part, large().0).expect("room");
    for _ in 0..5 {
        push(Part::Messages);
    }
    push(Part::Replies);
    assert_eq!(node.used(), 6 * COST, "nobody is connected yet");
    let gate = gate(&node);
    let opening = queue.open(Lane::new(&gate, 0, 16), Arc::default());
    assert_eq!((queue.len(), gate.budget().held()), (4, 6 * COST));
    assert_eq!(node.used(), 6 * COST - FREE);
    push(Part::Messages);
    assert_eq!((queue.len(), gate.budget().held()), (5, 7 * COST));
    let (mut batch, mut written) = (Batch::default(), 0);
    while gate.next(&mut batch, 1).now_or_never().is_some() {
        written += batch.of_protocols();
        let (left, held) = ((8 - written) * COST, gate.budget().held());
        // The charge of a lane grows and shrinks in steps, and the first step is free.
        let within = left - (16 << 10)..left + (32 << 10);
        assert!(within.contains(&held), "{left} {held}");
    }
    assert_eq!((written, gate.budget().held(), node.used()), (7, 0, 0));
    // A message that goes straight into the lane is charged by the lane.
    push(Part::Messages);
    assert_eq!((queue.len(), gate.budget().held()), (0, 96 << 10));
    for _ in 0..3 {
        push(Part::Messages);
    }
    drop(opening);
    assert_eq!((queue.len(), gate.budget().held()), (2, 192 << 10));
    assert_eq!(node.used(), (192 << 10) - FREE + 2 * COST);
    queue.fail(&CommError::Full);
    gate.close();
    assert_eq!((gate.budget().held(), node.used()), (0, 0));
}

#[test]
fn a_message_without_memory_is_dropped_and_the_largest_holder_is_evicted() {
    let node = small();
    let (one, other) = (gate(&node), gate(&node));
    one.budget().charge_to_send(MemoryLimits::MIN + FREE);
    let queue = SendQueue::new(&Config::default(), &Arc::default(), &node);
    let room = queue.messages.available_permits();
    for (part, connected) in [(Part::Messages, false), (Part::Replies, true)] {
        let _opening = connected.then(|| queue.open(Lane::new(&other, 0, 16), Arc::default()));
        assert!(!queue.has_room(part, LARGE));
        assert!(queue.try_push(part, large().0).is_err());
        assert!(one.budget().evicted().now_or_never().is_some());
        assert!(other.budget().evicted().now_or_never().is_none());
        // Messages that fit into the peer's free allowance find room.
        assert_eq!(queue.has_room(part, 1), connected);
        assert_eq!(queue.try_push(part, message(0).0).is_ok(), connected);
    }
    assert_eq!(queue.messages.available_permits(), room);
    assert_eq!(node.used(), MemoryLimits::MIN);
    one.budget().release_to_send(MemoryLimits::MIN, 0);
    assert!(queue.has_room(Part::Messages, LARGE));
    queue.try_push(Part::Messages, large().0).expect("room");
}

#[test]
fn a_call_that_waits_for_memory_is_woken_by_every_source_of_memory() {
    let node = small();
    let (full, peer) = (gate(&node), gate(&node));
    let fill = || full.budget().charge_to_send(MemoryLimits::MIN + FREE);
    let release = || full.budget().release_to_send(MemoryLimits::MIN + FREE, 0);
    let queue = SendQueue::new(&Config::default(), &Arc::default(), &node);
    let reserve = |size| Box::pin(queue.reserve(Part::Replies, size));
    let mut waiting = reserve(LARGE);
    fill();
    assert!((&mut waiting).now_or_never().is_none());
    release();
    let room = (&mut waiting).now_or_never().flatten().expect("room");
    assert_eq!(node.used(), COST);
    queue.push(Part::Replies, large().0, room);
    assert_eq!((node.used(), queue.len()), (COST, 1));
    drop(reserve(LARGE).now_or_never().flatten().expect("room"));
    assert_eq!(node.used(), COST);
    fill();
    // Without a connection there is no free allowance, so this call waits until its queue fails.
    // The connection of the next queue adds an allowance.
    let mut waiting = reserve(1);
    assert!((&mut waiting).now_or_never().is_none());
    queue.fail(&CommError::Full);
    assert!(
        (&mut waiting)
            .now_or_never()
            .is_some_and(|room| room.is_none())
    );
    let queue = SendQueue::new(&Config::default(), &Arc::default(), &node);
    let mut waiting = Box::pin(queue.reserve(Part::Messages, 1));
    assert!((&mut waiting).now_or_never().is_none());
    let opening = queue.open(Lane::new(&peer, 0, 16), Arc::default());
    let room = (&mut waiting).now_or_never().flatten().expect("room");
    // When the peer has written, its free allowance is available again.
    peer.budget().charge_to_send(FREE);
    let mut waiting = Box::pin(queue.reserve(Part::Messages, 1));
    assert!((&mut waiting).now_or_never().is_none());
    peer.budget().release_to_send(FREE, 0);
    assert!((&mut waiting).now_or_never().flatten().is_some());
    drop((room, opening));
    release();
    assert_eq!((peer.budget().held(), node.used()), (0, 0));
}

#[test]
fn messages_that_move_to_another_queue_count_there() {
    let (node, config) = (NodeBudget::default(), Config::default());
    let new = || SendQueue::new(&config, &Arc::default(), &node);
    let (old, next) = (new(), new());
    let gate = gate(&node);
    let opening = old.open(Lane::new(&gate, 0, 16), Arc::default());
    let room = old.reserve(Part::Messages, LARGE).now_or_never().flatten();
    for _ in 0..5 {
        old.try_push(Part::Messages, large().0).expect("room");
    }
    old.move_to(&next);
    old.push(Part::Messages, large().0, room.expect("room"));
    let in_lane = gate.budget().held();
    assert_eq!((next.len(), node.used()), (4, in_lane - FREE + 4 * COST));
    drop((opening, old));
    gate.close();
    assert_eq!((gate.budget().held(), node.used()), (0, 4 * COST));
    drop(next);
    assert_eq!(node.used(), 0);
}
