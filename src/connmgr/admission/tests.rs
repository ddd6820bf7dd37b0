use tokio::time::advance;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// A rate that no test reaches.
fn unlimited() -> AdmissionConfig {
    AdmissionConfig::default().with_setup_rate(Rate::new(1000, 1000))
}

#[tokio::test(start_paused = true)]
async fn per_prefix_limit() {
    let config = unlimited().with_pending_per_network(2);
    let admission = Admission::new(config);
    let handshake = |text| admission.handshake(Some(ip(text)));
    let first = handshake("192.0.2.1").expect("room");
    let second = handshake("192.0.2.2").expect("room");
    let third = handshake("::ffff:192.0.2.3").map(drop);
    assert_eq!(third, Err(Refusal::TooManyHandshakes { limit: 2 }));
    let other = handshake("192.0.3.1").expect("room");
    drop(first);
    let third = handshake("192.0.2.3").expect("room");
    let fourth = handshake("192.0.2.4").map(drop);
    assert_eq!(fourth, Err(Refusal::TooManyHandshakes { limit: 2 }));
    drop((second, third, other));
    assert!(admission.lock().incomplete.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_unknown_source_keeps_the_limits_for_all() {
    let config = AdmissionConfig::default()
        .with_pending_per_network(1)
        .with_setup_rate(Rate::new(3, 0));
    let admission = Admission::new(config);
    let begun: Vec<_> = (0..4).map(|_| admission.handshake(None)).collect();
    assert!(begun[..3].iter().all(Result::is_ok));
    assert!(matches!(begun[3], Err(Refusal::RateLimited)));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_by_network_costs_no_token() {
    let config = AdmissionConfig::default()
        .with_pending_per_network(1)
        .with_setup_rate(Rate::new(2, 0));
    let admission = Admission::new(config);
    let handshake = |text| admission.handshake(Some(ip(text)));
    let _first = handshake("192.0.2.1").expect("room");
    assert!((0..10).all(|_| handshake("192.0.2.2").is_err()));
    assert!(handshake("192.0.3.1").is_ok());
}

#[tokio::test(start_paused = true)]
async fn nobody_is_exempt_from_the_limits_on_handshakes() {
    let admission = Admission::new(AdmissionConfig::default());
    let source = Some(ip("127.0.0.1"));
    let begun: Vec<_> = (0..20).map(|_| admission.handshake(source)).collect();
    assert_eq!(begun.iter().filter(|begun| begun.is_ok()).count(), 8);
}

#[tokio::test(start_paused = true)]
async fn one_visit_in_thirty_seconds() {
    let admission = Admission::new(AdmissionConfig::default());
    let visit = |text| admission.accept(ip(text));
    assert_eq!(visit("192.0.2.1"), Ok(()));
    assert_eq!(visit("192.0.2.2"), Ok(()));
    advance(SECOND).await;
    assert_eq!(visit("::ffff:192.0.2.1"), Err(Refusal::TooSoon));
    assert_eq!(visit("2001:db8::1"), Ok(()));
    assert_eq!(visit("2001:db8::2:1"), Err(Refusal::TooSoon));
    assert_eq!(visit("2001:db8:0:1::1"), Ok(()));
    for _ in 0..10 {
        assert_eq!(visit("127.0.0.1"), Ok(()));
        assert_eq!(visit("10.0.0.1"), Ok(()));
    }
    // The refusal has not extended the wait.
    advance(28 * SECOND).await;
    assert_eq!(visit("192.0.2.1"), Err(Refusal::TooSoon));
    advance(SECOND).await;
    assert_eq!(visit("192.0.2.1"), Ok(()));
    let strict = Admission::new(AdmissionConfig::default().with_exempt(|_| false));
    assert_eq!(strict.accept(ip("127.0.0.1")), Ok(()));
    assert_eq!(strict.accept(ip("127.0.0.1")), Err(Refusal::TooSoon));
}

#[test]
fn local_addresses_are_loopback_private_and_link_local() {
    for text in "127.0.0.1 127.9.9.9 ::1 ::ffff:127.0.0.1 10.1.1.1".split(' ') {
        assert!(is_local(ip(text)), "{text}");
    }
    for text in "192.168.0.1 169.254.1.1 fe80::1 fd00::1".split(' ') {
        assert!(is_local(ip(text)), "{text}");
    }
    for text in "128.0.0.1 8.8.8.8 2001:db8::1 ::ffff:8.8.8.8 ::".split(' ') {
        assert!(!is_local(ip(text)), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_admission_is_a_filter() {
    let admission = Admission::new(AdmissionConfig::default());
    let addr: SocketAddr = "192.0.2.1:1".parse().expect("an address");
    let filter: &dyn Filter<SocketAddr> = &admission;
    assert_eq!(filter.accept(&addr), Ok(()));
    assert_eq!(filter.accept(&addr), Err(Refusal::TooSoon));
    assert_eq!(filter.dial(&addr.into()), Ok(()));
    tokio::time::advance(30 * SECOND).await;
    assert_eq!(filter.accept(&addr), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn larger_networks_have_limits_too() {
    let admission = Admission::new(unlimited().with_pending_per_network(2));
    let begin = |text: String| admission.handshake(Some(ip(&text)));
    let v4: Vec<_> = (0..9).map(|net| begin(format!("192.0.{net}.1"))).collect();
    assert_eq!(v4.iter().filter(|begun| begun.is_ok()).count(), 4);
    let v6 = |net: u32, subnet: u32| begin(format!("2600:1:{net:x}:{subnet:x}::1"));
    let in_48: Vec<_> = (0..9).map(|subnet| v6(0, subnet)).collect();
    assert_eq!(in_48.iter().filter(|begun| begun.is_ok()).count(), 4);
    let in_32: Vec<_> = (1..9).map(|net| v6(net, 0)).collect();
    assert_eq!(in_32.iter().filter(|begun| begun.is_ok()).count(), 2);
    drop((v4, in_48, in_32));
    assert!(admission.lock().incomplete.is_empty());
}

#[tokio::test(start_paused = true)]
async fn after_a_change_of_limits_earlier_counts_remain() {
    let admission = Admission::new(unlimited().with_pending_per_network(2));
    assert_eq!(admission.accept(ip("192.0.2.1")), Ok(()));
    let handshake = || admission.handshake(Some(ip("192.0.2.1")));
    let _begun = [handshake(), handshake()];
    let config = unlimited().with_pending_per_network(3);
    admission.set_config(config.with_throttle(10 * SECOND));
    let _third = handshake().expect("one more");
    let limit = 3;
    let refused = handshake().map(drop);
    assert_eq!(refused, Err(Refusal::TooManyHandshakes { limit }));
    assert_eq!(admission.accept(ip("192.0.2.1")), Err(Refusal::TooSoon));
    advance(10 * SECOND).await;
    assert_eq!(admission.accept(ip("192.0.2.1")), Ok(()));
    admission.set_config(unlimited().with_exempt(|_| true));
    assert_eq!(admission.accept(ip("192.0.2.1")), Ok(()));
}
