//! What a server tells its store of nodes, and asks it.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use peermux::addrbook::{
    AddressBook, AddressBookConfig, BanTarget, MemoryStore, Source, SteadyClock,
};
use peermux::connmgr::{ConnectError as RawError, Refusal};
use peermux::server::NodeStore;
use peermux::setup::SetupError;
use peermux::testing::memory_listener;
use peermux::{DialError, NodeId};

use super::*;

/// Knows some nodes, and writes down what it hears.
#[derive(Debug, Clone, Default)]
struct Notebook(Arc<Mutex<Notes>>);

#[derive(Debug, Default)]
struct Notes {
    known: Vec<Enode>,
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

    fn attempt(&self, node: &NodeId) {
        self.hear("attempt", *node);
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

    fn is_banned(&self, node: &NodeId) -> bool {
        self.0.lock().unwrap().banned.contains(node)
    }

    fn is_banned_ip(&self, ip: IpAddr) -> bool {
        self.0.lock().unwrap().banned_ips.contains(&ip)
    }
}

#[tokio::test(start_paused = true)]
async fn a_drawn_node_is_told_of_at_every_step() {
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
    assert_eq!(first, [("attempt", nobody), ("failed", nobody)]);
    let expected = [("attempt", remote), ("connected", remote), ("good", remote)];
    assert_eq!(second, expected);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_asked_for_counts_as_attempted() {
    let remote = remote().await;
    let notebook = Notebook::default();
    let (builder, mut script) = scripted();
    let server = builder.node_store(notebook.clone()).start().await.unwrap();
    let node = at(&remote, &public(1));
    let (result, ()) = tokio::join!(server.dial(&node), async {
        reach(next_dial(&mut script).await, &remote);
    });
    result.unwrap();
    let heard = notebook.heard();
    assert_eq!(heard.first(), Some(&("attempt", remote.id())));
    assert!(heard.contains(&("good", remote.id())));
}

#[tokio::test(start_paused = true)]
async fn who_is_banned_is_neither_dialled_nor_let_in() {
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
    remote.dial_over(stream, &key).await.expect_err("banned");
    let ConnectionEvent::InboundFailed { addr, id, error } = told(&mut feed).await else {
        panic!()
    };
    assert_eq!(
        (addr.to_string(), id),
        ("20.3.1.1:9".into(), Some(remote.id()))
    );
    assert!(matches!(*error, SetupError::Banned { .. }), "{error}");
}

/// The address book itself.
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
    let dial = next_dial(&mut script).await;
    assert!(book.entry(&remote.id()).unwrap().last_attempt().is_some());
    reach(dial, &remote);
    added(&mut feed).await;
    assert!(book.entry(&remote.id()).unwrap().is_tried());

    let elsewhere = stranger(&public(2));
    book.ban(BanTarget::Node(elsewhere.node_id()), LONG, "for a test");
    let error = server.dial(&elsewhere).await.expect_err("banned");
    assert!(matches!(error, DialError::NotAllowed { .. }), "{error}");
}
