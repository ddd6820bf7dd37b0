//! The demultiplexer: predicates, closing, and waiting for room.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use peermux::comm::{Demux, Overflow, PeerId, SubscriptionConfig};

use super::*;

fn waiting() -> SubscriptionConfig {
    SubscriptionConfig::default()
        .with_messages(10)
        .with_overflow(Overflow::Wait(SOON))
}

#[tokio::test(start_paused = true)]
async fn even_and_odd_numbers_are_separated_and_stay_readable_after_the_close() {
    let demux = Demux::new();
    let even = demux.subscribe(waiting(), |n: &i64| n % 2 == 0);
    let odd = demux.subscribe(waiting(), |n: &i64| n % 2 == 1);
    for n in 0..20 {
        assert_eq!(demux.publish(&n, 8).await, 1);
    }
    assert_eq!(demux.publish(&-1, 8).await, 0, "no subscription accepts it");
    demux.close();
    demux.close();
    let even: Vec<_> = even.collect().await;
    let odd: Vec<_> = odd.collect().await;
    assert_eq!((even.len(), odd.len()), (10, 10));
    assert!(even.iter().all(|n| n % 2 == 0) && odd.iter().all(|n| n % 2 == 1));
}

#[tokio::test(start_paused = true)]
async fn after_the_close_no_predicate_is_called_and_subscriptions_have_ended() {
    let demux = Demux::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let _before = demux.subscribe(waiting(), move |_: &u32| {
        count.fetch_add(1, Ordering::Relaxed);
        true
    });
    demux.close();
    assert_eq!(demux.publish(&1, 4).await, 0);
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    let mut after = demux.subscribe(waiting(), |_| true);
    assert_eq!(after.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_predicate_that_panics_ends_its_own_subscription() {
    let demux = Demux::new();
    let fragile = demux.subscribe(waiting(), |n: &u32| {
        assert_ne!(*n, 1);
        true
    });
    let all = demux.subscribe(waiting(), |_| true);
    let mut taken = Vec::new();
    for n in 0..3 {
        taken.push(demux.publish(&n, 4).await);
    }
    assert_eq!(taken, [2, 1, 1]);
    assert_eq!(fragile.collect::<Vec<_>>().await, [0]);
    demux.close();
    assert_eq!(all.collect::<Vec<_>>().await, [0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_close_releases_the_callers_that_wait_for_room() {
    let demux = Arc::new(Demux::new());
    let full = demux.subscribe(waiting(), |_: &u32| true);
    let publisher = tokio::spawn({
        let demux = Arc::clone(&demux);
        async move {
            for n in 0..11 {
                demux.publish(&n, 4).await;
            }
        }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!publisher.is_finished());
    demux.close();
    timeout(Duration::from_secs(1), publisher)
        .await
        .expect("released")
        .unwrap();
    assert_eq!(full.collect::<Vec<_>>().await.len(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_message_is_queued_when_there_is_room_and_a_large_one_alone() {
    let demux = Arc::new(Demux::new());
    let config = waiting().with_bytes(100);
    let mut stream = demux.subscribe(config, |_: &u32| true);
    demux.publish(&0, 1000).await;
    let publisher = tokio::spawn({
        let demux = Arc::clone(&demux);
        async move { demux.publish(&1, 60).await + demux.publish(&2, 60).await }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!publisher.is_finished());
    for n in 0..3 {
        assert_eq!(stream.next().await, Some(n));
    }
    assert_eq!(publisher.await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_order_of_subscribing_publishing_and_closing_ends() {
    for round in 0..50 {
        let demux = Arc::new(Demux::new());
        let tasks = (0..3).map(|kind| {
            let demux = Arc::clone(&demux);
            tokio::spawn(async move {
                for n in 0..100u32 {
                    match kind {
                        0 => drop(demux.subscribe(waiting(), move |m| *m == n)),
                        1 => drop(demux.publish(&n, 4).await),
                        _ if n == round => demux.close(),
                        _ => tokio::task::yield_now().await,
                    }
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            timeout(SOON, task).await.expect("it ends").unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_subscription_can_drop_its_oldest_messages() {
    let demux = Demux::new();
    let few = SubscriptionConfig::default().with_messages(4);
    let latest = demux.subscribe(few.with_overflow(Overflow::DropOldest), |_: &u32| true);
    let first = demux.subscribe(few, |_| true);
    let (flood, honest) = (PeerId::from_bytes([1; 32]), PeerId::from_bytes([2; 32]));
    for n in 0..10 {
        demux.publish_from(flood, &n, 4).await;
    }
    assert_eq!(latest.dropped(), 6);
    // The sender with the most waiting messages loses its oldest message; other senders lose
    // nothing.
    assert_eq!(demux.publish_from(honest, &100, 4).await, 2);
    for n in 10..12 {
        assert!(demux.publish_from(flood, &n, 4).await > 0);
    }
    assert_eq!(latest.dropped(), 9);
    demux.close();
    assert_eq!(latest.collect::<Vec<_>>().await, [9, 100, 10, 11]);
    assert_eq!(first.collect::<Vec<_>>().await, [0, 100, 1, 2]);
}
