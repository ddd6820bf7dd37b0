use std::pin::pin;

use futures::FutureExt;

use super::*;

#[test]
fn a_peer_is_bounded_and_its_first_bytes_are_free() {
    let node = NodeBudget::default();
    let peer = node.open();
    assert_eq!(peer.try_charge(FREE_PER_PEER), Ok(()));
    assert_eq!(node.used(), 0);
    assert_eq!(peer.try_charge(100), Ok(()));
    assert_eq!(node.used(), 100);
    assert_eq!(peer.try_charge(MemoryLimits::MIN), Err(OverBudget::Peer));
    peer.release(200);
    assert_eq!((node.used(), peer.held()), (0, FREE_PER_PEER - 100));
}

#[test]
fn the_node_is_bounded_and_a_dropped_peer_releases_everything() {
    let limits = MemoryLimits::default().with_per_node(MemoryLimits::MIN);
    let node = NodeBudget::within(limits);
    let (first, second) = (node.open(), node.open());
    assert_eq!(first.try_charge(MemoryLimits::MIN), Ok(()));
    assert_eq!(second.try_charge(FREE_PER_PEER), Ok(()));
    assert_eq!(second.try_charge(FREE_PER_PEER + 1), Err(OverBudget::Node));
    drop(first);
    assert_eq!(node.used(), 0);
    assert_eq!(second.try_charge(FREE_PER_PEER + 1), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn raised_limits_make_room_immediately() {
    let (node, least) = (small(), MemoryLimits::MIN);
    let (first, second) = (node.open(), node.open());
    assert_eq!(first.try_charge(least / 2), Ok(()));
    assert_eq!(second.try_charge(least / 2), Ok(()));
    let wait = second.when_freed(|| second.try_charge(least));
    let raise = async {
        tokio::task::yield_now().await;
        let limits = MemoryLimits::default().with_per_peer(2 * least);
        node.set_limits(limits.with_per_node(2 * least))
            .expect("enough");
    };
    tokio::join!(wait, raise);
    let lower = MemoryLimits::default().with_per_node(least);
    node.set_limits(lower).expect("enough");
    assert_eq!(node.limits(), lower);
    assert_eq!(first.try_charge(FREE_PER_PEER), Err(OverBudget::Node));
    assert!(node.set_limits(lower.with_per_peer(least - 1)).is_err());
    assert_eq!(node.limits(), lower);
}

fn small() -> NodeBudget {
    NodeBudget::within(MemoryLimits::default().with_per_node(MemoryLimits::MIN))
}

/// Waits until `peer` is evicted because a charge of 8 MiB finds no room.
async fn ends(peer: &PeerBudget, wants: &PeerBudget) {
    tokio::select! {
        // The waiting call evicts `peer`.
        biased;
        () = wants.when_freed(|| wants.try_charge(8 << 20)) => panic!("no room yet"),
        () = peer.evicted() => {}
    }
}

#[tokio::test(start_paused = true)]
async fn under_pressure_the_largest_holder_is_evicted_first() {
    let node = small();
    let (complete, sending, third) = (node.open(), node.open(), node.open());
    complete.try_charge(10 << 20).expect("fits");
    complete.charge_to_send(2 << 20);
    sending.try_charge_to_send(20 << 20, 0).expect("fits");
    ends(&sending, &third).await;
    let wait = third.when_freed(|| third.try_charge(22 << 20));
    tokio::select! {
        // The waiting call must not evict another peer.
        biased;
        () = wait => panic!("no room yet"),
        () = complete.evicted() => panic!("another one is ending"),
        () = tokio::task::yield_now() => {}
    }
    sending.end();
    // A user still holds messages of `sending`, so the end of that peer frees no memory.
    ends(&complete, &third).await;
    drop((sending, complete));
    third.when_freed(|| third.try_charge(22 << 20)).await;
}

#[tokio::test(start_paused = true)]
async fn who_has_ended_already_is_not_ended_for_others() {
    let node = small();
    let (ended, living, third) = (node.open(), node.open(), node.open());
    ended.try_charge(14 << 20).expect("fits");
    living.try_charge(13 << 20).expect("fits");
    ended.end();
    ends(&living, &third).await;
    assert!(!ended.is_evicted());
}

#[tokio::test(start_paused = true)]
async fn no_peer_within_its_fair_share_is_evicted() {
    let node = small();
    let peers: Vec<_> = (0..4).map(|_| node.open()).collect();
    for peer in &peers {
        peer.try_charge((8 << 20) + FREE_PER_PEER - 1)
            .expect("fits");
    }
    let last = &peers[3];
    let none = tokio::time::timeout(
        std::time::Duration::from_secs(9),
        last.when_freed(|| last.try_charge_to_send(FREE_PER_PEER, 0)),
    );
    assert!(none.await.is_err());
    assert!(peers.iter().all(|peer| !peer.is_evicted()));
}

/// A message of one peer must not wake the senders of a thousand others.
#[tokio::test]
async fn a_release_wakes_the_waiters_that_can_use_it() {
    let node = small();
    let (one, other) = (node.open(), node.open());
    let all = MemoryLimits::MIN + FREE_PER_PEER;
    one.try_charge(MemoryLimits::MIN).expect("fits");
    one.try_charge_to_send(FREE_PER_PEER, 0).expect("fits");
    other.try_charge_to_send(FREE_PER_PEER, 0).expect("is free");
    for peer in [&one, &other] {
        assert_eq!(peer.try_charge_to_send(1, 0), Err(OverBudget::Node));
    }
    let ([own, nodes], [others_own, others_nodes]) = (one.room_to_send(), other.room_to_send());
    tokio::pin!(own, nodes, others_own, others_nodes);
    for room in [&mut own, &mut nodes, &mut others_own, &mut others_nodes] {
        assert!(!room.as_mut().enable());
    }
    // These bytes are within the free allowance, so the node's count does not change.
    other.release_to_send(100, 0);
    assert!(others_own.as_mut().enable() && !others_nodes.as_mut().enable());
    assert!(!own.as_mut().enable() && !nodes.as_mut().enable());
    one.release_to_send(100, 0);
    assert!(own.as_mut().enable() && nodes.as_mut().enable());
    assert!(others_nodes.as_mut().enable());
    assert_eq!(one.held(), all - 100);
}

#[test]
fn each_direction_has_its_own_bound() {
    let peer = NodeBudget::default().open();
    assert_eq!(peer.try_charge(MemoryLimits::MIN), Ok(()));
    assert_eq!(peer.try_charge_to_send(MemoryLimits::MIN, 0), Ok(()));
    assert_eq!(peer.try_charge_to_send(1, 0), Err(OverBudget::Peer));
    peer.release(MemoryLimits::MIN);
    assert_eq!(peer.try_charge_to_send(1, 0), Err(OverBudget::Peer));
    peer.release_to_send(MemoryLimits::MIN, 0);
    assert_eq!(peer.held(), 0);
    // Memory that is already held is charged whether or not there is room.
    peer.charge_to_send(2 * MemoryLimits::MIN);
    assert_eq!(peer.try_charge(MemoryLimits::MIN), Ok(()));
}

/// The sealing memory that one large message leaves must not block the next message.
#[test]
fn memory_for_sealing_counts_towards_the_node_alone() {
    let node = NodeBudget::default();
    let peer = node.open();
    peer.set_sealing(20 << 20);
    assert_eq!(node.used(), (20 << 20) - FREE_PER_PEER);
    assert_eq!(peer.try_charge_to_send(MemoryLimits::MIN, 0), Ok(()));
    peer.release_to_send(MemoryLimits::MIN, 0);
    peer.set_sealing(0);
    assert_eq!((node.used(), peer.held()), (0, 0));
}

#[test]
fn shared_bytes_count_once_for_the_node_and_in_full_for_each_peer() {
    let node = small();
    let peers: Vec<_> = (0..10).map(|_| node.open()).collect();
    let charge = node.charge_shared(20 << 20).expect("fits");
    for peer in &peers {
        assert_eq!(peer.try_charge_to_send(0, 20 << 20), Ok(()));
        assert_eq!(peer.try_charge_to_send(0, 20 << 20), Err(OverBudget::Peer));
        assert_eq!(peer.try_charge_to_send(20 << 20, 0), Err(OverBudget::Peer));
    }
    assert_eq!(node.used(), 20 << 20);
    assert!(node.charge_shared(20 << 20).is_none());
    peers[0].release_to_send(0, 20 << 20);
    assert_eq!(peers[0].held(), 0);
    drop(charge);
    assert_eq!(node.used(), 0);
}

/// Waits for room to send, as senders do.
async fn send(peer: &PeerBudget, bytes: usize) {
    loop {
        let [own, nodes] = peer.room_to_send();
        tokio::pin!(own, nodes);
        own.as_mut().enable();
        nodes.as_mut().enable();
        match peer.try_charge_to_send(bytes, 0) {
            Ok(()) => return,
            Err(over) => peer.make_room(over),
        }
        tokio::select! {
            // After either of these, try again.
            biased;
            () = own => {}
            () = nodes => {}
        }
    }
}

/// A release in one direction wakes the waiters of the other direction.
///
/// When the node's budget is used up, both directions share the peer's free allowance.
#[test]
fn a_waiter_is_woken_when_the_other_direction_leaves_room_in_the_free_allowance() {
    let node = small();
    let (peer, full) = (node.open(), node.charge_shared(MemoryLimits::MIN));
    assert!(full.is_some());
    let most = FREE_PER_PEER;
    peer.try_charge_to_send(most, 0).expect("is free");
    let mut reading = pin!(peer.when_freed(|| peer.try_charge(most)));
    assert!((&mut reading).now_or_never().is_none());
    peer.release_to_send(most, 0);
    assert!((&mut reading).now_or_never().is_some());

    let mut sending = pin!(send(&peer, most));
    assert!((&mut sending).now_or_never().is_none());
    peer.release(most);
    assert!((&mut sending).now_or_never().is_some());
    peer.release_to_send(most, 0);

    peer.set_sealing(most);
    let mut sending = pin!(send(&peer, most / 2));
    let mut reading = pin!(peer.when_freed(|| peer.try_charge(most / 2)));
    assert!((&mut sending).now_or_never().is_none());
    assert!((&mut reading).now_or_never().is_none());
    peer.set_sealing(0);
    assert!((&mut sending).now_or_never().is_some());
    assert!((&mut reading).now_or_never().is_some());
}

#[test]
fn released_shared_bytes_wake_the_senders_of_their_peer() {
    let node = small();
    let (peer, other) = (node.open(), node.open());
    let most = MemoryLimits::MIN;
    peer.try_charge_to_send(0, most).expect("fits");
    let mut sending = pin!(send(&peer, most));
    assert!((&mut sending).now_or_never().is_none());
    let [_, mut others] = other.room_to_send().map(Box::pin);
    others.as_mut().enable();
    peer.release_to_send(0, most);
    assert!((&mut sending).now_or_never().is_some());
    assert!(others.now_or_never().is_none(), "the node has no more room");
}

#[test]
fn the_end_of_a_shared_charge_wakes_all_waiters() {
    let node = small();
    let (peer, other) = (node.open(), node.open());
    let charge = node.charge_shared(MemoryLimits::MIN);
    let half = MemoryLimits::MIN / 2;
    let mut sending = pin!(send(&peer, half));
    let mut reading = pin!(other.when_freed(|| other.try_charge(half)));
    assert!((&mut sending).now_or_never().is_none());
    assert!((&mut reading).now_or_never().is_none());
    drop(charge);
    assert!((&mut sending).now_or_never().is_some());
    assert!((&mut reading).now_or_never().is_some());
}

#[test]
fn raised_limits_wake_senders() {
    let (node, least) = (small(), MemoryLimits::MIN);
    let peer = node.open();
    peer.try_charge_to_send(least, 0).expect("fits");
    let mut sending = pin!(send(&peer, least));
    assert!((&mut sending).now_or_never().is_none());
    let limits = node.limits().with_per_peer(2 * least);
    node.set_limits(limits).expect("enough");
    assert!((&mut sending).now_or_never().is_none());
    node.set_limits(limits.with_per_node(2 * least))
        .expect("enough");
    assert!((&mut sending).now_or_never().is_some());
}

#[test]
fn lowered_limits_evict_a_peer_above_its_new_share() {
    let least = MemoryLimits::MIN;
    let node = NodeBudget::within(MemoryLimits::default().with_per_node(2 * least));
    let peers: Vec<_> = (0..2).map(|_| node.open()).collect();
    for peer in &peers {
        peer.try_charge(least).expect("fits");
        peer.charge_to_send(FREE_PER_PEER);
    }
    let mut sending = pin!(send(&peers[0], 1));
    assert!((&mut sending).now_or_never().is_none());
    assert!(peers.iter().all(|peer| !peer.is_evicted()));
    let limits = node.limits().with_per_node(least);
    node.set_limits(limits).expect("enough");
    assert!((&mut sending).now_or_never().is_none());
    assert!(peers.iter().any(|peer| peer.is_evicted()));
}

/// The node counts shared data before it is in the queue of any peer.
#[test]
fn a_peer_can_be_evicted_once_it_holds_shared_bytes() {
    let node = small();
    let (peer, other) = (node.open(), node.open());
    let _charge = node.charge_shared(MemoryLimits::MIN);
    let mut reading = pin!(other.when_freed(|| other.try_charge(8 << 20)));
    assert!((&mut reading).now_or_never().is_none());
    assert!(!peer.is_evicted());
    peer.try_charge_to_send(0, MemoryLimits::MIN).expect("fits");
    let mut sending = pin!(send(&other, 8 << 20));
    assert!((&mut sending).now_or_never().is_none());
    assert!(peer.is_evicted());
}
