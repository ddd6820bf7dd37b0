//! The sources of nodes: discovery, and lists in the DNS.

use std::collections::HashSet;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use peermux::discv4::{Contact, Discv4, Discv4Config, Discv4Error, Found};
use peermux::dns::{Client, DnsResolver, Link, Walk};
use peermux::{Enode, EventStream, Node, NodeRecord, SecretKey};
use peermux_cli::node_file::{Source, UnixTime};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::permitted::Permitted;
use crate::failure::Failure;
#[cfg(feature = "discv5")]
use crate::udp::V5;
use crate::udp::{self, NotBound, V4};

/// The capacity of the queue of news. A source waits while the queue is full.
const NEWS: usize = 256;

/// How many lookups run at once in each version of discovery.
const WALKERS: usize = 4;

/// The pause between two lookups of a walker.
const PAUSE: Duration = Duration::from_millis(500);

/// How many nodes of a list are passed to discovery.
///
/// Discovery needs these nodes if the user gives a list and no node to start from.
const INTRODUCED: usize = 32;

/// A list of `n` nodes counts as read after `n` plus this many repetitions.
const REPEATED: usize = 16;

/// The maximum number of nodes that are read from a list.
const LONGEST_LIST: usize = 100_000;

/// News from a source of nodes.
#[derive(Debug)]
pub(super) enum News {
    /// The source named a node. If `proven` is set, the node has answered.
    Found {
        node: Node,
        source: Source,
        proven: bool,
    },
    /// A lookup has ended, with or without an answer.
    LookedUp { version: Source, answered: bool },
    /// A list was read, or cannot be read.
    ListRead,
}

/// What discovery starts with.
#[derive(Debug, Clone)]
pub(super) struct Start {
    pub(super) key: SecretKey,
    pub(super) permitted: Permitted,
    pub(super) seeds: Vec<Node>,
    pub(super) v4: bool,
    #[cfg(feature = "discv5")]
    pub(super) v5: bool,
}

impl Start {
    /// Returns the wanted versions of discovery.
    pub(super) fn versions(&self) -> Vec<Source> {
        let v4 = self.v4.then_some(Source::V4);
        #[cfg(feature = "discv5")]
        let v5 = self.v5.then_some(Source::V5);
        #[cfg(not(feature = "discv5"))]
        let v5 = None;
        v4.into_iter().chain(v5).collect()
    }
}

/// The sources, which end on drop.
#[derive(Debug)]
pub(super) struct Sources {
    news: mpsc::Sender<News>,
    tasks: JoinSet<()>,
    v4: Option<Discv4>,
    #[cfg(feature = "discv5")]
    v5: Option<peermux::discv5::Discv5>,
}

impl Sources {
    /// Starts the wanted versions of discovery.
    pub(super) async fn start(
        start: Start,
        now: UnixTime,
    ) -> Result<(Self, mpsc::Receiver<News>), Failure> {
        let (news, taken) = mpsc::channel(NEWS);
        let mut sources = Self {
            news,
            tasks: JoinSet::new(),
            v4: None,
            #[cfg(feature = "discv5")]
            v5: None,
        };
        // The record has no address, so that no node dials the crawler.
        let record = NodeRecord::builder(now.millis())
            .sign(&start.key)
            .map_err(Failure::because)?;
        if start.v4 {
            sources.start_v4(&start, record.clone())?;
        }
        #[cfg(feature = "discv5")]
        if start.v5 {
            sources.start_v5(&start, record).await?;
        }
        Ok((sources, taken))
    }

    /// Returns Discovery v4, if it runs.
    pub(super) fn v4(&self) -> Option<&Discv4> {
        self.v4.as_ref()
    }

    fn start_v4(&mut self, start: &Start, record: NodeRecord) -> Result<(), Failure> {
        let private = start.permitted.private_networks();
        let seeds = start.seeds.iter().map(Node::to_enode);
        let seeds = seeds.filter(|seed| start.permitted.asks(seed));
        let contacts: Vec<_> = seeds.filter_map(|seed| Contact::of_enode(&seed)).collect();
        let addrs = contacts.iter().map(Contact::udp_addr);
        let socket = bind(addrs).map_err(Failure::because)?;
        let v4 = Discv4::builder(start.key.clone(), record)
            .config(Discv4Config::default().with_private_networks(private))
            .seeds(contacts)
            .on(socket)
            .map_err(Failure::because)?;
        self.tasks.spawn(tell_found(v4.found(), self.news.clone()));
        for _ in 0..WALKERS {
            self.tasks.spawn(walk_v4(v4.clone(), self.news.clone()));
        }
        self.v4 = Some(v4);
        Ok(())
    }

    #[cfg(feature = "discv5")]
    async fn start_v5(&mut self, start: &Start, record: NodeRecord) -> Result<(), Failure> {
        use std::sync::Arc;

        use futures::StreamExt;
        use peermux::discv5::{Discv5, Discv5Config, Sockets};

        let mut addrs = start.seeds.iter().filter_map(|seed| {
            let endpoint = seed.endpoint()?.into_owned();
            endpoint.socket_addr()
        });
        // The socket is for the address family of the first seed.
        let socket = udp::bind(V5, unspecified(addrs.next())).map_err(Failure::because)?;
        let socket = tokio::net::UdpSocket::from_std(socket).map_err(Failure::because)?;
        let sockets = Sockets::one(Arc::new(socket)).map_err(Failure::because)?;
        let (v5, _) = Discv5::builder(start.key.clone(), record)
            .config(
                Discv5Config::default().with_private_networks(start.permitted.private_networks()),
            )
            .start(sockets)
            .await
            .map_err(Failure::because)?;
        let (v4, seeds) = (self.v4.clone(), start.seeds.clone());
        let permitted = start.permitted;
        let introduced = v5.clone();
        self.tasks.spawn(async move {
            let seeds = seeds.into_iter();
            let seeds = seeds.filter(|seed| permitted.asks(&seed.to_enode()));
            let (v4, v5) = (v4.as_ref(), &introduced);
            let introduced =
                futures::stream::iter(seeds).for_each_concurrent(INTRODUCED, |seed| async move {
                    introduce(v4, Some(v5), &seed).await;
                });
            introduced.await;
        });
        for _ in 0..WALKERS {
            self.tasks.spawn(walk_v5(v5.clone(), self.news.clone()));
        }
        self.v5 = Some(v5);
        Ok(())
    }

    /// Reads lists in the DNS.
    pub(super) fn read_lists(
        &mut self,
        client: &Client<DnsResolver>,
        lists: &[Link],
        permitted: Permitted,
    ) {
        for list in lists {
            let reader = ListReader {
                walk: client.walk([list.clone()]),
                v4: self.v4.clone(),
                #[cfg(feature = "discv5")]
                v5: self.v5.clone(),
                permitted,
            };
            self.tasks.spawn(reader.read(self.news.clone()));
        }
    }

    /// Ends discovery.
    pub(super) async fn stop(mut self) {
        self.tasks.shutdown().await;
        if let Some(v4) = &self.v4 {
            v4.shutdown().await;
        }
        #[cfg(feature = "discv5")]
        if let Some(v5) = &self.v5 {
            v5.shutdown();
        }
    }
}

/// Binds a socket for IPv4 and IPv6; if that fails, for the first seed's family.
fn bind(mut seeds: impl Iterator<Item = SocketAddr>) -> Result<UdpSocket, NotBound> {
    let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
    udp::bind(V4, any).or_else(|_| udp::bind(V4, unspecified(seeds.next())))
}

/// Returns the unspecified address of the same family as `of`, by default IPv4.
fn unspecified(of: Option<SocketAddr>) -> SocketAddr {
    let ip = match of {
        Some(SocketAddr::V6(_)) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        _ => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    };
    SocketAddr::new(ip, 0)
}

/// Forwards nodes that have proven their address.
async fn tell_found(mut found: EventStream<Found>, news: mpsc::Sender<News>) {
    while let Some(event) = found.recv().await {
        // Nodes in missed events are found again by a later lookup.
        let Ok(Found {
            contact, record, ..
        }) = event
        else {
            continue;
        };
        let node = record.map_or_else(|| contact.to_enode().into(), Node::Record);
        if tell(&news, node, Source::V4, true).await.is_none() {
            return;
        }
    }
}

/// Sends a node; `None` if the receiver is gone.
async fn tell(news: &mpsc::Sender<News>, node: Node, source: Source, proven: bool) -> Option<()> {
    let found = News::Found {
        node,
        source,
        proven,
    };
    news.send(found).await.ok()
}

/// Sends the end of a lookup; `None` if the receiver is gone.
async fn looked_up(news: &mpsc::Sender<News>, version: Source, answered: bool) -> Option<()> {
    let ended = News::LookedUp { version, answered };
    news.send(ended).await.ok()
}

/// Looks up random targets until the receiver is gone.
async fn walk_v4(v4: Discv4, news: mpsc::Sender<News>) {
    loop {
        let found = match v4.random_lookup().await {
            Ok(done) => done.nodes,
            Err(Discv4Error::Busy { .. }) => Vec::new(),
            Err(_) => return,
        };
        let answered = !found.is_empty();
        for contact in found {
            let node = contact.to_enode().into();
            if tell(&news, node, Source::V4, true).await.is_none() {
                return;
            }
        }
        if looked_up(&news, Source::V4, answered).await.is_none() {
            return;
        }
        sleep(PAUSE).await;
    }
}

#[cfg(feature = "discv5")]
async fn walk_v5(v5: peermux::discv5::Discv5, news: mpsc::Sender<News>) {
    while let Ok(found) = v5.lookup(&random_id()).await {
        let answered = !found.is_empty();
        for record in found {
            // Another node has sent the record, so it does not prove that the node itself can be reached.
            let node = Node::Record(record);
            if tell(&news, node, Source::V5, false).await.is_none() {
                return;
            }
        }
        if looked_up(&news, Source::V5, answered).await.is_none() {
            return;
        }
        sleep(PAUSE).await;
    }
}

#[cfg(feature = "discv5")]
fn random_id() -> peermux::NodeId {
    peermux::NodeId::from_bytes(rand::random())
}

/// Passes a node to both versions of discovery, for them to start from.
async fn introduce(
    v4: Option<&Discv4>,
    #[cfg(feature = "discv5")] v5: Option<&peermux::discv5::Discv5>,
    node: &Node,
) {
    let enode: Enode = node.to_enode();
    let fetched = match v4 {
        Some(v4) => v4.request_record(&enode).await,
        None => Err(Discv4Error::NoAddress { id: node.node_id() }),
    };
    #[cfg(feature = "discv5")]
    if let Some(v5) = v5 {
        let record = match (fetched, node) {
            (Ok(record), _) => record,
            (Err(_), Node::Record(record)) => record.clone(),
            (Err(error), Node::Enode(_)) => {
                tracing::debug!(%enode, %error, "no record of a first node");
                return;
            }
        };
        if let Err(error) = v5.add(&record) {
            tracing::debug!(%enode, %error, "cannot use a node for Discovery v5");
        }
    }
    #[cfg(not(feature = "discv5"))]
    if let Err(error) = fetched {
        tracing::debug!(%enode, %error, "a first node does not answer");
    }
}

/// Reads a list, and the lists that it links to.
struct ListReader {
    walk: Walk<DnsResolver>,
    v4: Option<Discv4>,
    #[cfg(feature = "discv5")]
    v5: Option<peermux::discv5::Discv5>,
    permitted: Permitted,
}

impl ListReader {
    /// Reads until no new node comes. A walk has no end, because it reads its lists again and again.
    async fn read(mut self, news: mpsc::Sender<News>) {
        let (mut known, mut repeated) = (HashSet::new(), 0);
        while repeated <= known.len() + REPEATED && known.len() < LONGEST_LIST {
            let record = match self.walk.next().await {
                Some(Ok(record)) => record,
                Some(Err(error)) => {
                    tracing::warn!(%error, "a list in the DNS");
                    repeated += 1;
                    continue;
                }
                None => break,
            };
            if !known.insert(record.node_id()) {
                repeated += 1;
                continue;
            }
            repeated = 0;
            let node = Node::Record(record);
            if known.len() <= INTRODUCED && self.permitted.asks(&node.to_enode()) {
                self.introduce(&node).await;
            }
            if tell(&news, node, Source::Dns, false).await.is_none() {
                return;
            }
        }
        // The receiver may be gone already.
        let _ = news.send(News::ListRead).await;
    }

    fn introduce(&self, node: &Node) -> impl Future<Output = ()> {
        introduce(
            self.v4.as_ref(),
            #[cfg(feature = "discv5")]
            self.v5.as_ref(),
            node,
        )
    }
}
