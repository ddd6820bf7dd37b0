//! Routing by code range, in both directions.

use std::time::Duration;

use peermux::message::Encoded;
use peermux::p2p::ids;
use peermux::{Message, PeerError, ProtocolConn, RlpValue, SendError, TrySendError, messages};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::{OFFSET, idle, outcome, peer, protocol};

#[tokio::test(start_paused = true)]
async fn messages_arrive_in_order_under_the_protocols_own_codes() {
    let reads_three = protocol(5).run(|_, mut conn| async move {
        for (code, payload) in [(2, [0x01]), (3, [0x02]), (4, [0x03])] {
            let message = conn.recv().await?.expect("still connected");
            assert_eq!((message.code, &message.payload[..]), (code, &payload[..]));
        }
        Ok(())
    });
    let (peer, mut remote) = peer(reads_three).await;
    remote.send_all(&[(18, &[1]), (19, &[2]), (20, &[3])]).await;
    assert!(matches!(
        outcome(&peer).await.error,
        PeerError::ProtocolReturned(_)
    ));
}

#[tokio::test(start_paused = true)]
async fn a_code_outside_the_protocol_is_refused_and_the_next_message_is_sent() {
    let writes = protocol(2).run(|peer, conn| async move {
        let refused = conn.send(&Message::new(2, vec![0xc0])).await;
        assert_eq!(refused, Err(SendError::InvalidCode { code: 2, length: 2 }));
        conn.send(&Message::new(
            1,
            vec![0xc8, 0x83, b'f', b'o', b'o', 0x83, b'b', b'a', b'r'],
        ))
        .await?;
        peer.ending().await;
        Ok(())
    });
    let (_peer, mut remote) = peer(writes).await;
    let message = remote.expect().await;
    assert_eq!(
        (message.id, &message.payload[..]),
        (17, &b"\xc8\x83foo\x83bar"[..])
    );
}

#[tokio::test(start_paused = true)]
async fn a_ping_is_answered_without_any_protocol() {
    let (_peer, mut remote) = peer(vec![]).await;
    remote.send(ids::PING, &[0xc0]).await;
    assert_eq!(remote.expect().await.id, ids::PONG);
}

#[tokio::test(start_paused = true)]
async fn reserved_ids_and_a_second_hello_are_ignored() {
    let (_peer, mut remote) = peer(vec![]).await;
    for id in [0, 3, 4, 9, 15] {
        remote.send(id, &[0xc0]).await;
    }
    remote.send(ids::PING, &[0xc0]).await;
    assert_eq!(remote.expect().await.id, ids::PONG);
}

#[tokio::test(start_paused = true)]
async fn an_id_outside_all_ranges_is_a_breach_and_the_remote_is_notified() {
    let (peer, mut remote) = peer(idle("a", 2)).await;
    remote.send(OFFSET + 2, &[0xc0]).await;
    let reason = remote.disconnected().await;
    assert_eq!(reason, Some(peermux::DisconnectReason::BREACH_OF_PROTOCOL));
    let outcome = outcome(&peer).await;
    assert!(matches!(
        outcome.error,
        PeerError::UnknownMessage { id: 18, last: 17 }
    ));
}

#[tokio::test(start_paused = true)]
async fn two_byte_ids_are_routed() {
    let high = protocol(1000).run(|_, mut conn| async move {
        let message = conn.recv().await?.expect("still connected");
        conn.send(&Message::new(message.code, message.payload.clone()))
            .await?;
        Ok(())
    });
    let (_peer, mut remote) = peer(high).await;
    remote.send(OFFSET + 999, &[0x05]).await;
    let answer = remote.expect().await;
    assert_eq!(
        (answer.id, &answer.payload[..]),
        (OFFSET + 999, &[0x05][..])
    );
}

#[tokio::test(start_paused = true)]
async fn protocols_of_length_zero_neither_send_nor_receive() {
    let mute = protocol(0).run(|peer, conn| async move {
        assert!(conn.send(&Message::new(0, vec![])).await.is_err());
        peer.ending().await;
        Ok(())
    });
    let (peer, mut remote) = peer(mute).await;
    remote.send(OFFSET, &[0xc0]).await;
    assert!(matches!(
        outcome(&peer).await.error,
        PeerError::UnknownMessage { id: 16, last: 15 }
    ));
}

#[tokio::test(start_paused = true)]
async fn a_message_reports_when_it_arrived_not_when_it_was_read() {
    let (told, mut times) = mpsc::channel(1);
    let slow = protocol(2).run(move |peer, mut conn| {
        let told = told.clone();
        async move {
            sleep(Duration::from_secs(5)).await;
            let first = conn.recv().await?.expect("still connected").received_at();
            let second = conn.recv().await?.expect("still connected").received_at();
            let _ = told.send((first, second)).await;
            peer.ending().await;
            Ok(())
        }
    });
    let (_peer, mut remote) = peer(slow).await;
    let before = Instant::now();
    remote.send(16, &[0xc0]).await;
    sleep(Duration::from_secs(2)).await;
    remote.send(17, &[0xc0]).await;
    let (first, second) = times.recv().await.expect("both came");
    assert!(first - before < Duration::from_secs(1));
    assert_eq!(second - first, Duration::from_secs(2));
}

messages! {
    #[derive(Debug, PartialEq)]
    enum Small, length = 2, max_size = 8 {
        0x00 => Text(String),
        0x01 => Number(u64),
    }
}

#[tokio::test]
async fn an_encoded_message_can_be_sent_many_times_within_its_limit() {
    let (near, mut far) = ProtocolConn::<Small>::pair();
    let text = Encoded::of(&Small::Text("a cat".to_owned()));
    near.send_encoded(&text).await.expect("sent");
    near.sender().try_send_encoded(&text.clone()).expect("sent");
    near.try_send_encoded(&text).expect("sent");
    for _ in 0..3 {
        let message = far.recv().await.expect("it decodes").expect("open");
        assert_eq!(*message, Small::Text("a cat".to_owned()));
        assert_eq!(message.size(), text.payload().len());
    }
    let large = Small::Text("a large cat".to_owned());
    let (code, size, limit) = (0, 12, 8);
    let refused = SendError::TooLarge { code, size, limit };
    assert_eq!(near.send(&large).await, Err(refused.clone()));
    let refused_at_once = near.try_send_encoded(&Encoded::of(&large));
    assert_eq!(refused_at_once, Err(TrySendError::Refused(refused)));
}

#[tokio::test]
async fn values_are_sent_in_one_line() {
    let (near, mut far) = ProtocolConn::<Message>::pair();
    near.send_rlp(3, &(5u64, vec![true, false]))
        .await
        .expect("sent");
    near.try_send_rlp(4, &"text".to_owned()).expect("sent");
    let pair = far.recv().await.expect("raw").expect("open");
    assert_eq!(
        (pair.code, &pair.payload[..]),
        (3, &[0xc4, 5, 0xc2, 1, 0x80][..])
    );
    let text = far.recv().await.expect("raw").expect("open");
    assert_eq!(String::from_rlp(&text.payload), Ok("text".to_owned()));
}
