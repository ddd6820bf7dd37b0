//! What a function that waits for something other than a message can rely on.

use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use peermux::requests::{RequestConfig, RequestError};
use peermux::{
    DisconnectReason, PeerError, ProtocolConn, ProtocolError, ProtocolLimits, Quota, WhenFull,
};
use tokio::sync::{Notify, mpsc};
use tokio::time::{sleep, timeout};

use super::*;

/// Sends the numbers below `count`, and then waits.
fn sends(requests: &Requests<Kv>, count: u64) -> Protocol {
    with_limits(
        requests,
        ProtocolLimits::default(),
        move |_, conn| async move {
            for genesis in 0..count {
                conn.send(&Kv::Status { genesis }).await?;
            }
            pending().await
        },
    )
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_another_task_makes_ready_receives() {
    let (told, mut received) = mpsc::channel(1);
    let ours = echoes().build();
    let near = ours.protocol_with(Protocol::typed("kv", 1), move |_, mut before| {
        let told = told.clone();
        async move {
            let task = tokio::spawn(async move {
                // The function waits for this task by now.
                before.conn().recv().await?;
                let mut conn = before.ready();
                while let Some(message) = conn.recv().await? {
                    let sent = told.send(message.into_inner()).await;
                    sent.map_err(ProtocolError::other)?;
                }
                Ok(())
            });
            task.await.map_err(ProtocolError::other)?
        }
    });
    let theirs = Requests::new();
    let far = with_limits(&theirs, ProtocolLimits::default(), |_, conn| async move {
        conn.send(&STATUS).await?;
        sleep(SECOND).await;
        conn.send(&STATUS).await?;
        pending().await
    });
    let pair = Pair::of_protocols(near, far).await;
    let message = timeout(5 * SECOND, received.recv()).await;
    assert_eq!(message.ok().flatten(), Some(STATUS));
    let answer = theirs.request(&pair.ours.id(), get("cat")).await;
    assert_eq!(answer.expect("is answered"), Value(Some("cat".into())));
}

#[tokio::test(start_paused = true)]
async fn a_slow_function_that_takes_and_drops_messages_is_not_stalled() {
    let limits = ProtocolLimits::default().with_queue_messages(4);
    let near = with_limits(&Requests::new(), limits, |_, mut conn| async move {
        loop {
            // Both times are below the limit of 8 s.
            sleep(5 * SECOND).await;
            let message = conn.recv().await?;
            sleep(5 * SECOND).await;
            drop(message);
        }
    });
    let pair = Pair::of_protocols(near, sends(&Requests::new(), 100)).await;
    let outcome = timeout(60 * SECOND, pair.peer.ended()).await;
    assert!(outcome.is_err(), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn unread_messages_do_not_starve_other_tasks() {
    let (told, mut received) = mpsc::channel(1);
    let limits = ProtocolLimits::default().with_queue_messages(1000);
    let near = with_limits(&Requests::new(), limits, move |_, mut conn| {
        let told = told.clone();
        async move {
            sleep(SECOND).await;
            let mut polls = 0;
            {
                let mut all = pin!(async {
                    for _ in 0..1000 {
                        conn.recv().await?;
                    }
                    Ok::<(), ProtocolError>(())
                });
                poll_fn(|cx| {
                    polls += 1;
                    all.as_mut().poll(cx)
                })
                .await?;
            }
            told.send(polls).await.map_err(ProtocolError::other)
        }
    });
    let _pair = Pair::of_protocols(near, sends(&Requests::new(), 1000)).await;
    let polls = received.recv().await.expect("receives all");
    assert!(polls > 1, "1000 messages without a pause");
}

#[tokio::test(start_paused = true)]
async fn a_function_that_always_has_something_to_do_does_not_starve_requests() {
    const MOST: usize = 20_000;
    let done = Arc::new(AtomicBool::new(false));
    let turns = Arc::new(AtomicUsize::new(0));
    let (stop, count) = (Arc::clone(&done), Arc::clone(&turns));
    let ours = echoes().build();
    let near = with_limits(&ours, ProtocolLimits::default(), move |_, conn| {
        let (stop, count) = (Arc::clone(&stop), Arc::clone(&count));
        async move {
            // Like a function that forwards items from a channel which is never empty.
            let (items, mut all) = mpsc::channel(1);
            while !stop.load(Ordering::Relaxed) && count.fetch_add(1, Ordering::Relaxed) < MOST {
                items.try_send(()).map_err(ProtocolError::other)?;
                all.recv().await;
            }
            drop(conn);
            Ok(())
        }
    });
    let theirs = Requests::new();
    let pair = Pair::of_protocols(near, kv(&theirs)).await;
    let answer = theirs.request(&pair.ours.id(), get("cat")).await;
    done.store(true, Ordering::Relaxed);
    let turns = turns.load(Ordering::Relaxed);
    assert!(answer.is_ok(), "{answer:?} after {turns} items");
}

#[tokio::test(start_paused = true)]
async fn messages_without_a_pause_do_not_starve_a_busy_function() {
    let (told, mut received) = mpsc::channel(1);
    let near = with_limits(
        &Requests::new(),
        ProtocolLimits::default(),
        move |_, conn| {
            let told = told.clone();
            async move {
                for _ in 0..20_000 {
                    tokio::task::consume_budget().await;
                }
                drop(conn);
                told.send(()).await.map_err(ProtocolError::other)
            }
        },
    );
    let far = Protocol::typed::<Kv>("kv", 1).run(|_, conn: ProtocolConn<Kv>| async move {
        loop {
            conn.send(&Kv::Value(7, Value(None))).await?;
        }
    });
    let _pair = Pair::of_protocols(near, far).await;
    for _ in 0..100_000 {
        if received.try_recv().is_ok() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("the function has not ended");
}

#[tokio::test(start_paused = true)]
async fn no_unread_message_is_received_after_a_local_disconnect() {
    let (told, mut received) = mpsc::channel(16);
    let go = Arc::new(Notify::new());
    let gate = Arc::clone(&go);
    let near = with_limits(
        &Requests::new(),
        ProtocolLimits::default(),
        move |_, mut conn| {
            let (told, gate) = (told.clone(), Arc::clone(&gate));
            async move {
                gate.notified().await;
                let message = conn.recv().await?.map(peermux::Received::into_inner);
                told.send(message).await.map_err(ProtocolError::other)
            }
        },
    );
    let pair = Pair::of_protocols(near, sends(&Requests::new(), 3)).await;
    sleep(SECOND).await;
    pair.peer.disconnect(DisconnectReason::REQUESTED);
    sleep(SECOND / 10).await;
    go.notify_one();
    assert_eq!(received.recv().await, Some(None));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_connection_reaches_a_function_while_requests_are_held_back() {
    let config = RequestConfig::default().with_answering(1).with_waiting(0);
    let ours = Requests::builder()
        .config(config)
        .answer(|_, _: Get| pending())
        .build();
    let (told, mut received) = mpsc::channel(1);
    let near = with_limits(&ours, ProtocolLimits::default(), move |_, mut conn| {
        let told = told.clone();
        async move {
            let end = conn.recv().await?;
            told.send(end.is_none()).await.map_err(ProtocolError::other)
        }
    });
    let theirs = Requests::new();
    let pair = Pair::of_protocols(near, kv(&theirs)).await;
    let id = pair.ours.id();
    let (first, second) = (theirs.clone(), theirs.clone());
    tokio::spawn(async move { first.request(&id, get("a")).await });
    tokio::spawn(async move { second.request(&id, get("b")).await });
    sleep(SECOND).await;
    pair.peer.disconnect(DisconnectReason::REQUESTED);
    let told = timeout(SECOND, received.recv()).await;
    assert_eq!(told.ok().flatten(), Some(true));
}

/// The function and its channel run on different threads.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_channel_in_another_task_loses_nothing() {
    const COUNT: u64 = 20_000;
    let ours = echoes().build();
    let (told, mut received) = mpsc::channel(1);
    let asking = ours.clone();
    let limits = ProtocolLimits::default().with_queue_messages(7);
    let near = with_limits(&ours, limits, move |peer, mut conn| {
        let (told, asking) = (told.clone(), asking.clone());
        async move {
            let task = tokio::spawn(async move {
                for genesis in 0..COUNT {
                    let message = conn.recv().await?.expect("a message").into_inner();
                    assert_eq!(message, Kv::Status { genesis });
                    if genesis % 64 == 0 {
                        tokio::task::yield_now().await;
                    }
                }
                told.send(()).await.map_err(ProtocolError::other)?;
                Ok::<(), ProtocolError>(())
            });
            for _ in 0..500 {
                let answer = asking.request(&peer.id(), get("cat")).await;
                answer.map_err(ProtocolError::other)?;
            }
            task.await.map_err(ProtocolError::other)?
        }
    });
    let pair = Pair::of_protocols(near, sends(&echoes().build(), COUNT)).await;
    let done = timeout(30 * SECOND, received.recv()).await;
    assert_eq!(done.ok().flatten(), Some(()), "{:?}", pair.peer.outcome());
}

#[tokio::test(start_paused = true)]
async fn responses_wait_for_the_quota_while_a_function_is_busy() {
    let (told, mut received) = mpsc::channel(1);
    let ours = Requests::new();
    let asking = ours.clone();
    let limits = ProtocolLimits::default().with_receive_quota(Quota::messages(2));
    let near = with_limits(&ours, limits, move |peer, mut conn| {
        let (told, asking) = (told.clone(), asking.clone());
        async move {
            for _ in 0..10 {
                let answer = asking.request(&peer.id(), get("cat")).await;
                answer.map_err(ProtocolError::other)?;
            }
            for genesis in 0..10 {
                let message = conn.recv().await?.expect("a message").into_inner();
                assert_eq!(message, Kv::Status { genesis });
            }
            told.send(()).await.map_err(ProtocolError::other)
        }
    });
    let pair = Pair::of_protocols(near, sends(&echoes().build(), 10)).await;
    let done = timeout(30 * SECOND, received.recv()).await;
    assert_eq!(done.ok().flatten(), Some(()), "{:?}", pair.peer.outcome());
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_an_answer_ends_a_busy_function_and_a_channel_elsewhere() {
    let (told, mut received) = mpsc::channel(1);
    let ours = Requests::builder()
        .answer(|_, get: Get| async move {
            sleep(SECOND).await;
            panic!("as asked: {}", get.key)
        })
        .build();
    let near = with_limits(&ours, ProtocolLimits::default(), move |_, mut conn| {
        let told = told.clone();
        async move {
            tokio::spawn(async move {
                let end = conn.recv().await;
                told.send(end.map(|end| end.is_none()).ok()).await.ok();
            });
            pending().await
        }
    });
    let theirs = Requests::new();
    let pair = Pair::of_protocols(near, kv(&theirs)).await;
    let failed = theirs.request(&pair.ours.id(), get("cat")).await;
    assert!(
        matches!(failed, Err(RequestError::Gone { .. })),
        "{failed:?}"
    );
    let outcome = pair.peer.ended().await.unwrap();
    assert!(
        matches!(outcome.error, PeerError::Protocol { .. }),
        "{outcome:?}"
    );
    assert_eq!(received.recv().await, Some(Some(true)));
}

#[tokio::test(start_paused = true)]
async fn an_answer_continues_when_the_waker_changes() {
    let ours = Requests::builder()
        .answer(|_, get: Get| async move {
            sleep(3 * SECOND).await;
            Ok(Value(Some(get.key)))
        })
        .build();
    let near = with_limits(&ours, ProtocolLimits::default(), |_, mut conn| async move {
        // The request arrives in the first wait, and is answered in another.
        timeout(2 * SECOND, conn.recv()).await.unwrap_err();
        let mut set = futures::stream::FuturesUnordered::new();
        set.push(async {
            timeout(SECOND / 2, conn.recv()).await.unwrap_err();
        });
        futures::StreamExt::next(&mut set).await;
        drop(set);
        pending::<()>().await;
        drop(conn);
        Ok(())
    });
    let theirs = Requests::new();
    let pair = Pair::of_protocols(near, kv(&theirs)).await;
    let answer = theirs.request(&pair.ours.id(), get("cat")).await;
    assert_eq!(answer.expect("is answered"), Value(Some("cat".into())));
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_drops_messages_keeps_the_first_for_a_busy_function() {
    let (told, mut received) = mpsc::channel(16);
    let limits = ProtocolLimits::default()
        .with_queue_messages(4)
        .with_when_full(WhenFull::DropNewest);
    let near = with_limits(&Requests::new(), limits, move |_, mut conn| {
        let told = told.clone();
        async move {
            sleep(SECOND).await;
            while let Some(message) = conn.recv().await? {
                let sent = told.send(message.into_inner()).await;
                sent.map_err(ProtocolError::other)?;
            }
            Ok(())
        }
    });
    let _pair = Pair::of_protocols(near, sends(&Requests::new(), 100)).await;
    for genesis in 0..4 {
        assert_eq!(received.recv().await, Some(Kv::Status { genesis }));
    }
    sleep(SECOND).await;
    assert!(received.try_recv().is_err());
}
