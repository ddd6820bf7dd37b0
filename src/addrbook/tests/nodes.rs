//! The node database: records, scores, bans.

use super::super::Score;
use super::super::nodes::{BanTarget, NodeDb, NodeDbConfig};
use super::*;

fn some_id(number: u8) -> NodeId {
    NodeId::from_bytes([number; 32])
}

fn banned(nodes: &NodeDb, number: u8, now: SystemTime) -> bool {
    nodes.banned(&some_id(number), now).is_some()
}

#[test]
fn a_score_fades_and_its_fading_part_ends() {
    let mut score = Score::default();
    assert_eq!(score.add(100, 50, start()), 150);
    assert_eq!(score.value(start() + MINUTE), 125);
    assert_eq!(score.value(start() + 7 * MINUTE), 100);
    let mut score = Score::default();
    score.add(0, u32::MAX, start());
    assert_eq!(score.value(start() + 30 * MINUTE), 3);
    assert_eq!(
        score.value(start() + 30 * MINUTE + Duration::from_secs(1)),
        0
    );
}

/// The sum includes the current fading part, even if only the lasting part grows.
#[test]
fn a_score_has_one_value_and_does_not_wrap() {
    let mut score = Score::default();
    score.add(0, 100, start());
    assert_eq!(score.add(1, 0, start() + MINUTE), 51);
    assert_eq!(score.add(u32::MAX, u32::MAX, start() + MINUTE), u32::MAX);
    assert_eq!(score.add(1, 1, start() + MINUTE), u32::MAX);
}

#[test]
fn sightings_and_failures_are_counted() {
    let mut nodes = NodeDb::default();
    let id = some_id(1);
    assert_eq!(nodes.failed(&id, start()), 1);
    assert_eq!(nodes.failed(&id, start() + HOUR), 2);
    nodes.seen(&id, start() + 2 * HOUR);
    let info = nodes.node(&id).unwrap();
    assert_eq!(info.first_seen, start());
    assert_eq!(info.last_seen, Some(start() + 2 * HOUR));
    assert_eq!(info.last_failure, Some(start() + HOUR));
    assert_eq!(info.failures, 0);
}

#[test]
fn too_much_misbehaviour_bans_for_a_day() {
    let mut nodes = NodeDb::default();
    assert_eq!(nodes.penalise(&some_id(1), 100, 0, "first", start()), 100);
    assert!(!banned(&nodes, 1, start()));
    assert_eq!(nodes.penalise(&some_id(1), 1, 0, "second", start()), 101);
    assert!(banned(&nodes, 1, start() + DAY - MINUTE));
    assert!(!banned(&nodes, 1, start() + DAY));
    // After the ban, the score starts at zero again.
    assert_eq!(nodes.penalise(&some_id(1), 1, 0, "third", start() + DAY), 1);
}

/// An acceptor knows the IP address first, and the node id only after the handshake.
#[test]
fn bans_are_found_by_id_and_by_ip_and_expire() {
    let mut nodes = NodeDb::default();
    nodes.ban(BanTarget::Node(some_id(1)), HOUR, "spam", start());
    nodes.ban(BanTarget::Ip(ip("12.1.2.3")), HOUR, "flood", start());
    nodes.ban(
        BanTarget::Ip(ip("2a00:1:2:3::4")),
        2 * HOUR,
        "flood",
        start(),
    );
    assert!(banned(&nodes, 1, start()));
    assert!(nodes.banned_ip(ip("::ffff:12.1.2.3"), start()).is_some());
    assert!(nodes.banned_ip(ip("12.1.2.4"), start()).is_none());
    assert!(nodes.banned_ip(ip("2a00:1:2:3:ffff::"), start()).is_some());
    assert!(nodes.banned_ip(ip("2a00:1:2:4::4"), start()).is_none());
    assert_eq!(nodes.bans(start()).count(), 3);

    assert_eq!(nodes.expire(start() + HOUR), 2);
    assert_eq!(nodes.bans(start()).count(), 1);
    assert!(nodes.unban(BanTarget::Ip(ip("2a00:1:2:3::")), start()));
    assert!(!nodes.unban(BanTarget::Ip(ip("2a00:1:2:3::")), start()));
    assert!(!nodes.unban(BanTarget::Node(some_id(1)), start() + HOUR));
    assert_eq!(nodes.bans(start()).count(), 0);
}

#[test]
fn the_oldest_unbanned_record_gives_way() {
    let mut nodes = NodeDb::new(NodeDbConfig::default().with_max_nodes(3));
    nodes.ban(BanTarget::Node(some_id(1)), DAY, "", start());
    for number in 2..=4 {
        nodes.seen(&some_id(number), start() + u32::from(number) * MINUTE);
        nodes.seen(&some_id(2), start() + u32::from(number) * MINUTE);
    }
    assert_eq!(nodes.len(), 3);
    assert!(nodes.node(&some_id(3)).is_none());
    assert!(banned(&nodes, 1, start()));

    // Of the banned nodes, the one whose ban ends first is dropped. An ended ban protects no
    // record.
    nodes.ban(BanTarget::Node(some_id(2)), 2 * DAY, "", start() + HOUR);
    nodes.ban(BanTarget::Node(some_id(4)), 3 * DAY, "", start() + HOUR);
    nodes.seen(&some_id(5), start() + HOUR);
    assert!(nodes.node(&some_id(1)).is_none());
    nodes.seen(&some_id(6), start() + 30 * DAY);
    assert_eq!(nodes.len(), 3);
    assert!(nodes.node(&some_id(5)).is_none(), "untouched for longest");
}

#[test]
fn bans_of_addresses_are_bounded() {
    let mut nodes = NodeDb::new(NodeDbConfig::default().with_max_ip_bans(2));
    for (address, hours) in [("12.1.1.1", 2), ("12.1.1.2", 1), ("12.1.1.3", 3)] {
        nodes.ban(BanTarget::Ip(ip(address)), hours * HOUR, "", start());
    }
    assert!(nodes.banned_ip(ip("12.1.1.2"), start()).is_none());
    assert_eq!(nodes.bans(start()).count(), 2);
}

#[test]
fn a_long_reason_is_cut() {
    let mut nodes = NodeDb::default();
    nodes.ban(
        BanTarget::Node(some_id(1)),
        DAY,
        &"ß".repeat(10_000),
        start(),
    );
    let ban = nodes.banned(&some_id(1), start()).unwrap();
    assert_eq!(ban.reason.chars().count(), 256);
}
