//! Tests of announcements by peers.

use peermux::DisconnectReason;
use peermux::rlp::Raw;
use peermux::testing::connect;

use super::v69::Eth69;
use super::*;

#[tokio::test(start_paused = true)]
async fn announcements_become_events() {
    let headers = Headers::of(10);
    let (ours, mut events) = headers.node();
    let (theirs, _) = Eth::builder(headers.chain()).versions(69..=69).build();
    let connected = connect(ours.protocols(), theirs.protocols())
        .await
        .expect("connects");
    let event = events.next().await;
    assert!(matches!(event, Some(Event::Joined { .. })), "{event:?}");

    let hash = Hash([1; 32]);
    let block = BlockId { hash, number: 7 };
    let whole = Block {
        block: Raw::new(vec![0xc0]).expect("a value"),
        total_difficulty: 9,
    };
    let transactions = vec![Raw::new(vec![0x82, 2, 0]).expect("a value")];
    let pooled = PooledHashes {
        types: vec![2].into(),
        sizes: vec![300],
        hashes: vec![hash],
    };
    let range = BlockRange {
        earliest: 1,
        latest: 9,
        latest_hash: hash,
    };
    let cases = [
        (
            Eth69::NewBlockHashes(vec![block]),
            Announcement::BlockHashes(vec![block]),
        ),
        (Eth69::NewBlock(whole.clone()), Announcement::Block(whole)),
        (
            Eth69::Transactions(transactions.clone()),
            Announcement::Transactions(transactions),
        ),
        (
            Eth69::NewPooledTransactionHashes(pooled.clone()),
            Announcement::Pooled(pooled),
        ),
        (Eth69::BlockRangeUpdate(range), Announcement::Range(range)),
    ];
    let sender = connected.right.sender::<Eth69>().expect("runs");
    for (message, wanted) in cases {
        sender.send(&message).await.expect("is sent");
        let event = events.next().await;
        let Some(Event::Announced(Announced {
            peer, announcement, ..
        })) = event
        else {
            panic!("{event:?}");
        };
        assert_eq!((peer.id(), announcement), (connected.left.id(), wanted));
    }
}

#[tokio::test(start_paused = true)]
async fn inconsistent_announcements_disconnect_the_peer() {
    let (eth, _) = Headers::of(10).node();
    let hash = Hash([1; 32]);
    let pooled = (Bytes::from_static(&[2, 3]), vec![300_u32], vec![hash]).to_rlp();
    let cases = [
        (8, pooled),
        (0x11, (5_u64, 4_u64, hash).to_rlp()),
        (0x11, (4_u64, 5_u64, Hash::default()).to_rlp()),
        (1, hash.to_rlp()),
        (2, Bytes::from_static(&[0xc1])),
        (0x0b, Bytes::from_static(&[0xc0])),
    ];
    for (code, payload) in cases {
        let (_peer, mut remote) = joined(&eth).await;
        remote.send(OFFSET + code, &payload).await;
        let reason = remote.disconnected().await;
        assert_eq!(
            reason,
            Some(DisconnectReason::BREACH_OF_PROTOCOL),
            "{code:#x}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_application_holds_its_peers_up_and_misses_nothing() {
    let (eth, mut events) = Headers::of(10).node();
    let (_peer, mut remote) = joined(&eth).await;
    let count = 300;
    for number in 0..count {
        let block = BlockId {
            hash: Hash([1; 32]),
            number,
        };
        assert!(remote.send(OFFSET + 1, &vec![block].to_rlp()).await);
    }
    let event = events.next().await;
    assert!(matches!(event, Some(Event::Joined { .. })), "{event:?}");
    for number in 0..count {
        let event = events.next().await;
        let Some(Event::Announced(announced)) = event else {
            panic!("{event:?}");
        };
        let block = BlockId {
            hash: Hash([1; 32]),
            number,
        };
        assert_eq!(
            announced.announcement,
            Announcement::BlockHashes(vec![block])
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_useless_peer_is_disconnected_even_if_the_application_is_slow() {
    let (eth, _events) = Headers::of(10).node();
    let (_peer, mut remote) = joined(&eth).await;
    let block = BlockId {
        hash: Hash([1; 32]),
        number: 1,
    };
    for _ in 0..300 {
        assert!(remote.send(OFFSET + 1, &vec![block].to_rlp()).await);
    }
    let (peer, mut useless) = scripted(&eth, 69).await;
    useless.expect().await;
    useless.send(OFFSET + 2, &[0xc0]).await;
    let reason = useless.disconnected().await;
    assert_eq!(reason, Some(DisconnectReason::SUBPROTOCOL_ERROR));
    assert!(peer.lifetime() < std::time::Duration::from_secs(6));
}
