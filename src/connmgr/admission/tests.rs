use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn admission(config: AdmissionConfig) -> (Admission, Instant) {
    let now = Instant::now();
    (Admission::new(config, now), now)
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// No limit on rates.
fn unlimited() -> AdmissionConfig {
    AdmissionConfig::default()
        .with_rate(Rate::new(1000, 1000))
        .with_prefix_rate(Rate::new(1000, 1000))
}

#[test]
fn handshakes_of_one_prefix_are_bounded_until_they_end() {
    let config = unlimited().with_incomplete_per_prefix(2);
    let (admission, _) = admission(config);
    let source = |text| Some(ip(text));
    let first = admission.handshake(source("192.0.2.1")).expect("room");
    let second = admission.handshake(source("192.0.2.2")).expect("room");
    let third = admission.handshake(source("::ffff:192.0.2.3")).map(drop);
    assert_eq!(third, Err(Refusal::TooManyHandshakes { limit: 2 }));
    let other = admission.handshake(source("192.0.3.1")).expect("room");
    drop(first);
    let third = admission.handshake(source("192.0.2.3")).expect("room");
    let fourth = admission.handshake(source("192.0.2.4")).map(drop);
    assert_eq!(fourth, Err(Refusal::TooManyHandshakes { limit: 2 }));
    drop((second, third, other));
    assert!(admission.lock().incomplete.is_empty());
}

#[test]
fn an_unknown_source_keeps_the_limits_for_all() {
    let config = AdmissionConfig::default()
        .with_incomplete_per_prefix(1)
        .with_prefix_rate(Rate::new(1, 0))
        .with_rate(Rate::new(3, 0))
        .with_at_once(2);
    let (admission, now) = admission(config);
    let mut handshakes: Vec<_> = (0..4)
        .map(|_| admission.handshake(None).expect("no limit per source"))
        .collect();
    let mut work = |index: usize| handshakes[index].work(now);
    let (first, _second) = (work(0).expect("free"), work(1).expect("free"));
    assert_eq!(work(2).map(drop), Err(Refusal::Busy { limit: 2 }));
    drop(first);
    drop(work(2).expect("free"));
    assert_eq!(work(3).map(drop), Err(Refusal::RateLimited));
}

#[test]
fn a_step_takes_a_slot_and_returns_it_at_its_end() {
    let (admission, now) = admission(unlimited().with_at_once(1));
    let mut first = admission.handshake(None).expect("room");
    let mut second = admission.handshake(None).expect("room");
    let work = first.work(now).expect("free");
    assert_eq!(second.work(now).map(drop), Err(Refusal::Busy { limit: 1 }));
    drop(work);
    drop(second.work(now).expect("free"));
    assert_eq!(admission.lock().working, 0);
}

#[test]
fn one_token_per_handshake_and_one_slot_per_step() {
    let (admission, now) = admission(AdmissionConfig::default().with_rate(Rate::new(1, 0)));
    let mut handshake = admission.handshake(None).expect("room");
    drop(handshake.work(now).expect("the first step"));
    drop(handshake.work(now).expect("the second step"));
    let mut late = admission.handshake(None).expect("room");
    assert_eq!(late.work(now).map(drop), Err(Refusal::RateLimited));
}

#[test]
fn a_refusal_for_want_of_a_slot_costs_no_token() {
    let config = AdmissionConfig::default()
        .with_prefix_rate(Rate::new(2, 0))
        .with_at_once(1);
    let (admission, now) = admission(config);
    let source = Some(ip("192.0.2.1"));
    let [mut first, mut second] = [(); 2].map(|()| admission.handshake(source).expect("room"));
    let work = first.work(now).expect("free");
    assert!((0..10).all(|_| second.work(now).is_err()));
    drop(work);
    assert!(second.work(now).is_ok());
}

#[test]
fn nobody_is_exempt_from_the_limits_on_handshakes() {
    let (admission, now) = admission(AdmissionConfig::default());
    let source = Some(ip("127.0.0.1"));
    let begun: Vec<_> = (0..20).map(|_| admission.handshake(source)).collect();
    assert_eq!(begun.iter().filter(|begun| begun.is_ok()).count(), 8);
    let worked = begun
        .into_iter()
        .flatten()
        .filter_map(|mut begun| begun.work(now).ok());
    assert_eq!(worked.count(), 4);
}

#[test]
fn one_visit_in_thirty_seconds() {
    let (admission, now) = admission(AdmissionConfig::default());
    let visit = |text, after| admission.accept(ip(text), now + after);
    assert_eq!(visit("192.0.2.1", Duration::ZERO), Ok(()));
    assert_eq!(visit("192.0.2.2", Duration::ZERO), Ok(()));
    assert_eq!(visit("::ffff:192.0.2.1", SECOND), Err(Refusal::TooSoon));
    assert_eq!(visit("2001:db8::1", SECOND), Ok(()));
    assert_eq!(visit("2001:db8::2:1", SECOND), Err(Refusal::TooSoon));
    assert_eq!(visit("2001:db8:0:1::1", SECOND), Ok(()));
    // The refusal has not made it longer.
    assert_eq!(visit("192.0.2.1", 29 * SECOND), Err(Refusal::TooSoon));
    assert_eq!(visit("192.0.2.1", 30 * SECOND), Ok(()));
    for _ in 0..10 {
        assert_eq!(visit("127.0.0.1", SECOND), Ok(()));
        assert_eq!(visit("10.0.0.1", SECOND), Ok(()));
    }
    let (strict, _) = self::admission(AdmissionConfig::default().with_exempt(|_| false));
    assert_eq!(strict.accept(ip("127.0.0.1"), now), Ok(()));
    assert_eq!(strict.accept(ip("127.0.0.1"), now), Err(Refusal::TooSoon));
}

#[tokio::test(start_paused = true)]
async fn an_admission_is_a_filter() {
    let (admission, _) = admission(AdmissionConfig::default());
    let addr: SocketAddr = "192.0.2.1:1".parse().expect("an address");
    let filter: &dyn Filter<SocketAddr> = &admission;
    assert_eq!(filter.accept(&addr), Ok(()));
    assert_eq!(filter.accept(&addr), Err(Refusal::TooSoon));
    assert_eq!(filter.dial(&addr.into()), Ok(()));
    tokio::time::advance(30 * SECOND).await;
    assert_eq!(filter.accept(&addr), Ok(()));
}
