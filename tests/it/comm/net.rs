//! Nodes connected in memory, on demand and any number of times.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use peermux::comm::{
    Comm, Config, ConnectedPeer, Connector, IdentityProvider, PeerId, RemotePeer, Secp256k1Identity,
};
use peermux::driver::{PeerDriver, PeerOptions};
use peermux::rlpx::Legacy;
use peermux::setup::{Established, accept, initiate};
use peermux::{DialError, Enode, Hello, NodeId, Peer, Protocol, PublicKey, SecretKey};
use tokio::io::{DuplexStream, duplex};
use tokio_util::sync::CancellationToken;

pub(super) fn key() -> SecretKey {
    SecretKey::random(&mut rand::rng())
}

/// A network: which nodes are reachable, and the latency of dials.
#[derive(Clone, Default)]
pub(super) struct Net {
    hosts: Arc<Mutex<HashMap<NodeId, Host>>>,
    pub(super) dials: Arc<AtomicUsize>,
    latency: Arc<Mutex<Duration>>,
}

#[derive(Clone)]
struct Host {
    key: SecretKey,
    protocols: Vec<Protocol>,
    up: CancellationToken,
    peers: Arc<Mutex<Vec<Peer>>>,
}

/// A node with its communication layer.
pub(super) struct Node {
    pub(super) comm: Comm,
    pub(super) id: NodeId,
    key: PublicKey,
    net: Net,
}

impl Net {
    /// Sets how long each dial takes from now on, successful or not.
    pub(super) fn set_latency(&self, latency: Duration) {
        *self.latency.lock().unwrap() = latency;
    }

    pub(super) fn node(&self) -> Node {
        self.node_with(Config::default(), Secp256k1Identity::new(key()))
    }

    pub(super) fn node_with(&self, config: Config, identity: impl IdentityProvider) -> Node {
        self.node_at(key(), config, identity)
    }

    pub(super) fn node_at(
        &self,
        key: SecretKey,
        config: Config,
        identity: impl IdentityProvider,
    ) -> Node {
        self.node_through(key, config, identity, |link| link)
    }

    /// Returns a node with a custom connector. The connector may use the [`Link`] to the network
    /// that it is given.
    pub(super) fn node_through<C: Connector>(
        &self,
        key: SecretKey,
        config: Config,
        identity: impl IdentityProvider,
        connector: impl FnOnce(Link) -> C,
    ) -> Node {
        let (public, id) = (key.public_key(), key.public_key().node_id());
        let connector = connector(Link {
            net: self.clone(),
            own: id,
        });
        let (protocol, comm) =
            Comm::with_connector(config, id, identity, connector).expect("a valid identity");
        self.join(key, vec![protocol.into()]);
        Node {
            comm,
            id,
            key: public,
            net: self.clone(),
        }
    }

    /// Returns two nodes, the one with the smaller id first.
    pub(super) fn ordered_pair(&self) -> (Node, Node) {
        let (a, b) = (self.node(), self.node());
        if a.id < b.id { (a, b) } else { (b, a) }
    }

    /// Makes a node that speaks `protocols` reachable.
    pub(super) fn join(&self, key: SecretKey, protocols: Vec<Protocol>) -> RemotePeer {
        let public = key.public_key();
        let host = Host {
            key,
            protocols,
            up: CancellationToken::new(),
            peers: Arc::default(),
        };
        self.hosts.lock().unwrap().insert(public.node_id(), host);
        RemotePeer::at(Enode::incomplete(public))
    }

    fn host(&self, id: &NodeId) -> Option<Host> {
        self.hosts.lock().unwrap().get(id).cloned()
    }

    /// Removes a node from the network; its connections break without notice.
    pub(super) fn unplug(&self, id: &NodeId) {
        if let Some(host) = self.hosts.lock().unwrap().remove(id) {
            host.up.cancel();
        }
    }

    /// Connects two nodes; returns the dialler's handle.
    pub(super) async fn connect(&self, from: &NodeId, to: &NodeId) -> io::Result<Peer> {
        self.dials.fetch_add(1, Ordering::Relaxed);
        let latency = *self.latency.lock().unwrap();
        tokio::time::sleep(latency).await;
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let ours = self.host(from).ok_or_else(refused)?;
        let theirs = self.host(to).ok_or_else(refused)?;
        let (near, far) = duplex(64 << 10);
        let listener = theirs.clone();
        tokio::spawn(async move {
            let answer = async {
                let authenticated = accept(far, &listener.key, Legacy::Refuse).await?;
                authenticated.exchange_hello(&hello(&listener)).await
            };
            if let Ok(established) = answer.await {
                run(&listener, established);
            }
        });
        let remote = theirs.key.public_key();
        let authenticated = initiate(near, &ours.key, &remote)
            .await
            .map_err(io::Error::other)?;
        let established = authenticated
            .exchange_hello(&hello(&ours))
            .await
            .map_err(io::Error::other)?;
        Ok(run(&ours, established))
    }

    pub(super) fn dial_count(&self) -> usize {
        self.dials.load(Ordering::Relaxed)
    }

    /// Returns a node's transport connections that have not ended.
    pub(super) fn peers(&self, id: &NodeId) -> Vec<Peer> {
        let host = self.host(id).expect("reachable");
        let peers = host.peers.lock().unwrap();
        let open = peers.iter().filter(|peer| peer.outcome().is_none());
        open.cloned().collect()
    }
}

fn hello(host: &Host) -> Hello {
    let capabilities = host.protocols.iter().map(|one| one.capability().clone());
    Hello::new("test", capabilities.collect(), host.key.public_key())
}

fn run(host: &Host, established: Established<DuplexStream>) -> Peer {
    let driver = PeerDriver::new(established, &host.protocols, PeerOptions::default())
        .expect("codes fit into 64 bits");
    let peer = driver.peer().clone();
    host.peers.lock().unwrap().push(peer.clone());
    let up = host.up.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = driver.run() => {}
            () = up.cancelled() => {}
        }
    });
    peer
}

/// The connector of a node's communication layer.
pub(super) struct Link {
    net: Net,
    own: NodeId,
}

impl Connector for Link {
    async fn connect(&self, node: &Enode) -> Result<ConnectedPeer, DialError> {
        let id = node.node_id();
        let addr = None;
        let connected = self.net.connect(&self.own, &id).await;
        connected
            .map(ConnectedPeer::made)
            .map_err(|source| DialError::Connect {
                id,
                addr,
                source: source.into(),
            })
    }
}

impl Node {
    /// Returns the node's address and identity.
    pub(super) fn peer(&self) -> RemotePeer {
        RemotePeer::new(self.endpoint(), self.comm.id())
    }

    /// Returns the node's address without an identity.
    pub(super) fn anybody(&self) -> RemotePeer {
        RemotePeer::at(self.endpoint())
    }

    pub(super) fn under(&self, id: PeerId) -> RemotePeer {
        RemotePeer::new(self.endpoint(), id)
    }

    pub(super) fn endpoint(&self) -> Enode {
        Enode::incomplete(self.key)
    }

    /// Breaks all connections of the node without notice, and removes the node.
    pub(super) fn unplug(&self) {
        self.net.unplug(&self.id);
    }

    pub(super) async fn until_connected(&self, count: usize) {
        while self.comm.connection_count() != count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}
