//! Tests which peers join, and how other peers are refused.

use std::error::Error;
use std::time::Duration;

use peermux::testing::connect;
use peermux::{DisconnectReason, PeerError, WireMessage};
use tokio::time::Instant;

use super::version::Version;
use super::*;

/// A change to a Status, and the disconnect reason and the error that result.
type Wrong = (
    fn(&mut Status),
    DisconnectReason,
    fn(&HandshakeError) -> bool,
);

/// Returns the error and the disconnect reason that ended a peer's protocol.
async fn failed(peer: &Peer) -> (HandshakeError, DisconnectReason) {
    let outcome = peer.ended().await.expect("ended in order");
    let PeerError::Protocol { source, .. } = &outcome.error else {
        panic!("{outcome}");
    };
    let error = source.source().and_then(|error| error.downcast_ref());
    let error: &HandshakeError = error.expect("a handshake error");
    (*error, outcome.error.reason().expect("a reason was sent"))
}

/// Returns the payload of a version's Status.
fn payload<V: Version>(chain: &Chain) -> Bytes {
    V::from_status(&chain.status(V::VERSION)).encode()
}

#[test]
fn a_status_is_decoded_without_a_connection() {
    let chain = Headers::of(10).chain();
    let payloads = [
        payload::<v68::Eth68>(&chain),
        payload::<v69::Eth69>(&chain),
        payload::<v70::Eth70>(&chain),
    ];
    for (version, payload) in VERSIONS.zip(payloads) {
        let status = Status::decode(version, payload.clone());
        assert_eq!(status, Ok(chain.status(version)));
        assert!(Status::decode(version, payload.slice(1..)).is_err());
    }
    assert!(Status::decode(67, payload::<v68::Eth68>(&chain)).is_err());
}

#[tokio::test(start_paused = true)]
async fn nodes_on_one_chain_use_the_highest_common_version() {
    let headers = Headers::of(10);
    for (ours, theirs, version) in [
        (68..=70, 68..=70, 70),
        (68..=70, 68..=69, 69),
        (68..=68, 68..=70, 68),
    ] {
        let (ours, mut our_events) = Eth::builder(headers.chain()).versions(ours).build();
        let (theirs, mut their_events) = Eth::builder(headers.chain()).versions(theirs).build();
        let connected = connect(ours.protocols(), theirs.protocols())
            .await
            .expect("connects");
        let wanted = headers.chain().status(version);
        for (events, id) in [
            (&mut our_events, connected.left.id()),
            (&mut their_events, connected.right.id()),
        ] {
            let event = events.next().await;
            let Some(Event::Joined { peer, status }) = event else {
                panic!("{event:?}");
            };
            assert_eq!((peer.id(), status), (id, wanted));
        }
        assert_eq!(wanted.total_difficulty, (version == 68).then_some(16));
        assert_eq!(wanted.blocks, (version > 68).then_some((1, 9)));
        assert_eq!(ours.status(&connected.left.id()), Some(wanted));
        assert_eq!(ours.peers().len(), 1);
        let info = ours.protocols()[0]
            .peer_info(&connected.left.id())
            .expect("has joined");
        assert_eq!(info.field("network"), Some("7"));

        connected.left.disconnect(DisconnectReason::REQUESTED);
        for events in [&mut our_events, &mut their_events] {
            let event = events.next().await;
            assert!(matches!(event, Some(Event::Left { .. })), "{event:?}");
        }
        connected.left.ended().await;
        assert!(ours.peers().is_empty());
        assert_eq!(ours.status(&connected.left.id()), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_has_not_yet_passed_a_fork_joins() {
    let (old, new) = (Headers::of(2), Headers::of(10));
    let (ours, mut events) = old.node();
    let (theirs, _) = new.node();
    assert_ne!(old.chain().fork_id(), new.chain().fork_id());
    let _connected = connect(ours.protocols(), theirs.protocols())
        .await
        .expect("connects");
    let event = events.next().await;
    assert!(matches!(event, Some(Event::Joined { .. })), "{event:?}");
}

#[tokio::test(start_paused = true)]
async fn nodes_of_other_chains_are_useless() {
    let headers = Headers::of(10);
    let ours = headers.chain();
    let network = Chain {
        network: 8,
        ..ours.clone()
    };
    let other = ForkFilter::new(Hash([1; 32])).with_blocks([2, 50]);
    let genesis = Chain {
        forks: other,
        ..ours.clone()
    };
    let forks = ForkFilter::new(headers.genesis()).with_blocks([3, 50]);
    let fork = Chain {
        forks,
        ..ours.clone()
    };
    let theirs_of = |chain: &Chain| (chain.network, chain.forks.genesis(), chain.fork_id());
    for chain in [network, genesis, fork] {
        for version in 68..=70 {
            let (left, mut events) = Eth::builder(ours.clone()).build();
            let (peer, mut remote) = scripted(&left, version).await;
            remote.expect().await;
            let status = chain.status(version);
            remote.send(OFFSET, &first_message(&status)).await;
            let (error, reason) = failed(&peer).await;
            assert_eq!(reason, DisconnectReason::USELESS_PEER, "{error}");
            let (network, genesis, fork_id) = theirs_of(&chain);
            let known = match error {
                HandshakeError::Network { ours: 7, theirs } => theirs == network,
                HandshakeError::Genesis { theirs, .. } => theirs == genesis,
                HandshakeError::Fork { theirs, why, .. } => {
                    theirs == fork_id && why == ForkError::Incompatible
                }
                _ => false,
            };
            assert!(known, "{error}");
            let event = events.next().await;
            let Some(Event::Refused {
                status: Some(told),
                error: why,
                ..
            }) = event
            else {
                panic!("{event:?}");
            };
            assert_eq!((told, why), (status, error));
        }
        // Two nodes refuse each other in the same way, whichever is first.
        let (left, _) = Eth::builder(ours.clone()).build();
        let (right, _) = Eth::builder(chain).build();
        let connected = connect(left.protocols(), right.protocols())
            .await
            .expect("connects");
        for peer in [&connected.left, &connected.right] {
            let outcome = peer.ended().await.expect("ended in order");
            assert_eq!(outcome.error.reason(), Some(DisconnectReason::USELESS_PEER));
        }
        assert!(left.peers().is_empty() && right.peers().is_empty());
    }
}

fn first_message(status: &Status) -> Bytes {
    match status.version {
        68 => v68::Eth68::from_status(status).encode(),
        69 => v69::Eth69::from_status(status).encode(),
        _ => v70::Eth70::from_status(status).encode(),
    }
}

#[tokio::test(start_paused = true)]
async fn mistakes_in_a_status_disconnect_the_peer() {
    let chain = Headers::of(10).chain();
    let wrong: [Wrong; 3] = [
        (
            |status| status.version = 70,
            DisconnectReason::SUBPROTOCOL_ERROR,
            |error| {
                *error
                    == HandshakeError::Version {
                        ours: 69,
                        theirs: 70,
                    }
            },
        ),
        (
            |status| status.blocks = Some((10, 9)),
            DisconnectReason::SUBPROTOCOL_ERROR,
            |error| matches!(error, HandshakeError::Range { .. }),
        ),
        (
            |status| status.head = Hash::default(),
            DisconnectReason::SUBPROTOCOL_ERROR,
            |error| matches!(error, HandshakeError::Range { .. }),
        ),
    ];
    for (change, wanted, is_wanted) in wrong {
        let (eth, _) = Eth::builder(chain.clone()).build();
        let (peer, mut remote) = scripted(&eth, 69).await;
        let mut status = chain.status(69);
        change(&mut status);
        remote
            .send(OFFSET, &v69::Eth69::from_status(&status).encode())
            .await;
        let (error, reason) = failed(&peer).await;
        assert!(is_wanted(&error), "{error}");
        assert_eq!((reason, error.reason()), (wanted, wanted), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_status_must_come_first_and_only_once() {
    let chain = Headers::of(10).chain();
    let (eth, mut events) = Eth::builder(chain).build();
    let (peer, mut remote) = scripted(&eth, 69).await;
    remote.expect().await;
    remote.send(OFFSET + 2, &[0xc0]).await;
    assert_eq!(
        remote.disconnected().await,
        Some(DisconnectReason::SUBPROTOCOL_ERROR)
    );
    assert_eq!(failed(&peer).await.0, HandshakeError::NoStatus { code: 2 });
    let event = events.next().await;
    assert!(
        matches!(event, Some(Event::Refused { status: None, .. })),
        "{event:?}"
    );

    let (_peer, mut remote) = scripted(&eth, 69).await;
    let status = remote.expect().await.payload;
    remote
        .send_all(&[(OFFSET, &status), (OFFSET, &status)])
        .await;
    assert_eq!(
        remote.disconnected().await,
        Some(DisconnectReason::BREACH_OF_PROTOCOL)
    );

    let (_peer, mut remote) = scripted(&eth, 69).await;
    remote.expect().await;
    remote.send(OFFSET, &[0xc0]).await;
    assert_eq!(
        remote.disconnected().await,
        Some(DisconnectReason::BREACH_OF_PROTOCOL)
    );
}

#[tokio::test(start_paused = true)]
async fn a_status_must_arrive_in_time() {
    let (eth, _) = Eth::builder(Headers::of(10).chain()).build();
    let started = Instant::now();
    let (peer, mut remote) = scripted(&eth, 70).await;
    remote.expect().await;
    assert_eq!(
        remote.disconnected().await,
        Some(DisconnectReason::READ_TIMEOUT)
    );
    assert_eq!(started.elapsed(), Duration::from_secs(5));
    let (error, _) = failed(&peer).await;
    assert_eq!(error, HandshakeError::TimedOut(Duration::from_secs(5)));
}

#[tokio::test(start_paused = true)]
async fn a_new_head_is_sent_to_future_peers() {
    let (old, new) = (Headers::of(10), Headers::of(20));
    let (ours, _) = Eth::builder(old.chain()).build();
    ours.set_head(new.head());
    let (theirs, mut events) = Eth::builder(old.chain()).build();
    let _connected = connect(ours.protocols(), theirs.protocols())
        .await
        .expect("connects");
    let event = events.next().await;
    let Some(Event::Joined { status, .. }) = event else {
        panic!("{event:?}");
    };
    assert_eq!(
        (status.head, status.blocks),
        (new.head().hash, Some((1, 19)))
    );
}
