//! Starts discovery.

#[cfg(feature = "discv5")]
use std::{io, sync::Arc};

#[cfg(feature = "discv5")]
use tokio::net::UdpSocket;
#[cfg(feature = "discv5")]
use tracing::warn;

use super::Discovery;
use super::counted::Counted;
use super::filter::RecordFilter;
use super::socket::Bound;
#[cfg(feature = "discv4")]
use super::source::Walk;
use crate::connmgr::{DialFilter, DynSource};
#[cfg(feature = "discv4")]
use crate::discv4::{Contact, Discv4, Discv4Builder};
#[cfg(all(feature = "discv4", feature = "discv5"))]
use crate::discv4::{DatagramSender, Inlet, UdpSender};
#[cfg(feature = "discv5")]
use crate::discv5::{Discv5, Discv5Events, Sockets};
use crate::metrics::NodeLabel;
use crate::node::{Enode, Node, NodeRecord, SecretKey};
use crate::server::StartError;
use crate::server::dial::nodes_of;

/// The running versions of discovery.
#[derive(Default)]
pub(crate) struct Running {
    /// The filter of nodes to dial.
    pub(super) filter: RecordFilter,
    #[cfg(feature = "discv4")]
    pub(crate) v4: Option<Discv4>,
    /// The inlet for packets of version 4, if version 5 owns the socket.
    #[cfg(all(feature = "discv4", feature = "discv5"))]
    pub(super) inlet: Option<Inlet>,
    /// Bootnodes whose record is unknown. Version 5 cannot use them until it has their records.
    #[cfg(all(feature = "discv4", feature = "discv5"))]
    pub(super) without_record: Vec<Enode>,
    #[cfg(feature = "discv5")]
    pub(crate) v5: Option<Discv5>,
    #[cfg(feature = "discv5")]
    pub(super) events: Option<Discv5Events>,
}

/// Starts the configured versions on a bound socket.
///
/// `key` and `record` are those of this node. `known` contains nodes that an earlier run found.
/// Discovery adds them after the bootnodes.
pub(crate) async fn start(
    discovery: Discovery,
    bound: Bound,
    key: &SecretKey,
    record: &NodeRecord,
    #[cfg_attr(
        not(feature = "discv4"),
        expect(unused_variables, reason = "version 5 begins with records")
    )]
    known: &[Enode],
) -> Result<Running, StartError> {
    let mut running = Running {
        filter: discovery.filter,
        ..Running::default()
    };
    #[cfg(feature = "discv4")]
    let v4 = discovery.v4.map(|config| {
        let boots = discovery.bootnodes.iter().map(Node::to_enode);
        let seeds = boots.chain(known.iter().cloned());
        let config = config.with_private_networks(bound.private_networks);
        Discv4::builder(key.clone(), record.clone())
            .config(config)
            .seeds(seeds.filter_map(|node| Contact::of_enode(&node)))
    });
    #[cfg(feature = "discv5")]
    if let Some(config) = discovery.v5 {
        #[cfg(feature = "discv4")]
        let v4 = v4.map(|builder| (builder, ByFamily::of(&bound)));
        let sockets = v5_sockets(bound.socket, bound.v4).map_err(StartError::DiscoverySocket)?;
        let mut builder = Discv5::builder(key.clone(), record.clone())
            .config(config.with_private_networks(bound.private_networks));
        for add in discovery.talks {
            builder = add(builder);
        }
        let (v5, events) = builder.start(sockets).await?;
        for node in discovery.bootnodes {
            match node {
                Node::Record(record) => {
                    if let Err(error) = v5.add(&record) {
                        warn!(%error, "Discovery v5 cannot use a bootnode");
                    }
                }
                #[cfg(feature = "discv4")]
                Node::Enode(node) => running.without_record.push(node),
                #[cfg(not(feature = "discv4"))]
                Node::Enode(node) => {
                    warn!(%node, "Discovery v5 needs the record of a bootnode");
                }
            }
        }
        running.v5 = Some(v5);
        running.events = Some(events);
        #[cfg(feature = "discv4")]
        if let Some((builder, sender)) = v4 {
            let sender = sender.map_err(StartError::DiscoverySocket)?;
            let (v4, inlet) = builder.attach(sender)?;
            running.v4 = Some(v4);
            running.inlet = Some(inlet);
        }
        return Ok(running);
    }
    #[cfg(feature = "discv4")]
    {
        let started = v4.map(|builder: Discv4Builder| builder.on(bound.socket));
        running.v4 = started.transpose()?;
    }
    Ok(running)
}

#[cfg(feature = "discv5")]
fn v5_sockets(socket: std::net::UdpSocket, v4: Option<std::net::UdpSocket>) -> io::Result<Sockets> {
    let shared = |socket: std::net::UdpSocket| {
        socket.set_nonblocking(true)?;
        UdpSocket::from_std(socket).map(Arc::new)
    };
    let socket = shared(socket)?;
    Ok(match v4 {
        Some(v4) => Sockets::both(shared(v4)?, socket),
        None => Sockets::one(socket)?,
    })
}

/// Sends packets of version 4 over the sockets of version 5.
#[cfg(all(feature = "discv4", feature = "discv5"))]
struct ByFamily {
    socket: UdpSender,
    /// For IPv4, if `socket` is for IPv6 alone.
    v4: Option<UdpSender>,
}

#[cfg(all(feature = "discv4", feature = "discv5"))]
impl ByFamily {
    fn of(bound: &Bound) -> io::Result<Self> {
        let v4 = bound.v4.as_ref().map(UdpSender::of);
        Ok(Self {
            socket: UdpSender::of(&bound.socket)?,
            v4: v4.transpose()?,
        })
    }
}

#[cfg(all(feature = "discv4", feature = "discv5"))]
impl DatagramSender for ByFamily {
    fn send(&self, to: std::net::SocketAddr, datagram: &[u8]) -> io::Result<()> {
        match &self.v4 {
            Some(v4) if to.is_ipv4() => v4.send(to, datagram),
            _ => self.socket.send(to, datagram),
        }
    }
}

impl Running {
    /// Returns which nodes of all sources may be dialled.
    ///
    /// These are the nodes whose record satisfies the filter, and the nodes that a source names
    /// without a record.
    pub(crate) fn wanted(&self) -> DialFilter<Node> {
        let filter = self.filter.clone();
        DialFilter::new(move |node: &Node| match node {
            Node::Record(record) => filter.allows(Some(record)),
            Node::Enode(_) => true,
        })
    }

    /// Creates a source of nodes to dial for each version.
    pub(crate) fn sources(&self, label: &NodeLabel) -> Vec<Box<dyn DynSource<Node>>> {
        let mut sources = Vec::new();
        #[cfg(feature = "discv4")]
        if let Some(v4) = &self.v4 {
            let walk = Walk::new(v4, self.filter.clone());
            sources.push(nodes_of(Counted::new(walk, label, "v4")));
        }
        #[cfg(feature = "discv5")]
        if let Some(v5) = &self.v5 {
            sources.push(nodes_of(Counted::new(v5.nodes(), label, "v5")));
        }
        sources
    }
}
