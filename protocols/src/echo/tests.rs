use std::time::Duration;

use peermux::testing::{Scripted, connect};
use peermux::{Bytes, Capability, DisconnectReason, Protocol};

use super::{Config, Echo};
use crate::ClientError;

/// The first code of the only protocol.
const OFFSET: u64 = 16;

fn echo() -> Echo {
    Echo::new(Config::default())
}

async fn scripted(echo: &Echo) -> (peermux::Peer, Scripted) {
    let capabilities = [Capability::new("echo", 1)];
    Scripted::remote_of(Protocol::new(echo.clone()), &capabilities)
        .await
        .expect("connects")
}

#[tokio::test(start_paused = true)]
async fn round_trips_of_all_sizes_in_both_directions_at_once() {
    let (left, right) = (echo(), echo());
    let connected = connect(Protocol::new(left.clone()), Protocol::new(right.clone()))
        .await
        .expect("connects");
    let ours = left.client(&connected.left).await.expect("runs");
    let theirs = right.client(&connected.right).await.expect("runs");
    for size in [0, 1, 1 << 10, 64 << 10, Config::MAX_SIZE] {
        let content = Bytes::from(vec![0x7f; size]);
        let both = tokio::join!(ours.round_trip(content.clone()), theirs.round_trip(content));
        assert!(both.0.is_ok() && both.1.is_ok(), "{size}: {both:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn requests_are_answered_in_order() {
    let (_peer, mut remote) = scripted(&echo()).await;
    remote
        .send_all(&[(OFFSET, &[0x05]), (OFFSET, &[0x80])])
        .await;
    let answers = [remote.expect().await, remote.expect().await];
    assert_eq!(answers.each_ref().map(|a| a.id), [OFFSET + 1; 2]);
    assert_eq!(answers[0].payload[..], [0x05]);
    assert_eq!(answers[1].payload[..], [0x80]);
}

#[tokio::test(start_paused = true)]
async fn each_breach_disconnects_the_peer_with_0x02() {
    let breaches: [(u64, &[u8]); 4] = [
        (OFFSET + 1, &[0x80]),
        (OFFSET, &[0xc0]),
        (OFFSET, &[0x81, 0x05]),
        (OFFSET, &[0x80, 0x80]),
    ];
    for (id, payload) in breaches {
        let (_peer, mut remote) = scripted(&echo()).await;
        remote.send(id, payload).await;
        let reason = remote.disconnected().await;
        assert_eq!(reason, Some(DisconnectReason::BREACH_OF_PROTOCOL));
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_distinguishes_other_bytes_silence_and_the_end() {
    let echo = Echo::new(Config::default().with_answer_timeout(Duration::from_secs(3)));
    let (peer, mut remote) = scripted(&echo).await;
    let client = echo.client(&peer).await.expect("runs");

    let other = async {
        remote.expect().await;
        remote.send(OFFSET + 1, &[0x83, b'd', b'o', b'g']).await
    };
    let (result, _) = tokio::join!(client.round_trip("cat"), other);
    assert_eq!(result, Err(ClientError::WrongContent { got: 3, sent: 3 }));

    let silence = client.round_trip("cat").await;
    assert_eq!(silence, Err(ClientError::TimedOut(Duration::from_secs(3))));

    // The late answer arrives when its caller has given up, and causes no error.
    remote.expect().await;
    remote.send(OFFSET + 1, &[0x83, b'c', b'a', b't']).await;
    let again = async {
        let request = remote.expect().await;
        remote.send(OFFSET + 1, &request.payload).await
    };
    let (result, _) = tokio::join!(client.round_trip("cow"), again);
    assert!(result.is_ok(), "{result:?}");

    drop(remote);
    assert_eq!(client.round_trip("cat").await, Err(ClientError::Ended));
    assert!(matches!(echo.client(&peer).await, Err(ClientError::Ended)));
}

#[tokio::test(start_paused = true)]
async fn sizes_are_bounded_in_both_directions() {
    let echo = Echo::new(Config::default().with_max_size(60));
    let (peer, mut remote) = scripted(&echo).await;
    let client = echo.client(&peer).await.expect("runs");
    assert_eq!(
        client.round_trip(vec![0; 61]).await,
        Err(ClientError::TooLarge {
            what: "a request's size",
            got: 61,
            limit: 60
        })
    );
    remote.send(OFFSET, &[0x07; 65]).await;
    let reason = remote.disconnected().await;
    assert_eq!(reason, Some(DisconnectReason::BREACH_OF_PROTOCOL));
}

#[tokio::test(start_paused = true)]
async fn a_peer_without_the_protocol_has_no_client() {
    let peer = peermux::testing::peer("other", vec![]);
    assert!(matches!(
        echo().client(&peer).await,
        Err(ClientError::NotShared(_))
    ));
}
