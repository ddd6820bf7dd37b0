use bytes::Bytes;
use proptest::prelude::*;

use super::super::{IdentityLimits, IdentityProvider, IdentityRecord, Secp256k1Identity};
use super::*;
use crate::node::SecretKey;
use crate::setup::Direction;
use crate::testing;

fn node(n: u8) -> NodeId {
    NodeId::from_bytes([n; 32])
}

fn id(n: u8) -> PeerId {
    PeerId::from_bytes([n; 32])
}

fn table(own: NodeId) -> ConnectionTable {
    let key = SecretKey::random(&mut rand::rng());
    let provider = Secp256k1Identity::new(key);
    let limits = IdentityLimits::default();
    let own_identity =
        IdentityRecord::examine(&provider, &provider.identity(), Duration::ZERO).unwrap();
    let identities = IdentityStore::new(own_identity, limits, Duration::ZERO);
    ConnectionTable::new(own, Config::default(), identities, Arc::default())
}

fn info(who: PeerId, at: NodeId) -> Arc<ConnInfo> {
    let enode = Enode::incomplete(SecretKey::random(&mut rand::rng()).public_key());
    Arc::new(ConnInfo {
        id: who,
        identity: Bytes::new(),
        organisation: None,
        node: at,
        enode,
        direction: Direction::Inbound,
        signed: Bytes::new(),
        signature: Bytes::new(),
    })
}

/// Adds a connection with the identity `n` at the node `n`.
fn open(table: &mut ConnectionTable, n: u8, dialler: NodeId, now: Instant) -> Opened {
    let (info, peer) = (info(id(n), node(n)), testing::peer("x", vec![]));
    table.opened(&info, &peer, dialler, now, &mut News::default())
}

#[tokio::test]
async fn an_attempt_that_a_stop_ends_reveals_nothing_about_the_node() {
    let now = Instant::now();
    for (error, dead) in [
        (CommError::Stopped, vec![]),
        (CommError::Deadline { after: now - now }, vec![id(2)]),
    ] {
        let mut table = table(node(1));
        let enode = Enode::incomplete(SecretKey::random(&mut rand::rng()).public_key());
        let to = RemotePeer::new(enode, id(2));
        let route = table.route(&to, Purpose::Open, now, &mut News::default());
        let Ok(Route::Flight { start, .. }) = route else {
            panic!("nobody is connected")
        };
        let serial = start.expect("it is the first").serial;
        let news = table.flight_failed(&to.node(), serial, &error, now);
        assert_eq!(news.dead, dead);
    }
}

#[tokio::test]
async fn both_sides_keep_the_same_connection_in_whatever_order_they_learn_of_the_two() {
    let (small, large, now) = (node(1), node(2), Instant::now());
    for first_of_each in [
        [small, large],
        [large, small],
        [small, small],
        [large, large],
    ] {
        for (own, first) in [small, large].into_iter().zip(first_of_each) {
            let mut table = table(own);
            let remote = if own == small { 2 } else { 1 };
            let second = if first == small { large } else { small };
            open(&mut table, remote, first, now);
            open(&mut table, remote, second, now);
            assert_eq!(table.open.len(), 1);
            assert!(table.open.values().all(|entry| entry.dialler == large));
        }
    }
}

/// Two nodes share an identity by mistake, or because one is a copy.
#[tokio::test]
async fn two_nodes_with_one_identity_are_noticed() {
    let (mut table, now) = (table(node(0)), Instant::now());
    let mut connect = |at: u8, seconds| {
        let (info, peer) = (info(id(7), node(at)), testing::peer("x", vec![]));
        let now = now + Duration::from_secs(seconds);
        table.opened(&info, &peer, node(at), now, &mut News::default());
        table.stats.snapshot().contested
    };
    assert_eq!((connect(1, 0), connect(1, 5)), (0, 0), "one that came back");
    assert_eq!((connect(2, 10), connect(1, 15)), (1, 2));
}

#[tokio::test]
async fn an_attempt_is_shared_and_its_failure_is_remembered_for_a_while() {
    let (mut table, now) = (table(node(0)), Instant::now());
    let to = RemotePeer::at(Enode::incomplete(
        SecretKey::random(&mut rand::rng()).public_key(),
    ));
    let route = |table: &mut ConnectionTable, now| {
        table.route(&to, Purpose::Open, now, &mut News::default())
    };
    let Ok(Route::Flight {
        start: Some(start), ..
    }) = route(&mut table, now)
    else {
        panic!("an attempt")
    };
    let Ok(Route::Flight { start: None, .. }) = route(&mut table, now) else {
        panic!("the same attempt")
    };
    table.flight_failed(&to.node(), start.serial + 1, &CommError::Full, now);
    assert_eq!(table.gauges().1, 1, "not the end of another attempt");
    table.flight_failed(&to.node(), start.serial, &CommError::SelfDial, now);
    assert!(matches!(route(&mut table, now), Err(CommError::SelfDial)));
    let later = now + Duration::from_secs(1);
    assert!(matches!(
        route(&mut table, later),
        Ok(Route::Flight { start: Some(_), .. })
    ));
    table.stop();
    assert!(matches!(route(&mut table, later), Err(CommError::Stopped)));
    assert_eq!(table.gauges(), (0, 0, 0));
}

#[derive(Debug, Clone)]
enum Step {
    Open { who: u8, ours: bool },
    Close { nth: usize },
    CloseId { who: u8 },
    Wait { millis: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1u8..4, any::<bool>()).prop_map(|(who, ours)| Step::Open { who, ours }),
        (0usize..20).prop_map(|nth| Step::Close { nth }),
        (1u8..4).prop_map(|who| Step::CloseId { who }),
        (0u64..7000).prop_map(|millis| Step::Wait { millis }),
    ]
}

proptest! {
    /// An identity has at most one connection, and the maps agree. The end of a connection that is
    /// no longer stored changes nothing and reports nothing.
    #[test]
    fn the_maps_agree_whatever_happens(steps in prop::collection::vec(step(), 1..60)) {
        let mut table = table(node(2));
        let mut now = Instant::now();
        let mut known = Vec::new();
        for step in steps {
            match step {
                Step::Open { who, ours } => {
                    let dialler = if ours { node(2) } else { node(who + 10) };
                    if let Opened::Kept(entry) = open(&mut table, who + 10, dialler, now) {
                        known.push(entry);
                    }
                }
                Step::Close { nth } if nth < known.len() => {
                    let entry = known.remove(nth);
                    let stored = table.open.contains_key(&entry.conn);
                    let before = table.open.len();
                    let news = table.closed(entry.conn, &ConnectionEnd::TransportEnded);
                    prop_assert_eq!(table.open.len() + usize::from(stored), before);
                    prop_assert!(stored || news == News::default());
                }
                Step::Close { .. } => {}
                Step::CloseId { who } => {
                    table.close_id(&id(who + 10), &ConnectionEnd::Requested);
                    prop_assert!(table.by_id(&id(who + 10)).is_none());
                }
                Step::Wait { millis } => now += Duration::from_millis(millis),
            }
            prop_assert_eq!(table.open.len(), table.by_id.len());
            prop_assert_eq!(table.open.len(), table.by_node.len());
            for (who, entry) in &table.by_id {
                prop_assert!(Arc::ptr_eq(&table.open[&entry.conn], entry));
                prop_assert_eq!(entry.info.id, *who);
            }
            for entry in &known {
                let stored = table.open.contains_key(&entry.conn);
                let closing = entry.control.reason.get().is_some();
                prop_assert!(stored != closing, "asked to end exactly if it is not stored");
                prop_assert_eq!(entry.queue.has_ended(), closing);
            }
        }
    }
}
