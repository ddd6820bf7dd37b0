//! Requests while the function of a peer waits for something other than a message.

use std::future::{Future, pending};
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt, TryStreamExt};
use peermux::requests::{RequestConfig, RequestConn, RequestError};
use peermux::{DisconnectReason, PeerError, ProtocolError, ProtocolLimits};
use tokio::sync::{Mutex, Notify, mpsc};

use super::*;

/// Returns a protocol whose function receives a Status, and then sends a request to the same peer.
/// Also returns the results.
fn asks_inside(requests: &Requests<Kv>) -> (Protocol, mpsc::Receiver<Result<Value, RequestError>>) {
    let (results, received) = mpsc::channel(16);
    let asking = requests.clone();
    let protocol = with_limits(
        requests,
        ProtocolLimits::default(),
        move |peer, mut conn| {
            let (results, asking) = (results.clone(), asking.clone());
            async move {
                conn.send(&STATUS).await?;
                while let Some(message) = conn.recv().await? {
                    assert_eq!(*message, STATUS);
                    let result = asking.request(&peer.id(), get("cat")).await;
                    results.send(result).await.map_err(ProtocolError::other)?;
                }
                Ok(())
            }
        },
    );
    (protocol, received)
}

/// Defines a protocol whose function is given its channel and nothing else.
fn function<Fut>(
    requests: &Requests<Kv>,
    run: impl Fn(RequestConn<Kv>) -> Fut + Send + Sync + 'static,
) -> Protocol
where
    Fut: Future<Output = Result<(), ProtocolError>> + Send + 'static,
{
    let limits = ProtocolLimits::default().with_queue_messages(4);
    with_limits(requests, limits, move |_, conn| run(conn))
}

#[tokio::test(start_paused = true)]
async fn two_functions_ask_each_other_at_once() {
    let (ours, theirs) = (echoes().build(), echoes().build());
    let ((near, mut ours), (far, mut theirs)) = (asks_inside(&ours), asks_inside(&theirs));
    let _pair = Pair::of_protocols(near, far).await;
    for results in [&mut ours, &mut theirs] {
        let value = results.recv().await.expect("asks").expect("is answered");
        assert_eq!(value, Value(Some("cat".into())));
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_of_a_function_fails_when_its_connection_ends() {
    let ours = Requests::new();
    let (near, mut results) = asks_inside(&ours);
    let far = function(&silent(), |conn| async move {
        conn.send(&STATUS).await?;
        pending().await
    });
    let pair = Pair::of_protocols(near, far).await;
    until_open(&ours, pair.id(), 1).await;
    pair.peer.disconnect(DisconnectReason::REQUESTED);
    let error = results.recv().await.expect("asks").unwrap_err();
    assert!(matches!(error, RequestError::Gone { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn messages_that_arrive_while_a_function_is_busy_are_received_in_order() {
    let (go, busy) = (Arc::new(Notify::new()), Requests::new());
    let (told, mut received) = mpsc::channel(16);
    let gate = Arc::clone(&go);
    let near = function(&busy, move |mut conn| {
        let (gate, told) = (Arc::clone(&gate), told.clone());
        async move {
            gate.notified().await;
            while let Some(message) = conn.recv().await? {
                let Kv::Status { genesis } = *message else {
                    unreachable!("only these are not answered")
                };
                told.send(genesis).await.map_err(ProtocolError::other)?;
            }
            Ok(())
        }
    });
    let theirs = Requests::new();
    let far = function(&theirs, |mut conn| async move {
        for genesis in 0..10 {
            conn.send(&Kv::Status { genesis }).await?;
        }
        conn.recv().await.map(|_| ())
    });
    let _pair = Pair::of_protocols(near, far).await;
    tokio::time::sleep(SECOND).await;
    go.notify_one();
    for genesis in 0..10 {
        assert_eq!(received.recv().await, Some(genesis));
    }
}

#[tokio::test(start_paused = true)]
async fn unread_messages_fill_the_queue_so_that_a_stuck_function_is_noticed() {
    let ours = Requests::new();
    let near = function(&ours, |conn| async move {
        pending::<()>().await;
        drop(conn);
        Ok(())
    });
    let theirs = Requests::new();
    let far = function(&theirs, |conn| async move {
        loop {
            conn.send(&STATUS).await?;
        }
    });
    let pair = Pair::of_protocols(near, far).await;
    let outcome = pair.peer.ended().await.unwrap();
    assert!(
        matches!(outcome.error, PeerError::Stalled { .. }),
        "{outcome:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_error_ends_a_function_that_waits_for_something_else() {
    // The remote sends a request that this node does not answer.
    let breach = |requests: &Requests<Kv>| {
        function(requests, |mut conn| async move {
            conn.send(&Kv::Get(7, get("cat"))).await?;
            conn.recv().await.map(|_| ())
        })
    };
    let ours = Requests::new();
    let near = function(&ours, |conn| async move {
        let _conn = conn;
        pending().await
    });
    let pair = Pair::of_protocols(near, breach(&Requests::new())).await;
    let outcome = pair.peer.ended().await.unwrap();
    assert!(
        matches!(outcome.error, PeerError::Protocol { .. }),
        "{outcome:?}"
    );
    // A function that receives in another task gets the error there.
    let (told, mut received) = mpsc::channel(1);
    let near = function(&Requests::new(), move |mut conn| {
        let told = told.clone();
        async move {
            tokio::spawn(async move {
                let error = conn.recv().await.expect_err("a breach");
                told.send(error.to_string()).await
            });
            pending().await
        }
    });
    let _pair = Pair::of_protocols(near, breach(&Requests::new())).await;
    let error = received.recv().await.expect("an error");
    assert!(error.contains("does not answer such requests"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_channel_in_another_task_leaves_requests_to_the_function() {
    let ours = echoes().build();
    let (results, mut received) = mpsc::channel(1);
    let asking = ours.clone();
    let near = with_limits(&ours, ProtocolLimits::default(), move |peer, mut conn| {
        let (results, asking) = (results.clone(), asking.clone());
        async move {
            let task = tokio::spawn(async move {
                while let Some(message) = conn.recv().await? {
                    assert_eq!(*message, STATUS);
                    let result = asking
                        .request_with(
                            &peer.id(),
                            get("cat"),
                            &RequestConfig::default().with_timeout(SECOND),
                        )
                        .await;
                    results.send(result).await.map_err(ProtocolError::other)?;
                }
                Ok(())
            });
            task.await.map_err(ProtocolError::other)?
        }
    });
    let theirs = echoes().build();
    let far = function(&theirs, |mut conn| async move {
        // The other side already awaits this message in its own task.
        tokio::time::sleep(SECOND).await;
        conn.send(&STATUS).await?;
        conn.recv().await.map(|_| ())
    });
    let _pair = Pair::of_protocols(near, far).await;
    let value = received.recv().await.expect("asks").expect("is answered");
    assert_eq!(value, Value(Some("cat".into())));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_polled_no_more_does_not_hold_up_responses() {
    let ours = echoes().build();
    let (results, mut received) = mpsc::channel(1);
    let asking = ours.clone();
    let near = with_limits(&ours, ProtocolLimits::default(), move |peer, mut conn| {
        let (results, asking) = (results.clone(), asking.clone());
        async move {
            tokio::select! {
                // The stream is polled first, so that it waits when the time is over.
                biased;
                message = conn.next() => unreachable!("{message:?}"),
                () = tokio::time::sleep(SECOND) => {}
            }
            let result = asking.request(&peer.id(), get("cat")).await;
            results.send(result).await.map_err(ProtocolError::other)?;
            // The message arrived before the response, and is received after it.
            let message = conn.next().await.transpose()?;
            assert_eq!(message.as_deref(), Some(&STATUS));
            Ok(())
        }
    });
    let (tell, told) = mpsc::channel(1);
    let told = Arc::new(Mutex::new(told));
    let theirs = Requests::builder()
        .answer(move |_, get: Get| {
            let tell = tell.clone();
            async move {
                tell.send(()).await.map_err(ProtocolError::other)?;
                tokio::time::sleep(SECOND).await;
                Ok(Value(Some(get.key)))
            }
        })
        .build();
    let far = function(&theirs, move |conn| {
        let told = Arc::clone(&told);
        async move {
            told.lock().await.recv().await;
            conn.send(&STATUS).await?;
            pending().await
        }
    });
    let pair = Pair::of_protocols(near, far).await;
    let value = received.recv().await.expect("asks").expect("is answered");
    assert_eq!(value, Value(Some("cat".into())));
    let outcome = pair.peer.ended().await.unwrap();
    assert!(
        matches!(outcome.error, PeerError::ProtocolReturned(_)),
        "{outcome:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_channel_polled_among_others_receives_everything() {
    let (told, mut received) = mpsc::channel(100);
    let near = function(&Requests::new(), move |conn| {
        let told = told.clone();
        async move {
            // A set polls only those of its futures that were woken.
            let mut tasks: FuturesUnordered<BoxFuture<'_, Result<(), ProtocolError>>> =
                FuturesUnordered::new();
            tasks.push(
                conn.try_for_each(|message| {
                    let told = told.clone();
                    async move {
                        let sent = told.send(message.into_inner()).await;
                        sent.map_err(ProtocolError::other)
                    }
                })
                .boxed(),
            );
            for number in 1..5 {
                tasks.push(
                    async move {
                        tokio::time::sleep(number * SECOND).await;
                        Ok(())
                    }
                    .boxed(),
                );
            }
            while tasks.try_next().await?.is_some() {}
            Ok(())
        }
    });
    let far = function(&Requests::new(), |conn| async move {
        for genesis in 0..100 {
            conn.send(&Kv::Status { genesis }).await?;
            tokio::time::sleep(SECOND / 20).await;
        }
        pending().await
    });
    let _pair = Pair::of_protocols(near, far).await;
    for genesis in 0..100 {
        assert_eq!(received.recv().await, Some(Kv::Status { genesis }));
    }
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_outlives_its_function_sees_the_end() {
    let (ended, mut ends) = mpsc::channel(1);
    let near = function(&Requests::new(), move |mut conn| {
        let ended = ended.clone();
        async move {
            tokio::spawn(async move {
                let end = conn.recv().await.map(|message| message.is_none());
                ended.send(end.expect("no error")).await
            });
            tokio::time::sleep(SECOND).await;
            Ok(())
        }
    });
    let far = function(&Requests::new(), |mut conn| async move {
        conn.recv().await.map(|_| ())
    });
    let _pair = Pair::of_protocols(near, far).await;
    assert_eq!(ends.recv().await, Some(true));
}
