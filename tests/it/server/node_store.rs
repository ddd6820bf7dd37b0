//! A server's reports to its store of nodes, and its queries to the store.

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use peermux::addrbook::{
    AddressBook, AddressBookConfig, BanTarget, MemoryStore, Source, SteadyClock,
};
use peermux::connmgr::{ConnectError as RawError, Dialer, Refusal};
use peermux::server::{DialOutcome, NodeStore, StartError};
use peermux::setup::SetupError;
use peermux::testing::memory_listener;
use peermux::transport::Generic;
use peermux::{DialError, NodeId, NodeRecord};
use tokio::io::{DuplexStream, duplex};

use super::*;

/// A store that knows some nodes, and records all reports.
#[derive(Debug, Clone, Default)]
struct Notebook(Arc<Mutex<Notes>>);

#[derive(Debug, Default)]
struct Notes {
    known: Vec<Enode>,
    records: Vec<NodeRecord>,
    banned: Vec<NodeId>,
    banned_ips: Vec<IpAddr>,
    heard: Vec<(&'static str, NodeId)>,
}

impl Notebook {
    fn hear(&self, what: &'static str, node: NodeId) {
        self.0.lock().unwrap().heard.push((what, node));
    }

    fn heard(&self) -> Vec<(&'static str, NodeId)> {
        std::mem::take(&mut self.0.lock().unwrap().heard)
    }
}

impl NodeStore for Notebook {
    fn draw(&self, most: usize) -> Vec<Enode> {
        let notes = self.0.lock().unwrap();
        notes.known.iter().take(most).cloned().collect()
    }

    fn good(&self, node: &Enode) {
        self.hear("good", node.node_id());
    }

    fn connected(&self, node: &NodeId) {
        self.hear("connected", *node);
    }

    fn failed(&self, node: &NodeId) {
        self.hear("failed", *node);
    }

    fn record(&self, node: &NodeId) -> Option<NodeRecord> {
        let notes = self.0.lock().unwrap();
        let mut records = notes.records.iter();
        records.find(|record| record.node_id() == *node).cloned()
    }

    fn is_banned(&self, node: &NodeId) -> bool {
        self.0.lock().unwrap().banned.contains(node)
    }

    fn is_banned_ip(&self, ip: IpAddr) -> bool {
        self.0.lock().unwrap().banned_ips.contains(&ip)
    }
}

#[tokio::test(start_paused = true)]
async fn the_outcome_of_a_drawn_node_is_reported() {
    let remote = remote().await;
    let notebook = Notebook::default();
    let (node, nobody) = (at(&remote, &public(1)), stranger(&public(2)));
    notebook.0.lock().unwrap().known = vec![nobody.clone(), node];
    let (builder, mut script) = scripted();
    let builder = builder
        .configure(|config| config.with_max_peers(3))
        .node_store(notebook.clone());
    let server = builder.start().await.unwrap();
    let mut feed = server.subscribe();
    next_dial(&mut script).await.fail(RawError::Refused);
    reach(next_dial(&mut script).await, &remote);
    added(&mut feed).await;
    let (nobody, remote) = (nobody.node_id(), remote.id());
    let (first, second): (Vec<_>, Vec<_>) = notebook
        .heard()
        .into_iter()
        .partition(|(_, id)| *id == nobody);
    assert_eq!(first, [("failed", nobody)]);
    assert_eq!(second, [("connected", remote), ("good", remote)]);
}

/// Dials `node`, and lets `decide` settle the dial. Returns the store's reports and the error.
async fn dialled(
    builder: ServerBuilder<ScriptedDialer<Enode>, TcpListener>,
    mut script: DialScript<Enode>,
    node: &Enode,
    decide: impl FnOnce(PendingDial<Enode>),
) -> (Vec<&'static str>, Option<DialOutcome>) {
    let notebook = Notebook::default();
    let server = builder.node_store(notebook.clone()).start().await.unwrap();
    let (result, ()) = tokio::join!(server.dial(node), async {
        decide(next_dial(&mut script).await);
    });
    let heard = notebook.heard();
    assert!(heard.iter().all(|(_, id)| *id == node.node_id()));
    let heard = heard.into_iter().map(|(what, _)| what).collect();
    (heard, result.err().map(|error| error.outcome()))
}

#[tokio::test(start_paused = true)]
async fn a_node_that_refuses_counts_as_there() {
    let full = Server::builder(key()).protocol(idle("test"));
    let full = full.configure(|config| config.with_max_peers(0));
    let full = full.start().await.unwrap();
    let useless = Server::builder(key()).protocol(idle("other"));
    let useless = useless.start().await.unwrap();
    for remote in [full, useless] {
        let (builder, script) = scripted();
        let node = at(&remote, &public(1));
        let told = dialled(builder, script, &node, |dial| reach(dial, &remote)).await;
        assert_eq!(told, (vec!["good"], Some(DialOutcome::There)));
    }
}

#[tokio::test(start_paused = true)]
async fn only_unreachability_counts_against_a_node() {
    let node = stranger(&public(1));
    let of_code = |code| RawError::from(io::Error::from_raw_os_error(code));
    // These codes mean: timed out, refused, host unreachable.
    for unreachable in [110, 111, 113].map(of_code) {
        let (builder, script) = scripted();
        let told = dialled(builder, script, &node, |dial| dial.fail(unreachable)).await;
        assert_eq!(told, (vec!["failed"], Some(DialOutcome::Unreachable)));
    }
    // These codes mean: not permitted; out of memory, descriptors, buffers and ports; no such
    // address family, no route to the network.
    for own in [1, 12, 24, 105, 99, 97, 101].map(of_code) {
        let (builder, script) = scripted();
        let told = dialled(builder, script, &node, |dial| dial.fail(own)).await;
        assert_eq!(told, (vec![], Some(DialOutcome::NotAttempted)));
    }
}

/// Any node that knows our key can make an ack, but no frame after.
#[tokio::test(start_paused = true)]
async fn a_node_that_does_not_prove_its_key_counts_as_unreachable() {
    let (node, impostor) = (stranger(&public(1)), remote().await);
    let (builder, script) = scripted();
    let told = dialled(builder, script, &node, |dial| reach(dial, &impostor)).await;
    assert_eq!(told, (vec!["failed"], Some(DialOutcome::Unreachable)));
}

#[tokio::test(start_paused = true)]
async fn banned_nodes_are_neither_dialled_nor_admitted() {
    let remote = remote().await;
    let notebook = Notebook::default();
    let node = at(&remote, "20.1.1.1:1");
    {
        let mut notes = notebook.0.lock().unwrap();
        notes.banned.push(remote.id());
        notes.banned_ips.push("20.2.1.1".parse().unwrap());
        notes.known = vec![node.clone(), stranger("20.2.1.1:1")];
    }
    let (listener, caller) = memory_listener();
    let (builder, mut script) = scripted();
    let builder = builder.node_store(notebook.clone());
    let server = builder.listener(listener).start().await.unwrap();
    let mut feed = server.subscribe_connections();
    for node in [node, stranger("20.2.1.1:1")] {
        let error = server.dial(&node).await.expect_err("banned");
        let cause = matches!(
            error,
            DialError::NotAllowed {
                cause: Refusal::Banned,
                ..
            }
        );
        assert!(cause, "{error}");
    }
    no_dial(&mut script, LONG).await;

    drop(caller.call("20.2.1.1:9".parse().unwrap()).await);
    let event = told(&mut feed).await;
    let banned = Refusal::Banned;
    assert!(matches!(event, ConnectionEvent::InboundRejected { cause, .. } if cause == banned));

    let stream = caller.call("20.3.1.1:9".parse().unwrap()).await;
    let key = *server.enode().public_key();
    // The node is refused once it has proven its identity.
    let peer = remote.dial_over(stream, &key).await.expect("connects");
    peer.ended().await;
    let ConnectionEvent::InboundFailed {
        addr, id, error, ..
    } = told(&mut feed).await
    else {
        panic!()
    };
    assert_eq!(
        (addr.to_string(), id),
        ("20.3.1.1:9".into(), Some(remote.id()))
    );
    assert!(matches!(*error, SetupError::Banned { .. }), "{error}");
}

/// A dialer that connects to a different address from the given one. This can happen with a name.
struct Astray(SocketAddr);

impl Dialer for Astray {
    type Addr = Enode;
    type Io = Generic<DuplexStream>;

    async fn dial(&self, _: &Enode) -> Result<Self::Io, RawError> {
        let (near, _) = duplex(64);
        Ok(Generic::with_addresses(near, self.0, self.0))
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_leads_to_a_banned_address_is_not_contacted() {
    for banned in ["20.2.1.1:1", "[::ffff:20.2.1.1]:1"] {
        let notebook = Notebook::default();
        notebook.0.lock().unwrap().banned_ips = vec!["20.2.1.1".parse().unwrap()];
        let dialer = Astray(banned.parse().unwrap());
        let builder = Server::builder(key()).dialer(dialer);
        let server = builder.node_store(notebook.clone()).start().await.unwrap();
        let url = format!("enode://{}@name.example:1", key().public_key());
        let error = server
            .dial(&url.parse().unwrap())
            .await
            .expect_err("banned");
        let cause = matches!(
            error,
            DialError::NotAllowed {
                cause: Refusal::Banned,
                ..
            }
        );
        assert!(cause, "{error}");
        assert_eq!(notebook.heard(), []);
    }
}

#[tokio::test(start_paused = true)]
async fn an_ipv4_address_that_a_socket_shows_inside_an_ipv6_one_is_the_ipv4_address() {
    let notebook = Notebook::default();
    notebook.0.lock().unwrap().banned_ips = vec!["20.2.1.1".parse().unwrap()];
    let (listener, caller) = memory_listener();
    let builder = Server::builder(key()).node_store(notebook);
    let server = builder.listener(listener).start().await.unwrap();
    let mut feed = server.subscribe_connections();
    drop(caller.call("[::ffff:20.2.1.1]:9".parse().unwrap()).await);
    let ConnectionEvent::InboundRejected { addr, cause } = told(&mut feed).await else {
        panic!()
    };
    assert_eq!(
        (addr.to_string(), cause),
        ("20.2.1.1:9".into(), Refusal::Banned)
    );
}

/// The store in this test is a real address book.
#[tokio::test]
async fn an_address_book_finds_nodes_and_learns_which_are_good() {
    let clock = SteadyClock::starting_at(SystemTime::UNIX_EPOCH + 1_000_000 * LONG);
    let config = AddressBookConfig::default();
    let loaded = AddressBook::load(MemoryStore::default(), config, clock).await;
    let (book, _persistence) = loaded.unwrap();
    let remote = remote().await;
    let node = at(&remote, &public(1));
    book.add(&node, Source::Own).unwrap();
    let (builder, mut script) = scripted();
    let server = builder.node_store(book.clone()).start().await.unwrap();
    let mut feed = server.subscribe();
    reach(next_dial(&mut script).await, &remote);
    added(&mut feed).await;
    assert!(book.entry(&remote.id()).unwrap().is_tried());

    let elsewhere = stranger(&public(2));
    book.ban(BanTarget::Node(elsewhere.node_id()), LONG, "for a test");
    let error = server.dial(&elsewhere).await.expect_err("banned");
    assert!(matches!(error, DialError::NotAllowed { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn records_of_nodes_are_in_the_information_about_them() {
    let (own, known) = (key(), key());
    let record = |key: &SecretKey| NodeRecord::builder(7).tcp(30303).sign(key).unwrap();
    let notebook = Notebook::default();
    notebook.0.lock().unwrap().records = vec![record(&known)];
    let builder = Server::builder(own.clone()).protocol(idle("test"));
    let builder = builder.record(record(&own)).node_store(notebook);
    let server = builder.start().await.unwrap();
    let known = Server::builder(known).protocol(idle("test"));
    let (known, unknown) = (known.start().await.unwrap(), remote().await);
    for node in [&known, &unknown] {
        call(&server, node).await.0.expect("connects");
    }

    assert_eq!(server.node_info().record, Some(server.record()));
    let info = serde_json::to_value(server.node_info()).unwrap();
    assert_eq!(info["record"], record(&own).to_string());
    assert_eq!(unknown.node_info().record, Some(unknown.record()));
    for info in server.peers_info() {
        assert_eq!(info.record.is_some(), info.node_id == known.id());
    }
    let views: Vec<_> = server.peer_views().collect();
    let views = serde_json::to_string(&views).unwrap();
    assert_eq!(views.matches("enr:").count(), 1);

    let foreign = Server::builder(key()).record(record(&own)).start().await;
    let error = foreign.map(drop).unwrap_err();
    assert!(matches!(error, StartError::ForeignRecord { of, .. } if of == server.id()));
}
