//! Commands, and what becomes of requests. "There" is upstream.

use peermux::connmgr::{
    AddressSource, DialFilter, ManagerError, Reconnect, Request, RequestInfo, RetryPolicy,
};
use tokio::time::Instant;

use crate::connmgr::*;

/// Operations before the start block for ever there if the start never comes.
#[tokio::test(start_paused = true)]
async fn w12_commands_before_the_start_wait_or_fail() {
    let build = || {
        let builder = ConnManager::builder(open_dialer()).config(explicit_only());
        builder.build().expect("a good configuration")
    };
    let (manager, handle, mut events) = build();
    let early = tokio::spawn({
        let handle = handle.clone();
        async move { handle.connect(1).await }
    });
    tokio::task::yield_now().await;
    assert!(!early.is_finished());
    tokio::spawn(manager.run());
    let request = early.await.expect("no panic").expect("accepted");
    assert_eq!(opened(&mut events).await.id(), request.id());

    let (manager, handle, _events) = build();
    let never = tokio::spawn(async move { handle.connect(1).await.map(drop) });
    tokio::task::yield_now().await;
    drop(manager);
    assert_eq!(never.await.expect("no panic"), Err(ManagerError::Stopped));
}

/// Two connects of one request dial twice there and overwrite its id.
#[tokio::test(start_paused = true)]
async fn w13_two_connects_at_once_dial_once() {
    let (handle, _events, mut script) = scripted(explicit_only());
    let (first, second) = tokio::join!(handle.connect(1), handle.connect(1));
    let first = first.expect("accepted");
    let second = second.map(drop);
    assert_eq!(second, Err(ManagerError::AlreadyManaged(first.id())));
    script.next().await.expect("a dial");
    assert!(script.try_next().is_none());
}

/// A removed request that is connected again is dialled there, and then closed without a word.
#[tokio::test(start_paused = true)]
async fn w14_a_removed_address_can_be_asked_for_again() {
    let (handle, mut events) = start(ConnManager::builder(open_dialer()).config(explicit_only()));
    let first = handle.connect(1).await.expect("accepted").id();
    handle.remove(first).await.expect("known");
    let second = handle.connect(1).await.expect("accepted").id();
    assert!(second > first);
    let _conn = loop {
        let conn = match next(&mut events).await {
            ConnEvent::Opened { io, lease } => Conn { io, lease },
            ConnEvent::Closed { id, .. } if id == first => continue,
            other => panic!("{other:?}"),
        };
        if conn.id() == second {
            break conn;
        }
    };
    assert_eq!(handle.find(1).await.expect("known").id, second);
}

/// One task writes a request's address there while another one formats it. Here what others see is
/// a copy, or a channel's value, and the address of a row is always whole.
#[tokio::test(start_paused = true)]
async fn w15_what_others_see_of_a_request_is_a_snapshot() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Request>();
    shared::<RequestInfo<u32>>();
    shared::<ConnHandle<u32>>();
    let (handle, _events, mut script) = scripted(explicit_only());
    let request = handle.connect_permanent(1, RetryPolicy::default()).await;
    let id = request.expect("accepted").id();
    let before = handle.get(id).await.expect("known");
    handle.set_addr(id, 2).await.expect("permanent");
    assert_eq!(before.addr, 1);
    assert_eq!(handle.get(id).await.expect("known").addr, 2);
    script.next().await.expect("a dial");
}

/// Offers the same candidate, or group, however often it is told not to.
struct Stubborn(Vec<Candidate<u32>>);

impl AddressSource<Candidate<u32>> for Stubborn {
    async fn next(&mut self, _: &DialFilter<Candidate<u32>>) -> Option<Candidate<u32>> {
        self.0.rotate_left(1);
        self.0.last().cloned()
    }
}

/// All automatic slots may go to one address there, and parallel dials into one group.
#[tokio::test(start_paused = true)]
async fn w16_address_and_group_are_reserved_when_the_dial_starts() {
    let (dialer, mut script) = dial_script();
    let offered = vec![
        Candidate::new(1).with_group("a"),
        Candidate::new(1).with_group("b"),
        Candidate::new(2).with_group("a"),
        Candidate::new(3).with_group("c").with_key("node"),
        Candidate::new(4).with_group("d").with_key("node"),
    ];
    let builder = ConnManager::<ScriptedDialer<u32>>::builder(dialer);
    let (handle, mut events) = start(builder.source(Stubborn(offered)));
    let first = script.next().await.expect("a dial");
    let second = script.next().await.expect("a dial");
    assert_eq!((first.addr(), second.addr()), (&1, &3));
    let _far = (first.succeed(), second.succeed());
    let conns = [opened(&mut events).await, opened(&mut events).await];
    quiet(&mut events, MINUTE).await;
    assert!(script.try_next().is_none());
    let taken = handle.connect(1).await.map(drop);
    assert_eq!(taken, Err(ManagerError::AlreadyManaged(conns[0].id())));
    let taken = handle.connect(Candidate::new(9).with_key("node")).await;
    let by = ManagerError::AlreadyManaged(conns[1].id());
    assert_eq!(taken.map(drop), Err(by));
    drop(conns);
    closed(&mut events).await;
    closed(&mut events).await;
    script.next().await.expect("free again");
}

/// A dial in flight cannot be ended there, and one that hangs blocks for ever.
#[tokio::test(start_paused = true)]
async fn w17_a_dial_ends_when_it_is_removed_and_when_its_time_is_up() {
    let (handle, mut events, mut script) = scripted(explicit_only().with_max_dials(1));
    let id = handle.connect(1).await.expect("accepted").id();
    handle.connect(2).await.expect("accepted");
    let mut removed = script.next().await.expect("a dial");
    handle.remove(id).await.expect("known");
    removed.given_up().await;
    let begun = Instant::now();
    let mut hanging = script.next().await.expect("the slot is free");
    let (_, error, _) = dial_failed(&mut events).await;
    assert!(matches!(error, ConnectError::Timeout));
    assert_eq!(begun.elapsed().as_secs(), 30);
    hanging.given_up().await;
}

/// Timers of removed requests run on there, for up to 5 min, and keep the request in memory.
#[tokio::test(start_paused = true)]
async fn w18_a_removed_request_leaves_no_timer() {
    let (dials, dialer) = closed_dialer();
    let (handle, mut events) = start(ConnManager::builder(dialer).config(explicit_only()));
    let request = handle.connect_permanent(1, RetryPolicy::default()).await;
    let id = request.expect("accepted").id();
    dial_failed(&mut events).await;
    handle.remove(id).await.expect("known");
    assert_eq!(
        handle.get(id).await.map(drop),
        Err(ManagerError::UnknownId(id))
    );
    quiet(&mut events, 10 * MINUTE).await;
    assert_eq!(dials.load(Ordering::Relaxed), 1);
}

/// Commands have no result there; an unknown id only reaches the log.
#[tokio::test(start_paused = true)]
async fn w19_every_command_answers() {
    let config = explicit_only().with_max_requests(1);
    let (handle, _events, _script) = scripted(config);
    let id = handle.connect(1).await.expect("accepted").id();
    let full = ManagerError::LimitReached { limit: 1 };
    assert_eq!(handle.connect(2).await.map(drop), Err(full));
    let once = handle.set_addr(id, 3).await;
    assert_eq!(once, Err(ManagerError::NotPermanent(id)));
    assert_eq!(handle.remove(id).await, Ok(()));
    let unknown = ManagerError::UnknownId(id);
    assert_eq!(handle.remove(id).await, Err(unknown));
    let gone = handle.disconnect(id, Reconnect::ByKind).await;
    assert_eq!(gone, Err(unknown));
    assert_eq!(handle.watch(id).await.map(drop), Err(unknown));
    let gone = handle.set_permanent(id, RetryPolicy::default()).await;
    assert_eq!(gone, Err(unknown));
    assert_eq!(
        handle.remove_addr(1).await,
        Err(ManagerError::UnknownAddress)
    );
}

/// A removed permanent peer is only disconnected there and comes back; one that waits for its retry
/// cannot even be named.
#[tokio::test(start_paused = true)]
async fn w20_a_permanent_request_is_removed_in_any_state() {
    let (handle, mut events, mut script) = scripted(explicit_only());
    let policy = RetryPolicy::default();
    for state in ["dialing", "waiting", "connected"] {
        let request = handle.connect_permanent(1, policy).await;
        let mut request = request.expect("accepted");
        let dial = script.next().await.expect("a dial");
        let _held = match state {
            "dialing" => (Some(dial), None),
            "waiting" => {
                dial.fail(ConnectError::Refused);
                dial_failed(&mut events).await;
                (None, None)
            }
            _ => {
                dial.succeed();
                (None, Some(opened(&mut events).await))
            }
        };
        assert_eq!(handle.remove_addr(1).await, Ok(request.id()));
        assert!(request.wait_for(|_| false).await.is_terminal());
        if state == "connected" {
            closed(&mut events).await;
        }
        quiet(&mut events, 10 * MINUTE).await;
        assert!(script.try_next().is_none(), "{state}");
    }
}
