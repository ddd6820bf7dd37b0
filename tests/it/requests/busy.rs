//! What a function that waits for something other than a message can rely on.

use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use peermux::requests::RequestConn;
use peermux::{DisconnectReason, Peer, ProtocolError, ProtocolLimits};
use tokio::sync::{Notify, mpsc};
use tokio::time::{sleep, timeout};

use super::*;

const STATUS: Kv = Kv::Status { genesis: 1 };

fn with_limits<Fut>(
    requests: &Requests<Kv>,
    limits: ProtocolLimits,
    run: impl Fn(Peer, RequestConn<Kv>) -> Fut + Send + Sync + 'static,
) -> Protocol
where
    Fut: Future<Output = Result<(), ProtocolError>> + Send + 'static,
{
    let definition = Protocol::typed("kv", 1).limits(limits);
    requests.protocol_with(definition, move |peer, before| run(peer, before.ready()))
}

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
                let message = conn.recv().await?.map(|message| message.into_inner());
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
