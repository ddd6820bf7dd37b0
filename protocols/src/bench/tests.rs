use std::time::Duration;

use peermux::peer::PeerConfig;
use peermux::rlp::encode;
use peermux::testing::{Connected, Scripted, ScriptedFrame, Settings, connect};
use peermux::{Bytes, Capability, DisconnectReason, Message, Peer, Protocol, WireMessage};

use super::{Bench, BenchMessage, Client, Config};
use crate::{ClientError, Totals};

/// The first code of the only protocol.
const OFFSET: u64 = 16;

fn bench() -> Bench {
    Bench::new(Config::default())
}

/// A node without time limits, because a busy machine may move megabytes slowly.
fn patient(bench: &Bench) -> Settings {
    let never = Duration::MAX;
    let config = PeerConfig::default()
        .with_ping_interval(never)
        .with_stall_limit(never)
        .with_message_timeout(never)
        .with_write_timeout(never)
        .with_progress_timeout(never);
    Settings::from(Protocol::new(bench.clone())).with_config(config)
}

/// Two nodes that measure each other.
async fn pair() -> (Connected, Client, Client) {
    let (left, right) = (bench(), bench());
    let connected = connect(patient(&left), patient(&right))
        .await
        .expect("connects");
    let ours = left.client(&connected.left).await.expect("runs");
    let theirs = right.client(&connected.right).await.expect("runs");
    (connected, ours, theirs)
}

/// A node and a scripted remote.
async fn scripted(bench: &Bench) -> (Peer, Scripted) {
    let capabilities = [Capability::new("bench", 1)];
    Scripted::remote_of(Protocol::new(bench.clone()), &capabilities)
        .await
        .expect("connects")
}

async fn send(remote: &mut Scripted, message: &BenchMessage) {
    remote
        .send(OFFSET + message.code(), &message.encode())
        .await;
}

fn decode(frame: ScriptedFrame) -> BenchMessage {
    BenchMessage::decode(Message::new(frame.id - OFFSET, frame.payload)).expect("decodes")
}

#[tokio::test]
async fn measures_all_sizes() {
    let (_connected, client, _) = pair().await;
    for (size, count) in [
        (0, 3),
        (1, 300),
        (1 << 10, 300),
        (64 << 10, 20),
        (Config::MAX_SIZE, 1),
    ] {
        let sink = client.sink(count, size).await.expect("sink");
        let source = client.source(count, size).await.expect("source");
        let echo = client.echo(count, size).await.expect("echo");
        for measured in [&sink, &source, &echo] {
            assert_eq!((measured.count, measured.size), (count, size));
        }
        assert_eq!(echo.round_trips.len() as u64, count);
        assert!(echo.percentile(0.5) <= echo.percentile(0.99));
        assert_eq!(sink.percentile(0.5), None);
    }
}

#[tokio::test]
async fn a_client_reports_its_progress() {
    let (_connected, client, other) = pair().await;
    assert_eq!(client.done(), 0);
    client.sink(3, 10).await.expect("sink");
    assert_eq!(client.done(), 3);
    client.source(4, 10).await.expect("source");
    assert_eq!(client.clone().done(), 7);
    client.echo(5, 10).await.expect("echo");
    assert_eq!((client.done(), other.done()), (12, 0));
}

#[tokio::test]
async fn measurements_of_zero_messages_succeed() {
    let (_connected, client, _) = pair().await;
    assert!(client.sink(0, 1).await.is_ok());
    assert!(client.source(0, 1).await.is_ok());
    assert!(client.echo(0, 1).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_sides_run_all_measurements_at_once() {
    let (_connected, ours, theirs) = pair().await;
    let drive = |client: Client| async move {
        tokio::try_join!(
            client.source(1500, 4096),
            client.sink(1500, 4096),
            client.echo(30, 4096),
            client.source(5, 1 << 20),
        )
    };
    let (left, right) = tokio::join!(drive(ours), drive(theirs));
    left.expect("left drives");
    right.expect("right drives");
}

#[tokio::test(start_paused = true)]
async fn asks_are_answered_in_order_and_data_are_random() {
    let (_peer, mut remote) = scripted(&bench()).await;
    send(
        &mut remote,
        &BenchMessage::Ask {
            count: 2,
            size: 100,
        },
    )
    .await;
    send(&mut remote, &BenchMessage::Ask { count: 0, size: 7 }).await;
    send(&mut remote, &BenchMessage::Ask { count: 1, size: 0 }).await;
    let BenchMessage::Data(first) = decode(remote.expect().await) else {
        panic!("Data comes first")
    };
    let BenchMessage::Data(second) = decode(remote.expect().await) else {
        panic!("Data comes second")
    };
    assert_eq!((first.len(), second.len()), (100, 100));
    assert_ne!(first, second);
    let done = |count, bytes| BenchMessage::Done { count, bytes };
    assert_eq!(decode(remote.expect().await), done(2, 200));
    assert_eq!(decode(remote.expect().await), done(0, 0));
    assert_eq!(
        decode(remote.expect().await),
        BenchMessage::Data(Bytes::new())
    );
    assert_eq!(decode(remote.expect().await), done(1, 0));
}

#[tokio::test(start_paused = true)]
async fn flush_reports_and_resets_the_counters() {
    let (_peer, mut remote) = scripted(&bench()).await;
    for size in [5usize, 0, 3] {
        send(&mut remote, &BenchMessage::Data(vec![1; size].into())).await;
    }
    send(&mut remote, &BenchMessage::Flush).await;
    send(&mut remote, &BenchMessage::Flush).await;
    let stats = |messages, bytes| BenchMessage::Stats { messages, bytes };
    assert_eq!(decode(remote.expect().await), stats(3, 8));
    assert_eq!(decode(remote.expect().await), stats(0, 0));
}

#[tokio::test(start_paused = true)]
async fn data_that_answers_an_ask_does_not_count_in_stats() {
    let bench = bench();
    let (peer, mut remote) = scripted(&bench).await;
    let client = bench.client(&peer).await.expect("runs");
    let data = || BenchMessage::Data(Bytes::from_static(b"four"));
    send(&mut remote, &data()).await;
    let answer = async {
        assert_eq!(
            decode(remote.expect().await),
            BenchMessage::Ask { count: 2, size: 4 }
        );
        // The remote first sends Data of its own and a Flush, then its answer to the Ask.
        send(&mut remote, &data()).await;
        send(&mut remote, &BenchMessage::Flush).await;
        let stats = decode(remote.expect().await);
        for _ in 0..2 {
            send(&mut remote, &data()).await;
        }
        send(&mut remote, &BenchMessage::Done { count: 2, bytes: 8 }).await;
        send(&mut remote, &BenchMessage::Flush).await;
        (stats, decode(remote.expect().await))
    };
    let (measured, (first, second)) = tokio::join!(client.source(2, 4), answer);
    assert!(measured.is_ok(), "{measured:?}");
    let stats = |messages, bytes| BenchMessage::Stats { messages, bytes };
    assert_eq!((first, second), (stats(2, 8), stats(0, 0)));
}

#[tokio::test(start_paused = true)]
async fn each_breach_disconnects_the_peer_with_0x02() {
    let ceiling = Config::MAX_SIZE as u64;
    let ask = |count: u64, size: u64| (1, BenchMessage::Ask { count, size }.encode());
    let breaches = [
        ask((1 << 32) + 1, 0),
        ask(1, ceiling + 1),
        (2, BenchMessage::Done { count: 0, bytes: 0 }.encode()),
        (4, encode(&Bytes::new()).freeze()),
        (6, encode(&Bytes::new()).freeze()),
        (
            6,
            BenchMessage::Stats {
                messages: 0,
                bytes: 0,
            }
            .encode(),
        ),
        (7, Bytes::from_static(&[0xc0])),
        (0, Bytes::from_static(&[0xc0])),
        (0, Bytes::from_static(&[0x81, 0x01])),
        (1, Bytes::from_static(&[0xc1, 0x01])),
        (1, Bytes::from_static(&[0xc3, 0x01, 0x01, 0x01])),
        (1, Bytes::from_static(&[0xc2, 0x00, 0x01])),
        (5, Bytes::from_static(&[0x80])),
        (5, Bytes::from_static(&[0xc1, 0x01])),
        (5, Bytes::new()),
    ];
    for (code, payload) in breaches {
        let (peer, mut remote) = scripted(&bench()).await;
        remote.send(OFFSET + code, &payload).await;
        let reason = remote.disconnected().await;
        assert_eq!(
            reason,
            Some(DisconnectReason::BREACH_OF_PROTOCOL),
            "{code}: {payload:?}"
        );
        drop(remote);
        assert!(peer.ended().await.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn the_ceiling_can_be_lowered() {
    let config = Config::default().with_max_count(3).with_max_size(10);
    for (count, size, served) in [(3, 10, true), (4, 1, false), (1, 11, false)] {
        let (_peer, mut remote) = scripted(&Bench::new(config)).await;
        send(&mut remote, &BenchMessage::Ask { count, size }).await;
        let first = remote.expect().await;
        assert_eq!(first.id == OFFSET, served, "{count} × {size}");
    }
}

/// Returns the result of `drive` when the remote answers with `answers`.
async fn verdict(
    drive: impl AsyncFnOnce(Client) -> Result<super::Measured, ClientError>,
    requests: usize,
    answers: Vec<BenchMessage>,
) -> Result<super::Measured, ClientError> {
    let bench = bench();
    let (peer, mut remote) = scripted(&bench).await;
    let client = bench.client(&peer).await.expect("runs");
    let answer = async {
        for _ in 0..requests {
            remote.expect().await;
        }
        for message in &answers {
            send(&mut remote, message).await;
        }
    };
    tokio::join!(drive(client), answer).0
}

#[tokio::test(start_paused = true)]
async fn a_client_verifies_what_the_peer_reports() {
    let data = |size: usize| BenchMessage::Data(vec![9; size].into());
    let done = |count, bytes| BenchMessage::Done { count, bytes };

    let stats = BenchMessage::Stats {
        messages: 2,
        bytes: 9,
    };
    assert_eq!(
        verdict(async |c| c.sink(2, 5).await, 3, vec![stats]).await,
        Err(ClientError::Mismatch {
            what: "the peer's Stats",
            got: Totals {
                messages: 2,
                bytes: 9
            },
            expected: Totals::of(2, 5),
        })
    );
    let source = async |c: Client| c.source(2, 5).await;
    assert!(matches!(
        verdict(source, 1, vec![data(5), done(2, 10)]).await,
        Err(ClientError::Mismatch {
            what: "Data received",
            ..
        })
    ));
    assert_eq!(
        verdict(source, 1, vec![data(4), data(6), done(2, 10)]).await,
        Err(ClientError::WrongLength { wrong: 2, size: 5 })
    );
    assert!(matches!(
        verdict(source, 1, vec![data(5), data(5), done(2, 11)]).await,
        Err(ClientError::Mismatch {
            what: "the peer's Done",
            ..
        })
    ));
    let echoed = BenchMessage::Echoed(Bytes::from_static(b"hello"));
    assert_eq!(
        verdict(async |c| c.echo(1, 5).await, 1, vec![echoed]).await,
        Err(ClientError::WrongContent { got: 5, sent: 5 })
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_waits_while_data_arrive_but_not_forever() {
    let bench = Bench::new(Config::default().with_answer_timeout(Duration::from_secs(2)));
    let (peer, mut remote) = scripted(&bench).await;
    let client = bench.client(&peer).await.expect("runs");
    let slow = async {
        remote.expect().await;
        for _ in 0..5 {
            tokio::time::advance(Duration::from_millis(1500)).await;
            send(&mut remote, &BenchMessage::Data(Bytes::from_static(b"x"))).await;
        }
        send(&mut remote, &BenchMessage::Done { count: 5, bytes: 5 }).await;
    };
    let (measured, ()) = tokio::join!(client.source(5, 1), slow);
    assert!(measured.is_ok(), "{measured:?}");

    let silence = ClientError::TimedOut(Duration::from_secs(2));
    assert_eq!(client.source(5, 1).await, Err(silence.clone()));
    assert_eq!(client.sink(1, 1).await, Err(silence.clone()));
    assert_eq!(client.echo(1, 1).await, Err(silence));
    drop(remote);
    assert_eq!(client.echo(1, 1).await, Err(ClientError::Ended));
}

#[tokio::test(start_paused = true)]
async fn messages_above_the_limit_are_not_sent() {
    let (_connected, client, _) = pair().await;
    let error = client.sink(1, Config::MAX_SIZE + 1).await;
    assert!(matches!(error, Err(ClientError::TooLarge { .. })));
}

/// A tiny request of a stranger must not cost much.
#[tokio::test]
async fn strangers_are_served_small_messages_only() {
    use peermux::transport::Generic;
    use peermux::{SecretKey, Server};

    use crate::echo::{self, Echo};

    let node = |bench: Bench, echo: Echo| {
        let builder = Server::builder(SecretKey::generate());
        builder.protocol(bench).protocol(echo).start()
    };
    let echo = || Echo::new(echo::Config::default());
    for (addr, near_by) in [("20.1.1.1:1", false), ("127.0.0.1:1", true)] {
        let serves = node(bench(), echo()).await.unwrap();
        let key = *serves.enode().public_key();
        for size in [64 << 10, (64 << 10) + 1] {
            let served = near_by || size == 64 << 10;
            let (ours, echoes) = (bench(), echo());
            let asks = node(ours.clone(), echoes.clone()).await.unwrap();
            let connect = async || {
                let (near, far) = tokio::io::duplex(64 << 10);
                let addr = addr.parse().unwrap();
                let far = Generic::with_addresses(far, addr, addr);
                let (dialled, accepted) =
                    tokio::join!(asks.dial_over(near, &key), serves.accept_over(far));
                accepted.unwrap();
                dialled.unwrap()
            };
            let peer = connect().await;
            let client = ours.client(&peer).await.unwrap();
            assert_eq!(
                client.source(1, size).await.is_ok(),
                served,
                "{addr} {size}"
            );
            peer.disconnect(DisconnectReason::REQUESTED);
            peer.ended().await;
            let peer = connect().await;
            let client = echoes.client(&peer).await.unwrap();
            let content = vec![1; size];
            assert_eq!(
                client.round_trip(content).await.is_ok(),
                served,
                "{addr} {size}"
            );
        }
    }
}
