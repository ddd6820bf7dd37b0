//! Bounds, turns, and which items are dropped to make room.

use futures::FutureExt;

use super::*;

fn queue(items: usize) -> (Arc<Queue<u32>>, Reader<u32>) {
    let queue = Queue::new(Bound { items, weight: 10 });
    (Arc::clone(&queue), Reader(queue))
}

#[tokio::test]
async fn room_is_bounded_by_items_and_by_weight() {
    let (queue, mut reader) = queue(2);
    assert_eq!(
        queue.push_from((), 1, 20),
        Ok(()),
        "any weight if it is empty"
    );
    assert_eq!(queue.push_from((), 2, 1), Err(Full::NoRoom(2)));
    assert_eq!(reader.recv().await, Some(1));
    assert_eq!(
        (queue.push_from((), 2, 1), queue.push_from((), 3, 9)),
        (Ok(()), Ok(()))
    );
    assert!(queue.is_full());
    queue.push_over_bound(4);
    let mut room = Box::pin(queue.room(0));
    for expected in 2..4 {
        assert!(room.as_mut().now_or_never().is_none());
        assert_eq!(reader.recv().await, Some(expected));
    }
    room.await;
    assert!(!queue.is_full());
}

#[tokio::test]
async fn sources_take_turns_and_the_largest_makes_room() {
    let queue = Queue::new(Bound {
        items: 6,
        weight: 60,
    });
    let mut reader = Reader(Arc::clone(&queue));
    for n in 0..6 {
        assert_eq!(queue.push_fairly('f', n, 1), Ok(0));
    }
    assert_eq!(queue.push_fairly('f', 9, 1), Err(Full::NoRoom(9)));
    let honest = [('a', 10), ('b', 20), ('a', 11), ('b', 21)];
    for (source, n) in honest {
        assert_eq!(queue.push_fairly(source, n, 1), Ok(1));
    }
    assert_eq!(queue.push_fairly('b', 22, 1), Err(Full::NoRoom(22)));
    assert_eq!(queue.push_fairly('c', 30, 60), Err(Full::NoRoom(30)));
    assert_eq!(queue.dropped(), 4);
    for expected in [0, 10, 20, 1, 11, 21] {
        assert_eq!(reader.recv().await, Some(expected));
    }
    assert_eq!(queue.push_fairly('f', 7, 60), Ok(0));
    assert_eq!(
        queue.push_fairly('a', 12, 1),
        Ok(1),
        "one large message too"
    );
    assert_eq!(reader.recv().await, Some(12));
}

#[tokio::test]
async fn the_oldest_items_of_the_largest_source_make_room() {
    let queue = Queue::new(Bound {
        items: 4,
        weight: 40,
    });
    let mut reader = Reader(Arc::clone(&queue));
    for n in 0..6 {
        let dropped = queue.push_over_oldest('f', n, 1);
        assert_eq!(dropped, Ok(usize::from(n >= 4)));
    }
    // Items 2 to 5 wait. A new source makes the flood lose its oldest item.
    assert_eq!(queue.push_over_oldest('a', 10, 1), Ok(1));
    assert_eq!(queue.push_over_oldest('a', 11, 1), Ok(1));
    // Now both have two items, so the source that sends another item loses its own oldest.
    assert_eq!(queue.push_over_oldest('a', 12, 1), Ok(1));
    assert_eq!(queue.push_over_oldest('f', 6, 1), Ok(1));
    // An item that outweighs all others is rejected itself.
    assert_eq!(queue.push_over_oldest('b', 20, 40), Err(Full::NoRoom(20)));
    assert_eq!(queue.dropped(), 6);
    for expected in [5, 11, 6, 12] {
        assert_eq!(reader.recv().await, Some(expected));
    }
    assert_eq!(
        queue.push_over_oldest('b', 20, 400),
        Ok(0),
        "any weight alone"
    );
    assert_eq!(queue.push_over_oldest('b', 21, 1), Ok(1));
    assert_eq!(reader.recv().await, Some(21));
    for (n, source) in ('a'..='d').enumerate() {
        assert_eq!(queue.push_over_oldest(source, n as u32, 1), Ok(0));
    }
    assert_eq!(queue.push_over_oldest('e', 4, 1), Ok(1), "among equals too");
}

#[tokio::test]
async fn a_refused_item_costs_the_others_nothing() {
    for loses in [Loses::Newest, Loses::Oldest] {
        let queue = Queue::new(Bound {
            items: 9,
            weight: 60,
        });
        let mut reader = Reader(Arc::clone(&queue));
        for n in 0..5 {
            assert_eq!(queue.push_from('f', n, 10), Ok(()));
        }
        assert_eq!(queue.push_from('a', 10, 10), Ok(()));
        // The flood may lose two items for this one, which is not enough.
        let refused = queue.push_over('c', 20, 35, loses);
        assert_eq!(refused, Err(Full::NoRoom(20)), "{loses:?}");
        assert_eq!(queue.dropped(), 0, "{loses:?}");
        for expected in [0, 10, 1, 2, 3, 4] {
            assert_eq!(reader.recv().await, Some(expected), "{loses:?}");
        }
    }
}

/// An item that records whether the queue is locked when it is dropped.
struct Dropped(std::sync::Weak<Queue<Dropped, char>>, Arc<AtomicBool>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let locked = self
            .0
            .upgrade()
            .is_some_and(|queue| queue.state.is_locked());
        self.1.fetch_or(locked, Ordering::Relaxed);
    }
}

#[test]
fn no_item_is_dropped_under_the_lock() {
    let queue = Queue::new(Bound {
        items: 9,
        weight: 60,
    });
    let locked = Arc::new(AtomicBool::new(false));
    let item = || Dropped(Arc::downgrade(&queue), Arc::clone(&locked));
    for _ in 0..6 {
        assert!(queue.push_fairly('f', item(), 10).is_ok());
    }
    assert!(queue.push_fairly('a', item(), 10).is_ok());
    assert!(matches!(queue.push_fairly('c', item(), 20), Ok(2)));
    assert!(!locked.load(Ordering::Relaxed));
}

#[tokio::test]
async fn it_ends_when_either_end_is_dropped() {
    let (queue, mut reader) = self::queue(1);
    queue.push_over_bound(1);
    queue.close();
    queue.push_over_bound(2);
    assert_eq!(queue.push_from((), 2, 0), Err(Full::Closed));
    assert_eq!(reader.recv().await, Some(1));
    assert_eq!(reader.recv().await, None);

    let (queue, reader) = self::queue(1);
    queue.push_over_bound(1);
    let mut ends = Box::pin(async { tokio::join!(queue.closed(), queue.room(0)) });
    assert!(ends.as_mut().now_or_never().is_none());
    drop(reader);
    ends.await;
    assert!(queue.is_closed());
}
