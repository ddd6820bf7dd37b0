//! Lists of networks that change while the server runs.

use std::collections::VecDeque;

use peermux::connmgr::Refusal;
use peermux::server::NetList;
use peermux::testing::{Caller, memory_listener};
use peermux::{DisconnectReason, ServerConfig};

use super::*;

fn nets(text: &str) -> NetList {
    text.parse().expect("a list")
}

async fn change(server: &Server, with: impl FnOnce(ServerConfig) -> ServerConfig) {
    let config = with(server.config());
    server.reconfigure(config).await.expect("it can change");
}

async fn restrict(server: &Server, networks: Option<&str>) {
    change(server, |config| {
        config.with_net_restrict(networks.map(nets))
    })
    .await;
}

/// Connects from `addr` without a word. Returns the cause of a rejection.
async fn rejected(
    caller: &Caller<SocketAddr>,
    feed: &mut EventStream<ConnectionEvent>,
    addr: &str,
) -> Option<Refusal> {
    drop(caller.call(addr.parse().unwrap()).await);
    loop {
        match told(feed).await {
            ConnectionEvent::InboundRejected { cause, .. } => return Some(cause),
            ConnectionEvent::InboundFailed { .. } => return None,
            _ => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn connected_peers_outside_a_new_list_stay_and_are_not_dialled_again() {
    let (listener, caller) = memory_listener();
    let (builder, mut script) = scripted();
    let server = builder.listener(listener).start().await.unwrap();
    let mut feed = server.subscribe();
    let fixed = remote().await;
    server.add_static(at(&fixed, &public(1))).await.unwrap();
    reach(next_dial(&mut script).await, &fixed);
    let peer = added(&mut feed).await;
    restrict(&server, Some("30.0.0.0/8")).await;
    tokio::time::advance(SECOND).await;
    assert!(!peer.is_ending(), "it stays");

    let mut failures = server.subscribe_connections();
    let cause = rejected(&caller, &mut failures, "20.9.1.1:1").await;
    assert_eq!(cause, Some(Refusal::Restricted));
    let outside = server.dial(&stranger(&public(2))).await;
    let text = outside.expect_err("outside").to_string();
    assert!(text.contains("outside the permitted networks"), "{text}");

    peer.disconnect(DisconnectReason::REQUESTED);
    no_dial(&mut script, LONG).await;
    let nodes = server.static_nodes().await.unwrap();
    let error = nodes[0].error.as_ref().expect("an error").to_string();
    assert!(error.contains("outside the permitted networks"), "{error}");

    // The wait that grew with each refusal does not matter.
    let widened = tokio::time::Instant::now();
    restrict(&server, Some("20.0.0.0/8, 30.0.0.0/8")).await;
    reach(next_dial(&mut script).await, &fixed);
    assert!(widened.elapsed() < SECOND, "{:?}", widened.elapsed());
    added(&mut feed).await;
    let cause = rejected(&caller, &mut failures, "20.9.1.1:2").await;
    assert_eq!(cause, None);
}

#[tokio::test(start_paused = true)]
async fn a_dial_under_way_ends_if_its_node_is_now_outside() {
    let (builder, mut script) = scripted();
    let server = builder.start().await.unwrap();
    let node = stranger(&public(1));
    let dial = tokio::spawn({
        let (server, node) = (server.clone(), node.clone());
        async move { server.dial(&node).await }
    });
    let pending = next_dial(&mut script).await;
    restrict(&server, Some("30.0.0.0/8")).await;
    let elsewhere = remote().await;
    reach(pending, &elsewhere);
    assert!(dial.await.unwrap().is_err());
    assert!(server.dial(&node).await.is_err());
    assert!(script.try_next().is_none());
}

#[tokio::test(start_paused = true)]
async fn candidates_of_sources_follow_the_new_list() {
    let (builder, mut script) = scripted();
    let nodes: VecDeque<_> = (1..50).map(|number| stranger(&public(number))).collect();
    let builder = builder.source(nodes).configure(|config| {
        let config = config.with_net_restrict(nets("20.1.0.0/16"));
        config.with_max_peers(6).with_dial_ratio(3)
    });
    let server = builder.start().await.unwrap();
    let first = next_dial(&mut script).await;
    assert_eq!(first.addr().endpoint().unwrap().to_string(), public(1));
    no_dial(&mut script, SECOND * 10).await;
    restrict(&server, Some("20.7.0.0/16")).await;
    let second = next_dial(&mut script).await;
    assert_eq!(second.addr().endpoint().unwrap().to_string(), public(7));
    no_dial(&mut script, SECOND * 10).await;
}

#[tokio::test(start_paused = true)]
async fn a_skipped_static_node_is_dialled_once_it_is_permitted() {
    let (builder, mut script) = scripted();
    let (outside, dismissed) = (stranger(&public(1)), stranger(&public(2)));
    let list = [outside.clone(), dismissed.clone()];
    let mut builder = builder.configure(|config| {
        let config = config.with_net_restrict(nets("30.0.0.0/8"));
        config.with_static_nodes(list)
    });
    let mut feed = builder.subscribe_connections();
    let server = builder.start().await.unwrap();
    for _ in 0..2 {
        let event = told(&mut feed).await;
        assert!(
            matches!(event, ConnectionEvent::StaticNodeSkipped { .. }),
            "{event:?}"
        );
    }
    // A node that is no longer in the list is not dialled.
    change(&server, |config| {
        config.with_static_nodes([outside.clone()])
    })
    .await;
    no_dial(&mut script, LONG).await;
    restrict(&server, None).await;
    assert_eq!(*next_dial(&mut script).await.addr(), outside);
    no_dial(&mut script, SECOND).await;
    assert_eq!(server.static_nodes().await.unwrap().len(), 1);
}

/// The dialer resolves the name, so only it can check the address before it connects.
#[tokio::test]
async fn the_dialer_checks_the_addresses_of_a_name_against_the_new_list() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let listener = listener.into_std().unwrap();
    let url = format!("enode://{}@localhost:{port}", key().public_key());
    let node: Enode = url.parse().unwrap();
    let builder = Server::builder(key()).configure(|config| {
        let config = config.with_net_restrict(nets("127.0.0.0/8"));
        config.with_setup_timeout(Duration::from_millis(50))
    });
    let server = builder.start().await.unwrap();
    restrict(&server, Some("10.0.0.0/8")).await;
    let error = server.dial(&node).await.expect_err("outside").to_string();
    assert!(error.contains("outside the permitted networks"), "{error}");
    let error = listener.accept().expect_err("nobody has connected");
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    restrict(&server, Some("127.0.0.0/16")).await;
    let error = server.dial(&node).await.expect_err("nobody answers");
    assert!(matches!(error, DialError::Setup { .. }), "{error}");
    listener.accept().expect("somebody has connected");
}

#[tokio::test(start_paused = true)]
async fn exempt_networks_change() {
    let (listener, caller) = memory_listener();
    let server = called(Server::builder(key()), listener).await;
    let mut feed = server.subscribe_connections();
    let (public, local) = ("20.1.1.1", "10.1.1.1");
    let mut port = 0;
    let mut come = async |ip: &str| {
        port += 1;
        rejected(&caller, &mut feed, &format!("{ip}:{port}")).await
    };
    assert_eq!(come(public).await, None);
    assert_eq!(come(public).await, Some(Refusal::TooSoon));
    change(&server, |config| config.with_whitelist(nets("20.1.0.0/16"))).await;
    assert_eq!(come(public).await, None);
    let without = |config: ServerConfig| config.with_whitelist(NetList::default());
    change(&server, without).await;
    assert_eq!(come(public).await, Some(Refusal::TooSoon));
    let exempt = |config: ServerConfig| config.with_throttle_exempt(nets("20.1.0.0/16"));
    change(&server, exempt).await;
    assert_eq!(come(public).await, None);

    assert_eq!((come(local).await, come(local).await), (None, None));
    change(&server, |config| config.with_exempt_local(false)).await;
    assert_eq!(come(local).await, None, "the first that counts");
    assert_eq!(come(local).await, Some(Refusal::TooSoon));
}

#[tokio::test(start_paused = true)]
async fn a_new_whitelist_protects_connected_peers() {
    let (listener, caller) = memory_listener();
    let server = called(Server::builder(key()), listener).await;
    let visitor = remote().await;
    let stream = caller.call("20.1.1.1:1".parse().unwrap()).await;
    let own = *server.enode().public_key();
    let _told = visitor.dial_over(stream, &own).await.expect("let in");
    let peer = server.peer(&visitor.id()).expect("connected");
    assert_eq!(peer.penalise(10, "spam"), 10);
    change(&server, |config| config.with_whitelist(nets("20.1.0.0/16"))).await;
    assert_eq!(peer.penalise(1000, "spam"), 0);
    let without = |config: ServerConfig| config.with_whitelist(NetList::default());
    change(&server, without).await;
    assert_eq!(peer.penalise(1, "spam"), 11);
}
