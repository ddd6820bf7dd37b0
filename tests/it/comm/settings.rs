//! Invalid settings are refused by an error that names them; the largest values work.

use peermux::Server;
use peermux::comm::{CommStartError, IdentityLimits};

use super::*;

#[tokio::test]
async fn a_setting_that_is_too_small_is_refused_by_name() {
    let no_identities = IdentityLimits::default().with_max(0);
    for (setting, config) in [
        ("queue_messages", Config::default().with_queue_messages(0)),
        ("receive_queue", Config::default().with_receive_queue(0)),
        (
            "identities.max",
            Config::default().with_identities(no_identities),
        ),
    ] {
        let identity = Secp256k1Identity::new(key());
        let started = Comm::start(config, identity, Server::builder(key())).await;
        let Err(CommStartError::Config(error)) = started else {
            panic!("{setting} is 0")
        };
        let told = (error.setting(), error.value(), error.least());
        assert_eq!(told, (setting, "0", "1"));
    }
}

#[tokio::test(start_paused = true)]
async fn the_largest_numbers_and_the_longest_times_work() {
    let limits = IdentityLimits::default()
        .with_max(usize::MAX)
        .with_unused(Duration::MAX);
    let subscription = SubscriptionConfig::default()
        .with_messages(usize::MAX)
        .with_bytes(usize::MAX)
        .with_overflow(Overflow::Wait(Duration::MAX));
    let config = Config::default()
        .with_queue_messages(usize::MAX)
        .with_queue_bytes(usize::MAX)
        .with_receive_queue(usize::MAX)
        .with_max_message(usize::MAX)
        .with_dial_timeout(Duration::MAX)
        .with_handshake_timeout(Duration::MAX)
        .with_probe_timeout(Duration::MAX)
        .with_reply_timeout(Duration::MAX)
        .with_stop_timeout(Duration::MAX)
        .with_failure_memory(Duration::MAX)
        .with_simultaneous(Duration::MAX)
        .with_max_dials(usize::MAX)
        .with_subscription(subscription)
        .with_identities(limits);
    let net = Net::default();
    let a = net.node_with(config.clone(), Secp256k1Identity::new(key()));
    let b = net.node_with(config, Secp256k1Identity::new(key()));
    acknowledge_all(&b);
    a.comm.probe(&b.peer()).await.expect("answers");
    let forever = AckPolicy::new(1, Duration::MAX);
    let result = a
        .comm
        .send_with_ack(&text("x"), forever, &[b.peer()])
        .await
        .unwrap();
    assert_eq!(result.ack_count(), 1, "{}", result.to_json());
    let (message, peer) = (text("y"), b.peer());
    let waiting = a.comm.send_waiting(&message, &peer, Duration::MAX);
    assert!(waiting.await.expect("queued").await.is_sent());
    a.comm.handshake(&b.peer()).await.expect("answers");
    net.unplug(&b.id);
    a.until_connected(0).await;
    let gone = a.comm.send(&text("x"), &[b.peer()]).remove(0).await;
    assert!(!gone.is_sent());
    assert!(a.comm.stop().await);
}

#[tokio::test(start_paused = true)]
async fn times_and_limits_of_zero_fail_at_once_or_have_no_effect() {
    let config = Config::default()
        .with_queue_bytes(0)
        .with_max_message(0)
        .with_dial_timeout(Duration::ZERO)
        .with_handshake_timeout(Duration::ZERO)
        .with_probe_timeout(Duration::ZERO)
        .with_reply_timeout(Duration::ZERO)
        .with_stop_timeout(Duration::ZERO)
        .with_failure_memory(Duration::ZERO)
        .with_simultaneous(Duration::ZERO)
        .with_max_dials(0)
        .with_identities(IdentityLimits::default().with_unused(Duration::ZERO));
    let net = Net::default();
    let a = net.node_with(config, Secp256k1Identity::new(key()));
    let b = net.node();
    let (message, peer) = (text("x"), b.peer());
    let sent = a.comm.send_waiting(&message, &peer, Duration::ZERO);
    sent.await.expect_err("no dials");
    a.comm.probe(&b.peer()).await.expect_err("no dials");
    let result = a
        .comm
        .send_with_ack(&text("x"), AckPolicy::new(1, Duration::ZERO), &[b.peer()])
        .await
        .unwrap();
    assert_eq!(result.ack_count(), 0);
    timeout(SOON, a.comm.stop()).await.expect("it stops");
}

/// A subscription with no queue holds one message at a time.
#[tokio::test(start_paused = true)]
async fn an_empty_subscription_always_accepts_one_message() {
    let net = Net::default();
    let (a, b) = (net.node(), net.node());
    let none = SubscriptionConfig::default().with_messages(0).with_bytes(0);
    let mut inbox = b.comm.accept_with(none, |_| true);
    for content in ["one", "two"] {
        a.comm.send(&text(content), &[b.peer()]).remove(0).await;
        assert_eq!(self::content(&next(&mut inbox).await), content);
    }
}
