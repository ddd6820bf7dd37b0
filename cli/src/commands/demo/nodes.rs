//! The demo's nodes.

use std::sync::Arc;
use std::time::Duration;

use peermux::{
    EventStream, NodeId, Peer, PeerConfig, PeerEvent, PeerOutcome, Protocol, ProtocolSender,
    SecretKey, Server,
};
use peermux_protocols::bench::{self, Bench};
use peermux_protocols::echo::{self, Echo};
use tokio::sync::mpsc;

use super::protocols::{Slow, Teller, greet_v1, greet_v2, slow};
use super::report::MessageReport;
use crate::failure::Failure;
use crate::node;

/// The capacity of the queue of slow/1, in messages.
pub(super) const SLOW_QUEUE: usize = 64;
/// The total number of greetings and answers.
pub(super) const GREETINGS: usize = 4;
/// The stall limit of the demo's nodes, less than the default of 8 s.
const STALL_LIMIT: Duration = Duration::from_secs(1);

/// A node of the demo, with its events.
pub(super) struct Node {
    pub(super) name: &'static str,
    pub(super) server: Server,
    pub(super) bench: Bench,
    pub(super) echo: Echo,
    events: EventStream<PeerEvent>,
}

/// All nodes, and their reports.
pub(super) struct Nodes {
    pub(super) alice: Node,
    pub(super) bob: Node,
    pub(super) carol: Node,
    pub(super) messages: mpsc::Receiver<MessageReport>,
    pub(super) slow: mpsc::Receiver<ProtocolSender<Slow>>,
}

impl Nodes {
    pub(super) async fn start() -> Result<Self, Failure> {
        let (to, messages) = mpsc::channel(GREETINGS);
        let (senders, slow_senders) = mpsc::channel(1);
        let teller = |name| Teller {
            name,
            to: to.clone(),
        };
        let alice = vec![
            greet_v1(teller("alice")),
            greet_v2(teller("alice")),
            slow(senders.clone()),
        ];
        let bob = vec![greet_v2(teller("bob")), slow(senders)];
        let carol = vec![greet_v1(teller("carol"))];
        Ok(Self {
            alice: Node::start("alice", alice).await?,
            bob: Node::start("bob", bob).await?,
            carol: Node::start("carol", carol).await?,
            messages,
            slow: slow_senders,
        })
    }

    pub(super) fn all(&self) -> [&Node; 3] {
        [&self.alice, &self.bob, &self.carol]
    }

    pub(super) fn name_of(&self, id: &NodeId) -> &'static str {
        let mut nodes = self.all().into_iter();
        let node = nodes.find(|node| node.server.id() == *id);
        node.map_or("somebody", |node| node.name)
    }

    pub(super) async fn shut_down(self) {
        for node in self.all() {
            node::shut_down(&node.server).await;
        }
    }
}

impl Node {
    async fn start(name: &'static str, protocols: Vec<Protocol>) -> Result<Self, Failure> {
        let bench = Bench::new(bench::Config::default());
        let echo = Echo::new(echo::Config::default());
        let mut builder = Server::builder(SecretKey::generate())
            .configure(|config| config.with_name(format!("peermux-demo/{name}")))
            .listen(([127, 0, 0, 1], 0).into())
            .configure(|config| {
                config.with_peer(PeerConfig::default().with_stall_limit(STALL_LIMIT))
            })
            .protocol(echo.clone());
        if name != "carol" {
            builder = builder.protocol(bench.clone());
        }
        let builder = builder.protocols(protocols);
        let server = builder.start().await.map_err(Failure::because)?;
        let events = server.subscribe();
        Ok(Self {
            name,
            server,
            bench,
            echo,
            events,
        })
    }

    pub(super) async fn dial(&self, other: &Self) -> Result<Peer, Failure> {
        let dialled = self.server.dial(&other.server.enode()).await;
        dialled.map_err(Failure::because)
    }

    /// Waits until a peer of this node is dropped.
    pub(super) async fn next_drop(&mut self) -> Option<(NodeId, Arc<PeerOutcome>)> {
        loop {
            if let PeerEvent::Dropped { peer, outcome } = self.events.recv().await?.ok()? {
                return Some((peer.id(), outcome));
            }
        }
    }
}
