//! Servers that find each other over loopback, starting from one bootnode.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use peermux::addrbook::{AddressBook, AddressBookConfig, BookConfig, MemoryStore, SteadyClock};
use peermux::connmgr::Backoff;
use peermux::discv4::{Discv4, Discv4Config};
use peermux::dns::{Client, Domain, LookupError, Resolver, Tree, Walk};
use peermux::server::{ConnectionEvent, Discovery};
use peermux::{
    EventStream, NodeId, NodeRecord, Peer, PeerEvent, SecretKey, Server, ServerBuilder, StartError,
};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::{idle, key};

/// The number of nodes in addition to the bootnode.
const NODES: usize = 5;

/// A deadline that is long enough for anything that happens on one machine.
pub(super) const DEADLINE: Duration = Duration::from_secs(60);

pub(super) const LOOPBACK: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

pub(super) async fn start(discovery: Discovery) -> Server {
    let builder = Server::builder(key()).protocol(idle("found"));
    let builder = builder.listen(LOOPBACK).discovery(discovery);
    builder.start().await.expect("free ports")
}

/// Waits until a node has `wanted` peers.
pub(super) async fn has_peers(server: &Server, wanted: usize) {
    let mut events = server.subscribe();
    let reached = async {
        while server.peers().len() < wanted {
            let event: Option<Result<PeerEvent, _>> = events.recv().await;
            assert!(event.is_some(), "the node runs");
        }
    };
    let reached = timeout(DEADLINE, reached).await;
    let (node, has) = (server.id(), server.peers().len());
    reached.unwrap_or_else(|_| panic!("{node} has {has} of {wanted} peers"));
}

/// Starts a bootnode that never dials, and nodes that know only its record.
async fn find_each_other(version: impl Fn() -> Discovery) {
    let bootnode = Server::builder(key()).listen(LOOPBACK).discovery(version());
    let bootnode = bootnode.configure(|config| config.with_no_dial(true));
    let bootnode = bootnode.start().await.unwrap();
    let mut nodes = Vec::new();
    for _ in 0..NODES {
        nodes.push(start(version().with_bootnodes([bootnode.record()])).await);
    }
    for node in &nodes {
        has_peers(node, NODES - 1).await;
    }
    // After the bootnode's end, a newcomer and the nodes find each other through one of the nodes.
    bootnode.shutdown(DEADLINE).await.unwrap();
    let newcomer = start(version().with_bootnodes([nodes[0].record()])).await;
    has_peers(&newcomer, NODES).await;
}

pub(super) fn v4_alone() -> Discovery {
    Discovery::new().with_v4(fast()).with_v5(None)
}

/// Returns a configuration whose node repeats its search every second.
fn fast() -> Discv4Config {
    let refresh = Duration::from_secs(1);
    Discv4Config::default().with_refresh_every(refresh)
}

#[tokio::test]
async fn nodes_find_each_other_by_version_4() {
    find_each_other(v4_alone).await;
}

/// A node on all addresses meets one node of each family.
async fn find_both_families(version: impl Fn() -> Discovery) {
    let at = |addr: &str| {
        let builder = Server::builder(key()).protocol(idle("found"));
        builder.listen(addr.parse().unwrap())
    };
    let mut nodes = Vec::new();
    for addr in ["127.0.0.1:0", "[::1]:0"] {
        nodes.push(at(addr).discovery(version()).start().await.unwrap());
    }
    let records = nodes.iter().map(Server::record);
    let both = version()
        .with_bootnodes(records)
        .with_private_networks(true);
    let both = at("[::]:0").discovery(both).start().await.unwrap();
    has_peers(&both, 2).await;
}

#[tokio::test]
async fn a_node_on_all_addresses_finds_both_families_by_version_4() {
    find_both_families(v4_alone).await;
}

#[tokio::test]
async fn a_node_on_all_addresses_finds_both_families_by_version_5() {
    find_both_families(|| Discovery::new().with_v4(None)).await;
}

#[tokio::test]
async fn a_node_on_all_addresses_finds_both_families_by_both_versions() {
    find_both_families(|| Discovery::new().with_v4(fast())).await;
}

#[tokio::test]
async fn nodes_find_each_other_by_version_5() {
    find_each_other(|| Discovery::new().with_v4(None)).await;
}

/// Each node looks up its neighbours when it starts, so nodes started later find it.
#[tokio::test]
async fn nodes_that_dial_nobody_are_found_by_version_5() {
    let version = || Discovery::new().with_v4(None);
    let passive = |discovery| {
        let builder = Server::builder(key()).listen(LOOPBACK).discovery(discovery);
        builder
            .configure(|config| config.with_no_dial(true))
            .start()
    };
    let bootnode = passive(version()).await.unwrap();
    let with_boot = || version().with_bootnodes([bootnode.record()]);
    let first = passive(with_boot()).await.unwrap();
    let second = passive(with_boot()).await.unwrap();
    let knows = async {
        let known = |of: &Server| {
            let table = of.discv5().unwrap().table();
            table
                .iter()
                .any(|(record, _)| record.node_id() == first.id())
        };
        while !known(&second) {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, knows).await.expect("it is known in time");
}

#[tokio::test]
async fn both_versions_share_a_port() {
    let both = start(Discovery::new().with_v4(fast())).await;
    let four = start(v4_alone().with_bootnodes([both.record()])).await;
    let five = Discovery::new()
        .with_v4(None)
        .with_bootnodes([both.record()]);
    let five = start(five).await;
    has_peers(&both, 2).await;
    let ports = |server: &Server| server.enode().endpoint().map(|at| (at.tcp, at.udp));
    let (tcp, udp) = ports(&both).unwrap();
    assert_ne!(udp, 0);
    let local = both.local_addr().unwrap();
    assert_eq!(tcp, local.port());
    let contact = four.discv4().unwrap().table().await.unwrap();
    assert!(
        contact
            .iter()
            .any(|entry| entry.contact.node_id() == both.id())
    );
    let table = five.discv5().unwrap().table();
    assert!(
        table
            .iter()
            .any(|(record, _)| record.node_id() == both.id())
    );
}

#[tokio::test]
async fn others_fetch_the_current_record() {
    let both = start(Discovery::new()).await;
    let asks = start(Discovery::new().with_bootnodes([both.record()])).await;
    both.set_record_entry("shop", &7u8).unwrap();
    let wanted = both.record();
    let fetched = async {
        let v4 = asks.discv4().unwrap();
        let enode = both.enode();
        // The change takes a moment to reach the record.
        loop {
            let got: NodeRecord = v4.request_record(&enode).await.unwrap();
            if got == wanted {
                return got;
            }
        }
    };
    let fetched = timeout(DEADLINE, fetched).await.expect("in time");
    assert_eq!(fetched.get::<u8>("shop"), Some(7));
}

#[tokio::test]
async fn version_5_fetches_the_record_of_a_bootnode_by_version_4() {
    let boot = start(Discovery::new()).await;
    let node = start(Discovery::new().with_bootnodes([boot.enode()])).await;
    let v5 = node.discv5().unwrap();
    let known = async {
        while !v5
            .table()
            .iter()
            .any(|(record, _)| *record == boot.record())
        {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, known).await.expect("in time");
}

#[tokio::test]
async fn talk_requests_reach_a_servers_protocol() {
    let answers = Discovery::new().with_talk("echo", |talk| async move { talk.request });
    let (answers, asks) = (start(answers).await, start(Discovery::new()).await);
    let record = answers.record();
    let answer = asks.discv5().unwrap().talk(&record, "echo", b"words");
    assert_eq!(answer.await.unwrap(), b"words");
}

#[tokio::test]
async fn the_port_is_free_after_a_shutdown() {
    for discovery in [Discovery::new(), v4_alone(), Discovery::new().with_v4(None)] {
        let server = start(discovery).await;
        let port = server.enode().endpoint().unwrap().udp;
        server.shutdown(DEADLINE).await.unwrap();
        let free = async {
            // The crate `discv5` closes its socket a moment later.
            while std::net::UdpSocket::bind(("127.0.0.1", port)).is_err() {
                tokio::task::yield_now().await;
            }
        };
        timeout(DEADLINE, free).await.expect("in time");
        drop(server);
    }
}

#[tokio::test]
async fn an_error_names_a_port_that_is_in_use() {
    let taken = std::net::UdpSocket::bind(LOOPBACK).unwrap();
    let wanted = taken.local_addr().unwrap();
    let builder = Server::builder(key()).discovery(Discovery::new().with_addr(wanted));
    let error = builder.start().await.map(drop).unwrap_err();
    assert!(
        matches!(error, StartError::DiscoveryBind { addr, .. } if addr == wanted),
        "{error}"
    );
}

/// The DNS texts by name, as a DNS server holds them.
pub(super) struct Zone(HashMap<String, String>);

impl Resolver for Zone {
    async fn texts(&self, name: &str) -> Result<Vec<String>, LookupError> {
        let text = self.0.get(name).ok_or(LookupError::NotFound)?;
        Ok(vec![text.clone()])
    }
}

/// Returns an endless walk through a list of these nodes.
pub(super) fn listed(records: impl IntoIterator<Item = NodeRecord>) -> Walk<Zone> {
    let domain: Domain = "nodes.example.org".parse().unwrap();
    let tree = Tree::new(1, records, []).unwrap().sign(&key());
    let zone = Zone(tree.records(&domain).collect());
    let client = Client::builder(zone).build().unwrap();
    client.walk([tree.link(domain)])
}

/// Starts a node that others can dial, with these entries in its record.
pub(super) async fn silent(entries: &[(&str, u8)]) -> Server {
    let builder = Server::builder(key()).protocol(idle("found"));
    let builder = (entries.iter()).fold(builder, |builder, (key, value)| {
        builder.record_entry(*key, value)
    });
    builder.listen(LOOPBACK).start().await.expect("a free port")
}

#[tokio::test]
async fn nodes_of_a_list_in_the_dns_are_dialled() {
    let nodes = [silent(&[]).await, silent(&[]).await];
    let builder = Server::builder(key()).protocol(idle("found"));
    let builder = builder.source(listed(nodes.iter().map(Server::record)));
    let server = builder.start().await.unwrap();
    has_peers(&server, nodes.len()).await;
}

/// Returns a node that takes part in discovery but never dials.
pub(super) fn found_only(key: SecretKey, discovery: Discovery) -> ServerBuilder {
    let builder = Server::builder(key).protocol(idle("found"));
    let builder = builder.listen(LOOPBACK).discovery(discovery);
    builder.configure(|config| config.with_no_dial(true))
}

/// Waits until the nodes are in the table and have answered since `since`.
async fn answered(v4: &Discv4, nodes: &[NodeId], since: Instant) {
    let answered = async {
        let all = async || {
            let table = v4.table().await.expect("it runs");
            let answered = |id: &NodeId| {
                let mut entries = table.iter();
                entries.any(|entry| entry.contact.node_id() == *id && entry.last_pong >= since)
            };
            nodes.iter().all(answered)
        };
        while !all().await {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, answered).await.expect("in time");
}

/// Advances the virtual time, then lets packets arrive again.
async fn later(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

/// Advances the time until the nodes in the table are worth keeping.
async fn kept(v4: &Discv4, nodes: &[NodeId]) {
    answered(v4, nodes, Instant::now() - DEADLINE).await;
    assert!(v4.worth_keeping().await.unwrap().is_empty());
    let worth_keeping = async || {
        let kept = v4.worth_keeping().await.expect("it runs");
        kept.len() == nodes.len()
    };
    while !worth_keeping().await {
        // An answer in transit during this jump arrives too late. Its node may then leave the
        // table, and starts from zero when it returns.
        later(Duration::from_secs(301)).await;
        answered(v4, nodes, Instant::now()).await;
    }
}

/// Returns a discovery that pings silent nodes at once.
fn attentive() -> Discovery {
    let config = fast()
        .with_revalidate_every(Duration::from_millis(20))
        .with_request_timeout(Duration::from_secs(5));
    Discovery::new().with_v4(config).with_v5(None)
}

#[tokio::test]
async fn nodes_of_the_table_are_found_again_after_a_restart_without_a_bootnode() {
    let store = MemoryStore::default();
    let open = async || {
        let config = BookConfig::default().with_private_networks(true);
        let config = AddressBookConfig::default().with_book(config);
        let clock = SteadyClock::starting_at(SystemTime::UNIX_EPOCH + 20_000 * 24 * 60 * DEADLINE);
        let loaded = AddressBook::load(store.clone(), config, clock).await;
        let (book, writer) = loaded.expect("a good store");
        let stop = CancellationToken::new();
        let writer = tokio::spawn(writer.run(stop.clone().cancelled_owned()));
        (book, writer, stop)
    };
    let boot = found_only(key(), attentive()).start().await.unwrap();
    let with_boot = || attentive().with_bootnodes([boot.record()]);
    let other = found_only(key(), with_boot()).start().await.unwrap();

    let own = key();
    let (book, writer, stop) = open().await;
    let node = found_only(own.clone(), with_boot()).node_store(book.clone());
    let node = node.start().await.unwrap();
    let ids = [boot.id(), other.id()];
    kept(node.discv4().unwrap(), &ids).await;
    later(Duration::from_secs(30)).await;
    let told = async {
        while !ids.iter().all(|id| book.entry(id).is_some()) {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, told).await.expect("in time");
    assert!(ids.iter().all(|id| !book.entry(id).unwrap().is_tried()));
    boot.shutdown(DEADLINE).await.unwrap();
    node.shutdown(DEADLINE).await.unwrap();
    stop.cancel();
    writer.await.unwrap().unwrap();
    drop((node, book));

    let (book, ..) = open().await;
    let since = Instant::now();
    let node = found_only(own, attentive()).node_store(book);
    let node = node.start().await.unwrap();
    answered(node.discv4().unwrap(), &[other.id()], since).await;
}

#[tokio::test]
async fn nodes_worth_keeping_are_reported_at_the_end_if_the_filter_accepts_their_records() {
    let boot = found_only(key(), attentive()).start().await.unwrap();
    let with_boot = || attentive().with_bootnodes([boot.record()]);
    let shop = found_only(key(), with_boot()).record_entry("shop", &1u8);
    let shop = shop.start().await.unwrap();
    let config = BookConfig::default().with_private_networks(true);
    let config = AddressBookConfig::default().with_book(config);
    let clock = SteadyClock::starting_at(SystemTime::UNIX_EPOCH + 20_000 * 24 * 60 * DEADLINE);
    let (book, _writer) = AddressBook::load(MemoryStore::default(), config, clock)
        .await
        .unwrap();
    let picky = with_boot().with_filter(|record| record.get::<u8>("shop").is_some());
    let node = found_only(key(), picky).node_store(book.clone());
    let node = node.start().await.unwrap();
    let v4 = node.discv4().unwrap();
    kept(v4, &[boot.id(), shop.id()]).await;
    let recorded = async {
        let has_record = async || {
            let table = v4.table().await.unwrap();
            table.iter().all(|entry| entry.record.is_some())
        };
        while !has_record().await {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, recorded).await.expect("in time");
    node.shutdown(DEADLINE).await.unwrap();
    assert!(book.entry(&shop.id()).is_some() && book.entry(&boot.id()).is_none());
}

/// Waits until a peer has joined, and returns its id.
async fn next_added(events: &mut EventStream<PeerEvent>) -> NodeId {
    loop {
        let event = timeout(DEADLINE, events.recv()).await.expect("in time");
        if let PeerEvent::Added { peer } = event.expect("the node runs").expect("none is missed") {
            return peer.id();
        }
    }
}

/// Bans a node by `ban`. While the ban lasts, discovery finds the node and the server does not dial
/// it.
async fn a_banned_node_is_found_and_not_dialled(ban: impl Fn(&Server, &Peer)) {
    let boot = found_only(key(), v4_alone()).start().await.unwrap();
    let with_boot = || v4_alone().with_bootnodes([boot.record()]);
    let bad = found_only(key(), with_boot()).start().await.unwrap();
    let builder = Server::builder(key()).protocol(idle("found"));
    // Nothing but the ban prevents that the node is dialled again at once.
    let builder = builder.configure(|config| {
        let at_once = Backoff::new(Duration::from_millis(10), Duration::from_millis(10));
        config.with_redial_gap(Duration::ZERO).with_backoff(at_once)
    });
    let node = builder.listen(LOOPBACK).discovery(with_boot());
    let node = node.start().await.unwrap();
    has_peers(&node, 2).await;
    let mut added = node.subscribe();
    assert!(node.kick(&bad.id()));
    assert_eq!(next_added(&mut added).await, bad.id());

    let peer = node.peer(&bad.id()).expect("connected");
    ban(&node, &peer);
    timeout(DEADLINE, peer.ended()).await.expect("in time");
    let mut failed = node.subscribe_connections();
    let newcomer = found_only(key(), with_boot()).start().await.unwrap();
    // Discovery finds the banned node, and the server goes on dialling what discovery finds.
    assert_eq!(next_added(&mut added).await, newcomer.id());
    let finds = async {
        let v4 = node.discv4().unwrap();
        let found = async || v4.random_lookup().await.expect("it runs").nodes;
        while !found()
            .await
            .iter()
            .any(|found| found.node_id() == bad.id())
        {}
    };
    timeout(DEADLINE, finds).await.expect("in time");
    while let Ok(event) = timeout(Duration::ZERO, failed.recv()).await {
        let of_bad = matches!(
            &event,
            Some(Ok(ConnectionEvent::DialFailed { node, .. })) if node.node_id() == bad.id()
        );
        assert!(!of_bad, "{event:?}");
    }
    assert!(node.unban(&bad.id()));
    assert_eq!(next_added(&mut added).await, bad.id());
}

#[tokio::test]
async fn a_banned_node_is_not_dialled_although_discovery_finds_it_again() {
    let ban = |node: &Server, peer: &Peer| node.ban(&peer.id(), DEADLINE * 60, "for a test");
    a_banned_node_is_found_and_not_dialled(ban).await;
}

#[tokio::test]
async fn a_penalised_node_is_not_dialled_although_discovery_finds_it_again() {
    let penalise = |_: &Server, peer: &Peer| assert_eq!(peer.penalise(101, "spam"), 101);
    a_banned_node_is_found_and_not_dialled(penalise).await;
}
