//! Settings that change while the server runs.

use std::collections::VecDeque;

use peermux::channel::MemoryLimits;
use peermux::connmgr::Refusal;
use peermux::server::ReconfigureError;
use peermux::testing::memory_listener;
use peermux::{DisconnectReason, ServerConfig};
use serde_json::{Value, json};

use super::*;

/// The settings that can change; all others are refused by name.
const CHANGE: [&str; 18] = [
    "ban_above",
    "ban_time",
    "dial_rate",
    "dial_ratio",
    "dial_timeout",
    "exempt_local",
    "max_dials",
    "max_peers",
    "max_pending",
    "memory",
    "net_restrict",
    "pending_per_network",
    "setup_rate",
    "static_nodes",
    "throttle",
    "throttle_exempt",
    "trusted_nodes",
    "whitelist",
];

/// Returns a configuration that differs from `config` only in this setting.
fn differing(config: &ServerConfig, setting: &str) -> ServerConfig {
    let node = stranger("20.1.1.1:1").to_string();
    let values = [
        json!(77),
        json!("77s"),
        json!(true),
        json!(false),
        json!([node]),
        json!("20.1.1.1:1"),
        json!("10.0.0.0/8"),
        json!("another"),
        json!({"burst": 7, "per_second": 7}),
        json!({"base": "7s", "cap": "70s"}),
        json!({"per_peer": "64 MiB"}),
        json!({"stall_limit": "7s"}),
        json!({"receive_buffer": "1 MiB"}),
    ];
    let with = |value: &Value| {
        let mut all = serde_json::to_value(config).unwrap();
        all[setting] = value.clone();
        serde_json::from_value::<ServerConfig>(all).ok()
    };
    let other = values.iter().filter_map(with).find(|other| other != config);
    other.unwrap_or_else(|| panic!("no other value for {setting}"))
}

#[tokio::test(start_paused = true)]
async fn each_setting_changes_or_is_refused_by_name() {
    let server = Server::builder(key()).start().await.unwrap();
    let all = serde_json::to_value(server.config()).unwrap();
    let mut changed = Vec::new();
    for setting in all.as_object().unwrap().keys() {
        let before = server.config();
        let config = differing(&before, setting);
        match server.reconfigure(config.clone()).await {
            Ok(()) => {
                assert_eq!(server.config(), config, "{setting}");
                changed.push(setting.as_str());
            }
            Err(ReconfigureError::Fixed { setting: named }) => {
                assert_eq!((named, server.config()), (setting.as_str(), before));
            }
            Err(error) => panic!("{setting}: {error}"),
        }
    }
    changed.sort_unstable();
    assert_eq!(changed, CHANGE);

    // If one setting is refused, none changes.
    let before = server.config();
    let config = before.clone().with_max_peers(1).with_name("another");
    let error = server.reconfigure(config).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "name cannot change while the server runs"
    );
    let config = before.clone().with_max_peers(1).with_max_dials(0);
    let error = server.reconfigure(config).await.unwrap_err();
    assert!(matches!(&error, ReconfigureError::Config(error) if error.setting() == "max_dials"));
    let small = MemoryLimits::default().with_per_node(1);
    let config = before.clone().with_max_peers(1).with_memory(small);
    let error = server.reconfigure(config).await.unwrap_err();
    let named = "memory.per_node";
    assert!(matches!(&error, ReconfigureError::Config(error) if error.setting() == named));
    assert_eq!(server.config(), before);
    assert_eq!(server.memory().limits(), before.memory());
    server.shutdown(SECOND).await.unwrap();
    let error = server.reconfigure(before).await;
    assert_eq!(error, Err(ReconfigureError::Stopped));
}

#[tokio::test(start_paused = true)]
async fn more_or_fewer_peers_are_admitted_and_none_is_disconnected() {
    let builder = Server::builder(key()).configure(|config| config.with_max_peers(1));
    let server = builder.protocol(idle("test")).start().await.unwrap();
    let mut visitors = Vec::new();
    let mut visit = async || {
        let visitor = remote().await;
        let dialled = call(&visitor, &server).await.0;
        visitors.push(visitor);
        dialled.map_err(|error| error.reason())
    };
    let full = Some(DisconnectReason::TOO_MANY_PEERS);
    visit().await.expect("a place");
    assert_eq!(visit().await.unwrap_err(), full);
    let change = async |peers| {
        let config = server.config().with_max_peers(peers);
        server.reconfigure(config).await.expect("it can change");
    };
    change(2).await;
    visit().await.expect("another place");
    change(1).await;
    assert_eq!(visit().await.unwrap_err(), full);
    assert_eq!(server.peer_count(), 2);
}

#[tokio::test(start_paused = true)]
async fn nodes_from_sources_fill_the_current_number_of_seats() {
    let (builder, mut script) = scripted();
    let nodes: VecDeque<_> = (1..50).map(|number| stranger(&public(number))).collect();
    let builder = builder.source(nodes);
    let builder = builder.configure(|config| config.with_max_peers(6).with_dial_ratio(3));
    let server = builder.start().await.unwrap();
    let mut held = vec![next_dial(&mut script).await, next_dial(&mut script).await];
    no_dial(&mut script, SECOND * 10).await;
    let config = server.config().with_max_peers(8).with_dial_ratio(2);
    server.reconfigure(config).await.unwrap();
    held.push(next_dial(&mut script).await);
    held.push(next_dial(&mut script).await);
    no_dial(&mut script, SECOND / 10).await;
}

#[tokio::test(start_paused = true)]
async fn the_limits_of_dials_and_set_ups_change() {
    let (listener, caller) = memory_listener();
    let (builder, mut script) = scripted();
    let builder = builder.configure(|config| config.with_max_dials(1));
    let server = builder.listener(listener).start().await.unwrap();
    let dial = |number| {
        let (server, node) = (server.clone(), stranger(&public(number)));
        tokio::spawn(async move { server.dial(&node).await.map(drop) })
    };
    let (_first, second) = (dial(1), dial(2));
    let _held = next_dial(&mut script).await;
    no_dial(&mut script, SECOND).await;
    let config = server.config().with_max_dials(2);
    let config = config.with_dial_timeout(3 * SECOND);
    server.reconfigure(config).await.unwrap();
    let begun = tokio::time::Instant::now();
    let _held_too = next_dial(&mut script).await;
    assert!(second.await.unwrap().is_err());
    assert_eq!(begun.elapsed(), 3 * SECOND);

    let mut feed = server.subscribe_connections();
    let mut come = async |port: u16| {
        let addr = SocketAddr::from(([20, 9, 1, 1], port));
        // This client sends nothing and closes at once.
        drop(caller.call(addr).await);
        loop {
            match told(&mut feed).await {
                ConnectionEvent::InboundRejected { cause, .. } => return Some(cause),
                ConnectionEvent::InboundFailed { .. } => return None,
                _ => {}
            }
        }
    };
    assert_eq!(come(1).await, None);
    assert_eq!(come(2).await, Some(Refusal::TooSoon));
    let config = server.config().with_throttle(Duration::ZERO);
    server.reconfigure(config).await.unwrap();
    assert_eq!(come(3).await, None);
}

async fn set_static(server: &Server, nodes: &[Enode]) {
    let config = server.config().with_static_nodes(nodes);
    server.reconfigure(config).await.expect("it can change");
}

async fn statics(server: &Server) -> Vec<Enode> {
    let nodes = server.static_nodes().await.unwrap().into_iter();
    let mut nodes: Vec<_> = nodes.map(|node| node.node).collect();
    nodes.sort_by_key(ToString::to_string);
    nodes
}

#[tokio::test(start_paused = true)]
async fn static_nodes_that_differ_are_added_and_removed() {
    let (builder, mut script) = scripted();
    let (stays, goes) = (remote().await, remote().await);
    let (first, second) = (at(&stays, &public(1)), at(&goes, &public(2)));
    let list = [first.clone(), second.clone()];
    let builder = builder.configure(|config| config.with_static_nodes(list));
    let server = builder.start().await.unwrap();
    let mut feed = server.subscribe();
    for _ in 0..2 {
        let dial = next_dial(&mut script).await;
        let remote = if *dial.addr() == first { &stays } else { &goes };
        reach(dial, remote);
        added(&mut feed).await;
    }
    let mut failures = server.subscribe_connections();
    let third = stranger(&public(3));
    let own = at(&server, &public(4));
    set_static(&server, &[first.clone(), third.clone(), own.clone()]).await;
    assert_eq!(dropped(&mut feed).await.id(), goes.id());
    assert!(server.peer(&stays.id()).is_some());
    assert_eq!(*next_dial(&mut script).await.addr(), third);
    match told(&mut failures).await {
        ConnectionEvent::StaticNodeSkipped { node, .. } => assert_eq!(node, own),
        event => panic!("{event:?}"),
    }
    let mut expected = vec![first.clone(), third.clone()];
    expected.sort_by_key(ToString::to_string);
    assert_eq!(statics(&server).await, expected);

    // A node that was removed while it was configured is not added again by another change, but by
    // another endpoint.
    server.remove_static(&third.node_id()).await.unwrap();
    let config = server.config().with_max_peers(20);
    server.reconfigure(config).await.unwrap();
    let list = [first.clone(), third.clone()];
    set_static(&server, &list).await;
    assert_eq!(statics(&server).await, std::slice::from_ref(&first));
    let moved = Enode::new(*third.public_key(), public(5).parse().unwrap());
    set_static(&server, &[first.clone(), moved.clone()]).await;
    assert_eq!(*next_dial(&mut script).await.addr(), moved);
}

#[tokio::test(start_paused = true)]
async fn nodes_are_trusted_and_distrusted_as_the_list_says() {
    let (listener, caller) = memory_listener();
    let (one, other) = (remote().await, remote().await);
    let builder = Server::builder(key()).configure(|config| {
        let list = [at(&one, &public(1))];
        config.with_max_peers(0).with_trusted_nodes(list)
    });
    let server = called(builder, listener).await;
    let own = *server.enode().public_key();
    let visit = async |visitor: &Server| {
        let stream = caller.call("127.0.0.1:1".parse().unwrap()).await;
        visitor.dial_over(stream, &own).await
    };
    let full = DisconnectReason::TOO_MANY_PEERS;
    visit(&one).await.expect("trusted");
    let refused = visit(&other).await.expect_err("not trusted");
    assert_eq!(refused.reason(), Some(full));
    let config = server.config();
    let config = config.with_trusted_nodes([at(&other, &public(2))]);
    server.reconfigure(config.clone()).await.unwrap();
    assert_eq!(server.config(), config);
    let peer = server.peer(&one.id()).expect("it stays connected");
    assert!(!peer.is_trusted());
    visit(&other).await.expect("trusted now");
    assert!(server.peer(&other.id()).expect("connected").is_trusted());

    // A node in both lists stays distrusted.
    server.distrust(other.id());
    let config = server.config();
    let config = config.with_trusted_nodes([at(&other, &public(2)), at(&one, &public(1))]);
    server.reconfigure(config).await.unwrap();
    assert!(!server.peer(&other.id()).expect("connected").is_trusted());
    assert!(peer.is_trusted());
}
