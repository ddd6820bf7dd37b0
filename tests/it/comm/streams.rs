//! Subscriptions and feeds.

use futures::TryStreamExt;
use peermux::Enode;
use peermux::comm::PeerId;

use super::*;

#[tokio::test(start_paused = true)]
async fn all_streams_end_at_the_stop_and_later_ones_at_once() {
    let a = Net::default().node();
    let (mut inbox, mut dead) = (a.comm.accept(|_| true), a.comm.presumed_dead());
    let (mut switched, mut events) = (a.comm.identity_switch(), a.comm.events());
    a.comm.stop().await;
    for _ in 0..2 {
        let end = timeout(SOON, inbox.next()).await.expect("it ends");
        assert!(end.is_none());
        assert_eq!(timeout(SOON, dead.next()).await, Ok(None));
        assert_eq!(timeout(SOON, switched.next()).await, Ok(None));
        assert!(events.recv().await.is_none());
        (inbox, dead) = (a.comm.accept(|_| true), a.comm.presumed_dead());
        (switched, events) = (a.comm.identity_switch(), a.comm.events());
    }
}

#[tokio::test(start_paused = true)]
async fn an_unread_subscription_loses_messages_and_delays_nobody_else() {
    let net = Net::default();
    let (a, b) = (net.node(), net.node());
    let few = SubscriptionConfig::default().with_messages(10);
    let idle = b.comm.accept_with(few, |_| true);
    let brief = Duration::from_millis(100);
    let waiting = b
        .comm
        .accept_with(few.with_overflow(Overflow::Wait(brief)), |_| true);
    let mut closing = b
        .comm
        .accept_with(few.with_overflow(Overflow::Close), |_| true);
    // A node that does not read its subscription still receives acknowledgements of its own
    // messages in time.
    let not_read = a.comm.accept(|_| true);
    acknowledge_all(&b);
    for n in 0..100 {
        let sent = a
            .comm
            .send_with_ack(&numbered(n), policy(1, 200), &[b.peer()])
            .await;
        assert_eq!(sent.unwrap().ack_count(), 1, "message {n}");
    }
    assert_eq!(
        (idle.dropped(), waiting.dropped(), closing.dropped()),
        (90, 90, 1)
    );
    for _ in 0..10 {
        next(&mut closing).await;
    }
    assert!(closing.next().await.is_none());
    drop(not_read);
}

#[tokio::test(start_paused = true)]
async fn unread_reports_of_dead_peers_delay_nothing() {
    let net = Net::default();
    let a = net.node();
    let mut unread = a.comm.presumed_dead();
    for _ in 0..300 {
        let gone = RemotePeer::at(Enode::incomplete(key().public_key()));
        let id = PeerId::from_bytes(*gone.node().as_bytes());
        a.comm.send(&text("x"), &[gone.with_id(id)]).remove(0).await;
    }
    assert_eq!(a.comm.stats().dials, 0);
    assert!(a.comm.stop().await, "no task is left");
    let mut reports = 0;
    while unread.next().await.is_some() {
        reports += 1;
    }
    assert_eq!(reports, 300);
}

#[tokio::test(start_paused = true)]
async fn unread_identity_switches_delay_nothing() {
    let net = Net::default();
    let a = net.node_with(Config::default(), org("one"));
    let mut switches = a.comm.identity_switch();
    let _unread = a.comm.identity_switch();
    for _ in 0..50 {
        let own = key();
        let old = net.node_at(own.clone(), Config::default(), org("one"));
        a.comm.handshake(&old.peer()).await.expect("answers");
        a.comm.send(&text("x"), &[old.peer()]).remove(0).await;
        a.comm.close_conn(&old.comm.id());
        old.comm.stop().await;
        let new = net.node_at(own, Config::default(), org("one"));
        tokio::time::sleep(SOON).await;
        let sent = a.comm.send(&text("x"), &[old.peer()]).remove(0).await;
        assert!(sent.is_sent(), "{sent:?}");
        assert_eq!(switches.next().await, Some(Ok(old.comm.id())));
        assert_eq!(a.comm.connections()[0].id, new.comm.id());
        a.comm.close_conn(&new.comm.id());
    }
}

/// A late reader loses the oldest reports, not the newest. It learns how many were lost.
#[tokio::test(start_paused = true)]
async fn a_late_reader_of_a_feed_gets_the_newest_1024_reports_and_the_number_lost() {
    const KEPT: usize = 1024;
    const LOST: usize = 76;
    let net = Net::default();
    let a = net.node_with(Config::default(), org("one"));
    let mut dead = a.comm.presumed_dead();
    let mut reported = Vec::new();
    for _ in 0..KEPT + LOST {
        let gone = RemotePeer::at(Enode::incomplete(key().public_key()));
        let id = PeerId::from_bytes(*gone.node().as_bytes());
        a.comm.send(&text("x"), &[gone.with_id(id)]).remove(0).await;
        reported.push(id);
    }
    let mut switched = a.comm.identity_switch();
    let known = net.node_with(Config::default(), org("one"));
    let same = net.node_with(Config::default(), org("one"));
    a.comm.send(&text("x"), &[known.peer()]).remove(0).await;
    a.comm.close_conn(&known.comm.id());
    for _ in 0..KEPT + LOST {
        let other = same.under(known.comm.id());
        let sent = a.comm.send(&text("x"), &[other]).remove(0).await;
        assert!(sent.is_sent(), "{sent:?}");
    }
    a.comm.stop().await;
    for (feed, expected) in [
        (&mut dead, &reported[LOST..]),
        (&mut switched, &[known.comm.id()].repeat(KEPT)[..]),
    ] {
        let missed = feed.next().await.expect("something happened");
        assert_eq!(missed.expect_err("not read in time").events, LOST as u64);
        let kept: Result<Vec<_>, _> = feed.try_collect().await;
        assert_eq!(kept.as_deref(), Ok(expected));
    }
}
