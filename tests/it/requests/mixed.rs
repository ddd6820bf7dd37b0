//! Requests, responses and other messages in both directions, for functions of many kinds.

use std::sync::{Arc, OnceLock};

use futures::StreamExt;
use futures::future::join_all;
use peermux::requests::{RequestConfig, RequestConn};
use peermux::{ProtocolError, ProtocolLimits};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::*;

const SEEDS: u64 = 100;
/// The number of requests and of other messages that each side sends.
const EACH: u64 = 30;

/// What a function does with a message.
#[derive(Debug, Clone, Copy)]
enum Habit {
    Receives,
    Sleeps,
    /// Requests something of the same peer.
    Asks,
    /// Waits for a task that requests something of the same peer.
    Delegates,
    /// Receives in another task, which requests something of the same peer.
    Moves,
    /// Receives from a stream, and gives up and tries again.
    Selects,
}

const HABITS: [Habit; 6] = [
    Habit::Receives,
    Habit::Sleeps,
    Habit::Asks,
    Habit::Delegates,
    Habit::Moves,
    Habit::Selects,
];

/// One side: its requests, and the other messages that its function receives.
struct Side {
    requests: Requests<Kv>,
    received: mpsc::Receiver<u64>,
}

async fn step(
    habit: Habit,
    requests: &Requests<Kv>,
    peer: &Peer,
    time: Duration,
) -> Result<(), ProtocolError> {
    let put = || Put {
        key: "a".into(),
        value: "b".into(),
    };
    match habit {
        Habit::Receives | Habit::Selects => {}
        Habit::Sleeps => sleep(time).await,
        Habit::Asks | Habit::Moves => {
            let asked = requests.request(&peer.id(), put()).await;
            asked.map_err(ProtocolError::other)?;
        }
        Habit::Delegates => {
            let (requests, id, put) = (requests.clone(), peer.id(), put());
            let asked = tokio::spawn(async move { requests.request(&id, put).await });
            let asked = asked.await.map_err(ProtocolError::other)?;
            asked.map_err(ProtocolError::other)?;
        }
    }
    Ok(())
}

async fn receive(
    habit: Habit,
    requests: Requests<Kv>,
    peer: Peer,
    mut conn: RequestConn<Kv>,
    heard: mpsc::Sender<u64>,
    time: Duration,
) -> Result<(), ProtocolError> {
    loop {
        let message = if matches!(habit, Habit::Selects) {
            tokio::select! {
                biased;
                message = conn.next() => message.transpose()?,
                () = sleep(time) => {
                    step(Habit::Asks, &requests, &peer, time).await?;
                    continue;
                }
            }
        } else {
            conn.recv().await?
        };
        let Some(message) = message else {
            return Ok(());
        };
        let Kv::Status { genesis } = *message else {
            unreachable!("{message:?}")
        };
        heard.send(genesis).await.map_err(ProtocolError::other)?;
        step(habit, &requests, &peer, time).await?;
    }
}

/// Returns one side, whose answers may ask back. If those of both sides did, each side could use up
/// all its slots for requests that wait for the other.
fn side(
    habit: Habit,
    config: RequestConfig,
    asks_back: bool,
    rng: &mut StdRng,
) -> (Side, Protocol) {
    let (heard, received) = mpsc::channel(1000);
    let pause = rng.random_range(0..3);
    let itself = Arc::new(OnceLock::<Requests<Kv>>::new());
    let back = Arc::clone(&itself);
    let requests = Requests::builder()
        .config(config)
        .answer(move |peer, get: Get| {
            let requests = back.get().expect("set before").clone();
            async move {
                sleep(pause * SECOND / 4).await;
                if asks_back {
                    step(Habit::Asks, &requests, &peer, SECOND).await?;
                }
                Ok(Value(Some(get.key)))
            }
        })
        .answer(|_, _: Put| async move { Ok(Stored) })
        .build();
    itself.get_or_init(|| requests.clone());
    // The queue holds all messages and requests, since reading pauses when it is full.
    let limits = ProtocolLimits::default().with_queue_messages(1000);
    let definition = Protocol::typed("kv", 1).limits(limits);
    let (asking, time) = (requests.clone(), SECOND / rng.random_range(1..10));
    let protocol = requests.protocol_with(definition, move |peer, before| {
        let (requests, heard) = (asking.clone(), heard.clone());
        let conn = before.ready();
        async move {
            let received = receive(habit, requests, peer, conn, heard, time);
            match habit {
                Habit::Moves => tokio::spawn(received).await.map_err(ProtocolError::other)?,
                _ => received.await,
            }
        }
    });
    (Side { requests, received }, protocol)
}

/// Sends everything, and checks that everything is answered and received in order.
async fn exchange(side: &mut Side, peer: &Peer) {
    let sender = peer.sender::<Kv>().expect("the protocol runs");
    let sending = async {
        for genesis in 0..EACH {
            sender.send(&Kv::Status { genesis }).await.expect("sent");
        }
    };
    let (requests, id) = (&side.requests, peer.id());
    let asking = join_all((0..EACH).map(|number| async move {
        let key = number.to_string();
        let value = requests.request(&id, get(&key)).await;
        assert_eq!(value.expect("is answered"), Value(Some(key)));
    }));
    let receiving = async {
        for genesis in 0..EACH {
            assert_eq!(side.received.recv().await, Some(genesis));
        }
    };
    tokio::join!(sending, asking, receiving);
}

#[tokio::test(start_paused = true)]
async fn everything_is_answered_and_received_in_order() {
    for seed in 0..SEEDS {
        let mut rng = StdRng::seed_from_u64(seed);
        let config = RequestConfig::default()
            .with_timeout(1000 * SECOND)
            .with_max_open(rng.random_range(1..50))
            .with_answering(rng.random_range(1..4))
            .with_waiting(rng.random_range(0..4));
        let habits = [(); 2].map(|()| HABITS[rng.random_range(0..HABITS.len())]);
        println!("seed {seed}: {habits:?}, {config:?}");
        let asks_back = rng.random();
        let (mut left, near) = side(habits[0], config, asks_back, &mut rng);
        let (mut right, far) = side(habits[1], config, false, &mut rng);
        let (ours, theirs) = (server(near).await, server(far).await);
        let (to_right, to_left) = super::join(&ours, &theirs).await;
        tokio::join!(
            exchange(&mut left, &to_right),
            exchange(&mut right, &to_left),
        );
    }
}
