//! Every time and count that a type allows works, or is refused at the start.

use peermux::connmgr::admission::{Admission, AdmissionConfig};
use peermux::connmgr::{ManagerError, Rate, Refusal};

use super::*;

/// Tests reach this time in virtual time, but no wait of a day ends.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn all(time: Duration, count: usize, rate: u32) -> ConnConfig {
    ConnConfig::default()
        .with_target(count)
        .with_max_requests(count)
        .with_max_dials(count.max(1))
        .with_dial_timeout(time.max(Duration::from_nanos(1)))
        .with_dial_rate(Rate::new(rate, rate))
        .with_redial_gap(time)
        .with_backoff(Backoff::new(time, time))
        .with_offline_after(rate)
        .with_stable_after(time)
        .with_drain(time)
        .with_max_unread_events(count.max(1))
}

#[tokio::test(start_paused = true)]
async fn the_longest_times_and_the_largest_counts_work() {
    let dialer = FnDialer::new(|addr: &u32| match addr % 2 {
        0 => Ok(duplex(64).0),
        _ => Err(ConnectError::Refused),
    });
    let config = all(Duration::MAX, usize::MAX, u32::MAX);
    let source = numbers(10..14);
    let builder = ConnManager::builder(dialer).config(config).source(source);
    let (handle, mut events) = start(builder);
    let (mut open, mut failed) = (Vec::new(), 0);
    for _ in 10..14 {
        match next(&mut events).await {
            ConnEvent::Opened { lease, .. } => open.push(lease),
            ConnEvent::DialFailed { retry_in, .. } => {
                assert_eq!(retry_in, None);
                failed += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((open.len(), failed), (2, 2));

    let retry = retry(Duration::MAX, Duration::MAX).with_redial_gap(Duration::MAX);
    let failing = handle.connect_permanent(1, retry).await.expect("accepted");
    let (_, _, retry_in) = dial_failed(&mut events).await;
    assert!(retry_in.expect("for ever") > 1000 * DAY);
    let works = handle.connect_permanent(2, retry).await.expect("accepted");
    let conn = opened(&mut events).await;
    conn.close(std::io::Error::other("over"), Reconnect::ByKind);
    assert_eq!(closed(&mut events).await.0, works.id());
    quiet(&mut events, DAY).await;
    handle.remove(works.id()).await.expect("removed");
    handle.connect_permanent(2, retry).await.expect("accepted");
    quiet(&mut events, DAY).await;
    let once = handle.connect(4).await.expect("accepted");
    assert_eq!(opened(&mut events).await.id(), once.id());
    assert_eq!(closed(&mut events).await.0, once.id());
    handle.remove(failing.id()).await.expect("removed");
    drop(open);
    timeout(DAY, handle.stop()).await.expect("stops");
}

#[tokio::test(start_paused = true)]
async fn the_shortest_times_and_the_smallest_counts_work() {
    let (dialer, _script) = dial_script();
    let config = all(Duration::ZERO, 0, 0);
    let (handle, _events) =
        start(ConnManager::<ScriptedDialer<u32>>::builder(dialer).config(config));
    let request = handle.connect(1).await;
    assert!(
        matches!(request, Err(ManagerError::LimitReached { limit: 0 })),
        "{request:?}"
    );
    let (handle, mut events, mut script) = scripted(config.with_max_requests(1));
    let retry = retry(Duration::ZERO, Duration::ZERO);
    handle.connect_permanent(1, retry).await.expect("accepted");
    for _ in 0..3 {
        let stream = script.next().await.expect("the manager runs").succeed();
        opened(&mut events).await;
        closed(&mut events).await;
        drop(stream);
    }
    timeout(DAY, handle.stop()).await.expect("stops");
}

#[tokio::test(start_paused = true)]
async fn an_admission_has_limits_of_any_size() {
    let largest = AdmissionConfig::default()
        .with_exempt(|_| false)
        .with_throttle(Duration::MAX)
        .with_pending_per_network(usize::MAX)
        .with_setup_rate(Rate::UNLIMITED);
    let admission = Admission::new(largest);
    let ip = "192.0.2.1".parse().expect("an address");
    for _ in 0..2 {
        assert!(admission.handshake(Some(ip)).is_ok());
    }
    assert_eq!(admission.accept(ip), Ok(()));
    tokio::time::advance(1000 * DAY).await;
    assert_eq!(admission.accept(ip), Err(Refusal::TooSoon));

    let smallest = AdmissionConfig::default()
        .with_exempt(|_| false)
        .with_throttle(Duration::ZERO)
        .with_pending_per_network(0)
        .with_setup_rate(Rate::new(0, 0));
    let admission = Admission::new(smallest);
    assert_eq!(admission.accept(ip), Ok(()));
    assert_eq!(admission.accept(ip), Ok(()));
    assert!(admission.handshake(Some(ip)).is_err());
    assert!(admission.handshake(None).is_err());
}
