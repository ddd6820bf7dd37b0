use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use proptest::prelude::*;

use super::*;
use crate::channel::{Class, MemoryLimits, NodeBudget, ProtocolLimits, TrySendError};

/// The size limit of a batch.
const MOST: usize = 64 << 10;

fn settings(weight: u32) -> LaneSettings {
    LaneSettings {
        limits: ProtocolLimits::default(),
        class: Class::Normal,
        weight,
    }
}

fn payload(bytes: usize) -> Bytes {
    Bytes::from(vec![0; bytes])
}

fn raw(code: u64, payload: Bytes) -> impl Encode {
    move || Ok((code, payload.clone()))
}

async fn ids(gate: &WriteGate) -> Vec<u64> {
    let mut batch = Batch::default();
    assert_eq!(gate.next(&mut batch, MOST).await, Next::Batch);
    batch.messages().map(|(_, frame)| frame.id).collect()
}

#[tokio::test]
async fn control_frames_go_first_and_a_lane_keeps_its_order() {
    let gate = WriteGate::new(vec![settings(1)], NodeBudget::default().open());
    let lane = Lane::new(&gate, 0, 16);
    for code in [3, 1, 2] {
        lane.send(raw(code, payload(10))).await.expect("open");
    }
    gate.ping();
    gate.pong();
    gate.pong();
    assert_eq!(ids(&gate).await, [3, 3, 2, 19, 17, 18]);
}

#[tokio::test]
async fn pongs_that_become_due_together_are_written_batch_by_batch() {
    let gate = WriteGate::new(vec![settings(1)], NodeBudget::default().open());
    for _ in 0..100_000 {
        gate.pong();
    }
    let mut written = 0;
    while written < 100_000 {
        let batch = ids(&gate).await.len();
        assert!(batch <= MOST / 64 + 1, "{batch}");
        written += batch;
    }
    assert_eq!(written, 100_000);
}

#[tokio::test]
async fn a_small_message_waits_for_one_large_message_at_most() {
    let gate = WriteGate::new(vec![settings(1), settings(1)], NodeBudget::default().open());
    let (bulk, echo) = (Lane::new(&gate, 0, 16), Lane::new(&gate, 1, 32));
    for _ in 0..3 {
        bulk.send(raw(0, payload(1 << 20))).await.expect("open");
    }
    assert_eq!(ids(&gate).await, [16]);
    echo.send(raw(0, payload(32))).await.expect("open");
    assert_eq!(ids(&gate).await[0], 32);
}

#[tokio::test]
async fn a_full_lane_waits_and_continues_when_there_is_room() {
    let limits = ProtocolLimits::default().with_queue_messages(2);
    let gate = WriteGate::new(
        vec![LaneSettings {
            limits,
            class: Class::Normal,
            weight: 1,
        }],
        NodeBudget::default().open(),
    );
    let lane = Lane::new(&gate, 0, 16);
    lane.send(raw(0, payload(1))).await.expect("open");
    lane.send(raw(1, payload(1))).await.expect("open");
    assert_eq!(lane.try_send(2, payload(1)), Err(TrySendError::Full));
    let (sent, first) = tokio::join!(lane.send(raw(2, payload(1))), ids(&gate));
    assert_eq!((sent, first), (Ok(()), vec![16, 17]));
    assert_eq!(ids(&gate).await, [18]);
}

#[tokio::test]
async fn waiting_senders_are_released_at_the_end() {
    let limits = ProtocolLimits::default().with_queue_messages(1);
    let gate = WriteGate::new(
        vec![LaneSettings {
            limits,
            class: Class::Normal,
            weight: 1,
        }],
        NodeBudget::default().open(),
    );
    let lane = Lane::new(&gate, 0, 16);
    let flushed = lane.send_and_flush(raw(0, payload(1)));
    let waiting = lane.send(raw(1, payload(1)));
    let end = async {
        tokio::task::yield_now().await;
        gate.close()
    };
    let (flushed, waiting, dropped) = tokio::join!(flushed, waiting, end);
    assert_eq!(flushed, Err(SendError::ShuttingDown));
    assert_eq!(waiting, Err(SendError::ShuttingDown));
    assert_eq!(dropped, 1);
    assert_eq!(
        lane.send(raw(0, payload(1))).await,
        Err(SendError::ShuttingDown)
    );
    assert_eq!(gate.next(&mut Batch::default(), MOST).await, Next::Stop);
}

#[tokio::test]
async fn the_disconnect_is_last_and_draining_comes_before_it() {
    let gate = WriteGate::new(vec![settings(1)], NodeBudget::default().open());
    let lane = Lane::new(&gate, 0, 16);
    lane.send(raw(0, payload(1))).await.expect("open");
    gate.finish(true, Some(DisconnectReason::CLIENT_QUITTING));
    assert_eq!(
        lane.send(raw(1, payload(1))).await,
        Err(SendError::ShuttingDown)
    );
    assert_eq!(ids(&gate).await, [16]);
    let mut batch = Batch::default();
    let last = gate.next(&mut batch, MOST).await;
    assert_eq!(last, Next::Finish(Some(DisconnectReason::CLIENT_QUITTING)));
    assert_eq!(gate.next(&mut batch, MOST).await, Next::Stop);
    assert_eq!(gate.close(), 0);
}

#[tokio::test]
async fn finishing_without_draining_drops_and_counts() {
    let gate = WriteGate::new(vec![settings(1)], NodeBudget::default().open());
    let lane = Lane::new(&gate, 0, 16);
    for _ in 0..5 {
        lane.send(raw(0, payload(1))).await.expect("open");
    }
    gate.finish(false, None);
    assert!(gate.is_dropping());
    let next = gate.next(&mut Batch::default(), MOST).await;
    assert_eq!(next, Next::Finish(None));
    assert_eq!(gate.close(), 5);
}

#[tokio::test]
async fn messages_with_the_writer_count_as_unsent_until_they_are_written() {
    let gate = WriteGate::new(vec![settings(1)], NodeBudget::default().open());
    let lane = Lane::new(&gate, 0, 16);
    let mut batch = Batch::default();
    for _ in 0..2 {
        for _ in 0..5 {
            lane.send(raw(0, payload(1))).await.expect("open");
        }
        gate.ping();
        assert_eq!(gate.next(&mut batch, MOST).await, Next::Batch);
        // The Ping and two messages are written; three messages are not.
        assert_eq!(batch.drain(3).count(), 3);
    }
    assert_eq!(gate.close(), 3 + 5);
}

#[tokio::test(start_paused = true)]
async fn many_senders_of_one_lane_all_get_through() {
    let limits = ProtocolLimits::default().with_queue_messages(3);
    let gate = WriteGate::new(
        vec![LaneSettings {
            limits,
            class: Class::Normal,
            weight: 1,
        }],
        NodeBudget::default().open(),
    );
    let mut senders = tokio::task::JoinSet::new();
    for code in 0..100 {
        let lane = Lane::new(&gate, 0, 16);
        senders.spawn(async move { lane.send(raw(code, payload(1))).await });
    }
    let mut seen = 0;
    while seen < 100 {
        let next = tokio::time::timeout(Duration::from_secs(1), ids(&gate)).await;
        seen += next.expect("a sender was not woken").len();
    }
    while let Some(sent) = senders.join_next().await {
        assert_eq!(sent.expect("no panic"), Ok(()));
    }
}

/// The first sender is woken for room in the lane, but finds no memory.
#[test]
fn a_sender_that_gives_up_for_want_of_memory_leaves_the_lane_to_the_next() {
    let limits = ProtocolLimits::default().with_queue_messages(1);
    let one = LaneSettings {
        limits,
        class: Class::Normal,
        weight: 1,
    };
    let gate = WriteGate::new(vec![one, one], NodeBudget::default().open());
    let [lane, other] = [0, 1].map(|index| Lane::new(&gate, index, 16));
    let (large, most) = (payload(8 << 20), payload(16 << 20));
    other.try_send(0, most).expect("room");
    lane.try_send(0, payload(1)).expect("room");
    let mut first = Box::pin(lane.send(raw(1, payload(17 << 20))));
    let mut second = Box::pin(lane.send(raw(2, large)));
    assert!((&mut first).now_or_never().is_none() && (&mut second).now_or_never().is_none());
    // The small message of the first lane is written, and the large message of the other lane is in
    // flight.
    let mut batch = Batch::default();
    assert!(gate.next(&mut batch, usize::MAX).now_or_never().is_some());
    assert!((&mut first).now_or_never().is_none(), "no memory");
    drop(first);
    assert_eq!(second.now_or_never(), Some(Ok(())));
}

/// Charges change in steps. The budget does not report the room that a written message leaves
/// inside a step.
#[test]
fn a_sender_without_memory_goes_on_where_a_written_message_leaves_room_in_what_is_charged() {
    let limits = ProtocolLimits::default();
    let one = LaneSettings {
        limits,
        class: Class::Normal,
        weight: 1,
    };
    let limits = MemoryLimits::default().with_per_node(MemoryLimits::MIN);
    let node = NodeBudget::new(limits).expect("enough");
    let (gate, others) = (WriteGate::new(vec![one, one], node.open()), node.open());
    let [lane, other] = [0, 1].map(|index| Lane::new(&gate, index, 16));
    lane.try_send(0, payload(20 << 10)).expect("room");
    other.try_send(0, payload(40 << 10)).expect("room");
    let mut batch = Batch::default();
    assert!(gate.next(&mut batch, 1).now_or_never().is_some());
    others.set_sealing(MemoryLimits::MIN - node.used() + (32 << 10));
    let mut waiting = Box::pin(lane.send(raw(1, payload(10 << 10))));
    assert!((&mut waiting).now_or_never().is_none(), "no memory");
    // The first message was written.
    batch.clear();
    assert!(gate.next(&mut batch, 1).now_or_never().is_some());
    assert_eq!(waiting.now_or_never(), Some(Ok(())));
}

/// A payload that, when dropped, subtracts its size from the sum of live payloads.
struct Counted(Vec<u8>, &'static AtomicUsize);

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.1.fetch_sub(self.0.len(), Ordering::Relaxed);
    }
}

/// No budget counts the messages that wait in `send`.
#[test]
fn few_senders_keep_an_encoded_message_while_they_wait() {
    static LIVE: AtomicUsize = AtomicUsize::new(0);
    let size = 64 << 10;
    let encode = || {
        LIVE.fetch_add(size, Ordering::Relaxed);
        Ok((0, Bytes::from_owner(Counted(vec![0; size], &LIVE))))
    };
    let limits = ProtocolLimits::default().with_queue_messages(1);
    let lanes = [1, 2].map(|weight| LaneSettings {
        limits,
        ..settings(weight)
    });
    let gate = WriteGate::new(lanes.to_vec(), NodeBudget::default().open());
    let lanes = [0, 1].map(|index| Lane::new(&gate, index, 16));
    let mut sending: Vec<_> = (0..100)
        .map(|n| Box::pin(lanes[n % 2].send(encode)))
        .collect();
    sending.retain_mut(|one| one.now_or_never().is_none());
    assert_eq!(sending.len(), 98, "two lanes take one each");
    let live = LIVE.load(Ordering::Relaxed);
    assert_eq!(live, 2 * size + kept::MOST);
    // A message that may not be kept is encoded again. A message above the limit is kept if no
    // other message is kept.
    let mut batch = Batch::default();
    let mut written = 0;
    while gate.next(&mut batch, usize::MAX).now_or_never().is_some() {
        written += batch.of_protocols();
        sending.retain_mut(|one| one.now_or_never().is_none());
        assert!(LIVE.load(Ordering::Relaxed) <= 4 * size + kept::MOST);
    }
    assert_eq!((written, sending.len()), (100, 0));
    batch.clear();
    assert_eq!(LIVE.load(Ordering::Relaxed), 0);
    let all = gate.kept.keep(usize::MAX).expect("alone");
    assert!(gate.kept.keep(1).is_none());
    drop(all);
    assert!(gate.kept.keep(1).is_some());
}

fn of_class(class: Class) -> LaneSettings {
    LaneSettings {
        class,
        ..settings(1)
    }
}

#[tokio::test]
async fn a_more_urgent_message_is_in_the_next_batch() {
    let classes = [Class::Bulk, Class::Normal, Class::Urgent];
    let lanes = classes.map(of_class);
    let gate = WriteGate::new(lanes.to_vec(), NodeBudget::default().open());
    let [bulk, normal, urgent] = [0, 1, 2].map(|lane| Lane::new(&gate, lane, 100 * lane as u64));
    for code in 0..3 {
        bulk.send(raw(code, payload(60 << 10))).await.expect("open");
    }
    assert_eq!(ids(&gate).await, [0, 1]);
    normal.send(raw(0, payload(100))).await.expect("open");
    urgent.send(raw(0, payload(100))).await.expect("open");
    assert_eq!(ids(&gate).await, [200, 100, 2]);
}

proptest! {
    /// Each waiting class gets a twentieth of the bytes; the most urgent gets the rest.
    #[test]
    fn no_class_starves(sizes in prop::array::uniform3(1000usize..40_000)) {
        let lanes = Class::ALL.map(of_class);
        let mut schedule = Schedule::new(lanes.to_vec());
        for (index, size) in sizes.iter().enumerate() {
            for _ in 0..4_100_000 / size {
                let payload = payload(*size).into();
                schedule.push(index, QueuedMessage { id: index as u64, payload, flushed: None });
            }
        }
        let (mut sent, mut batch) = ([0usize; 3], Batch::default());
        while sent.iter().sum::<usize>() < 4_000_000 {
            batch.clear();
            schedule.take(&mut batch, MOST);
            for (_, frame) in batch.messages() {
                sent[frame.id as usize] += frame.payload.len() + 64;
            }
        }
        for passed_over in &sent[1..] {
            let twentieth = 4_000_000.0 / 20.0;
            let off = (*passed_over as f64 - twentieth).abs();
            prop_assert!(off < 40_064.0 + 64.0 * 1024.0, "{sent:?}");
        }
    }

    /// Busy lanes share the bytes by weight, to within one round and one message.
    #[test]
    fn lanes_share_by_weight(
        lanes in prop::collection::vec((1u32..5, 1usize..40_000), 2..5),
    ) {
        let mut schedule = Schedule::new(lanes.iter().map(|lane| settings(lane.0)).collect());
        for (index, (_, size)) in lanes.iter().enumerate() {
            for _ in 0..2_000_000 / size {
                let frame = QueuedMessage { id: index as u64, payload: payload(*size).into(), flushed: None };
                schedule.push(index, frame);
            }
        }
        let mut sent = vec![0usize; lanes.len()];
        let mut batch = Batch::default();
        while sent.iter().sum::<usize>() < 400_000 {
            batch.clear();
            schedule.take(&mut batch, MOST);
            for (_, frame) in batch.messages() {
                sent[frame.id as usize] += frame.payload.len() + 64;
            }
        }
        let shares: Vec<f64> =
            sent.iter().zip(&lanes).map(|(sent, lane)| *sent as f64 / f64::from(lane.0)).collect();
        let (least, most) = shares.iter().fold((f64::MAX, 0f64), |(least, most), &share| {
            (least.min(share), most.max(share))
        });
        prop_assert!(most - least < 16_384.0 * 2.0 + 40_064.0 * 2.0, "{shares:?}");
    }
}

mod source {
    use std::collections::VecDeque;

    use super::*;

    #[derive(Default)]
    struct Told {
        room: AtomicUsize,
        written: AtomicUsize,
    }

    impl LaneSource for Told {
        fn room(&self) {
            self.room.fetch_add(1, Ordering::Relaxed);
        }

        fn written(&self, frames: usize) {
            self.written.fetch_add(frames, Ordering::Relaxed);
        }
    }

    #[tokio::test]
    async fn it_is_notified_of_room_and_of_its_own_frames() {
        let limits = ProtocolLimits::default().with_queue_messages(2);
        let gate = WriteGate::new(
            vec![LaneSettings {
                limits,
                class: Class::Normal,
                weight: 1,
            }],
            NodeBudget::default().open(),
        );
        let lane = Lane::new(&gate, 0, 16);
        let told = Arc::new(Told::default());
        lane.set_source(told.clone());
        let fill =
            |queue: &mut VecDeque<u64>| lane.fill(queue, |_| (1, false), |code| (code, payload(1)));
        lane.send(raw(0, payload(1))).await.expect("open");
        let mut queue = VecDeque::from([1, 2, 3]);
        assert_eq!(fill(&mut queue), Err(NotQueued::Full));
        assert_eq!(queue, [2, 3]);

        let mut batch = Batch::default();
        assert_eq!(gate.next(&mut batch, MOST).await, Next::Batch);
        assert_eq!(told.room.load(Ordering::Relaxed), 1);
        batch.counted(usize::MAX, |lane, frames| gate.count_written(lane, frames));
        assert_eq!(told.written.load(Ordering::Relaxed), 1);

        assert_eq!(fill(&mut queue), Ok(()));
        gate.close();
        queue.push_back(4);
        assert_eq!(
            fill(&mut queue),
            Err(NotQueued::Refused(SendError::ShuttingDown))
        );
        assert_eq!(queue, [4]);
    }
}
