//! `peermux listen`: a node, and its peers' coming and going.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use peermux::addrbook::BookConfig;
use peermux::peer::PeerEvents;
use peermux::server::{Advertised, ConnectionEvent};
use peermux::{
    DialError, DisconnectReason, Endpoint, Enode, EventStream, NodeId, Peer, PeerError, PeerEvent,
    PeerOutcome, Protocol, SecretKey, Server, ServerConfig,
};
use peermux_cli::form;
use peermux_protocols::bench::{self, Bench};
use peermux_protocols::chat::{self, Chat};
use peermux_protocols::echo::{self, Echo};
use serde::Serialize;

#[cfg(unix)]
use crate::admin::{Service, Socket};
use crate::config_file;
#[cfg(unix)]
use crate::data_dir;
use crate::data_dir::{DataDir, KeptBook};
use crate::explain;
use crate::failure::Failure;
use crate::keys::KeyArgs;
use crate::node;
use crate::output::{CapabilityReport, Output, list, printable};
use crate::signals::Interrupts;

/// How many events may wait to be printed, at least.
const EVENTS: usize = 4096;

/// How many of them are printed in one go, at most.
const TOLD_AT_ONCE: usize = 64;

/// Where to listen if nobody says.
const ADDR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 30303);

const EXAMPLES: &str = "\
Examples:
  peermux listen --key-file node.key    always the same node
  peermux listen --data-dir node        that too, and it remembers whom it met
  peermux listen --addr 127.0.0.1:0 --protocol echo --protocol chat --json
  peermux listen --static ENODE --config node.toml

The first line is the node's enode URL, printed once it accepts connections; discport=0 says
that it takes no part in discovery. Each further line is a peer that came (peer_add) or went
(peer_drop), or a node that was dialled in vain (dial_failed), with the time until the next try
if there will be one. A node never waits for its output to be read: lines that find no room are
dropped, and counted in the next line (lost).

A data directory holds the files
  key               the node's secret key, unless --key or --key-file gives one
  addresses.redb    the address book and the node database; a damaged one is kept aside
  admin.sock        the running node's socket for `peermux peers`, see `peermux peers --help`
It is refused if other users can write to it, and so are a key file and an address book that
others can read. Symbolic links to any of them are not followed.

A configuration file is TOML, for example
  listen = \"0.0.0.0:30303\"
  max_peers = 25
  static_nodes = [\"enode://...@192.0.2.1:30303\"]
  net_restrict = \"10.0.0.0/8, 192.0.2.0/24\"
  redial_gap = \"35s\"
  peer.stall_limit = \"6s\"
  memory.per_peer = \"32 MiB\"
All its fields are those of ServerConfig in the library's documentation.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Where to listen; port 0 picks a free one [default: 0.0.0.0:30303]
    #[arg(long, value_name = "HOST:PORT")]
    addr: Option<Endpoint>,
    /// Where others can dial the node, if not at --addr: behind a router, in a container
    #[arg(long, value_name = "HOST[:PORT]")]
    advertise: Option<Advertised>,
    /// How many peers to have at most; further ones are told so [default: 50]
    #[arg(long, value_name = "N")]
    max_peers: Option<usize>,
    /// What to speak; can be repeated
    #[arg(long = "protocol", value_name = "NAME", value_delimiter = ',', default_values = ["bench", "echo"])]
    protocols: Vec<Offer>,
    /// The largest message that bench and echo make or return for others than this machine, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 64 << 10)]
    bench_max: usize,
    /// A node to be connected with for ever: its enode URL or record; can be repeated
    #[arg(long = "static", value_name = "NODE", value_parser = node::dialable)]
    static_nodes: Vec<Enode>,
    /// A node that is let in whatever the number of peers, likewise; can be repeated
    #[arg(long = "trusted", value_name = "NODE", value_parser = form::node)]
    trusted_nodes: Vec<Enode>,
    /// Where to keep the node's key and the nodes it knows, which it dials too: a third of the
    /// places for peers is kept for them. Made if there is none
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Remember addresses of private networks and of this machine too
    #[arg(long, requires = "data_dir")]
    private_networks: bool,
    /// Where to open the admin socket [default: admin.sock in the data directory]
    #[cfg(unix)]
    #[arg(long, value_name = "PATH")]
    admin: Option<PathBuf>,
    /// A TOML file with the node's configuration; options given here win
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Args {
    /// The configuration: the file's, and on top of it what was given as options. And where to
    /// listen: on one of these addresses.
    async fn config(&self) -> Result<(ServerConfig, Vec<SocketAddr>), Failure> {
        let config = match &self.config {
            Some(path) => config_file::read(path)?,
            None => ServerConfig::default(),
        };
        let listen = match &self.addr {
            Some(addr) => node::resolve_all(addr).await?,
            None => vec![config.listen().unwrap_or(ADDR)],
        };
        let static_nodes = [config.static_nodes(), &self.static_nodes].concat();
        let trusted_nodes = [config.trusted_nodes(), &self.trusted_nodes].concat();
        let max_peers = self.max_peers.unwrap_or(config.max_peers());
        let event_capacity = config.event_capacity().max(EVENTS);
        let advertise = self.advertise.clone().or(config.advertise().clone());
        let config = config
            .with_advertise(advertise)
            .with_max_peers(max_peers)
            .with_static_nodes(static_nodes)
            .with_trusted_nodes(trusted_nodes)
            .with_event_capacity(event_capacity);
        Ok((config, listen))
    }

    /// The node's key, and what it remembers if it has a data directory.
    async fn identity(&self, key: &KeyArgs) -> Result<(SecretKey, Option<KeptBook>), Failure> {
        let Some(path) = &self.data_dir else {
            return Ok((key.load_or_random()?, None));
        };
        let folder = DataDir::open(path)?;
        let key = key.load_or_keep(&folder.key())?;
        let admitted = BookConfig::default()
            .with_own_id(key.public_key().node_id())
            .with_private_networks(self.private_networks);
        let kept = KeptBook::open(&folder, admitted).await?;
        Ok((key, Some(kept)))
    }

    /// The socket at which the node takes commands, if it does. A data directory that can have none
    /// does not stop the node.
    #[cfg(unix)]
    fn socket(&self) -> Result<Option<Socket>, Failure> {
        if let Some(path) = &self.admin {
            return Socket::bind(path).map(Some).map_err(Failure::because);
        }
        let Some(folder) = &self.data_dir else {
            return Ok(None);
        };
        match Socket::bind(&data_dir::admin_socket(folder)) {
            Ok(socket) => Ok(Some(socket)),
            Err(error) if error.is_taken => Err(Failure::because(error)),
            Err(error) => {
                tracing::warn!("{error}; the node runs without one, --admin PATH gives it another");
                Ok(None)
            }
        }
    }
}

/// A protocol that the node can speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Offer {
    Bench,
    Chat,
    Echo,
}

impl Offer {
    fn protocol(self, bench_max: usize) -> Result<Protocol, Failure> {
        Ok(match self {
            Self::Bench => {
                let config = bench::Config::default();
                Bench::new(config.with_max_size_for_strangers(bench_max)).into()
            }
            Self::Echo => {
                let config = echo::Config::default();
                Echo::new(config.with_max_size_for_strangers(bench_max)).into()
            }
            Self::Chat => {
                let config = chat::Config::new("listener").map_err(Failure::because)?;
                // Nobody reads along here.
                let (chat, _) = Chat::new(config);
                chat.into()
            }
        })
    }
}

/// The node accepts connections.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename = "listening")]
pub(crate) struct Listening {
    enode: Enode,
}

impl Listening {
    pub(crate) fn of(server: &Server) -> Self {
        if server.is_stand_in() {
            tracing::warn!(
                "the node listens on all addresses, and its URL has one that only this machine can dial; --advertise HOST[:PORT] names one for others"
            );
        }
        let enode = server.enode();
        Self { enode }
    }
}

impl fmt::Display for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.enode.fmt(f)
    }
}

/// Who a peer is.
#[derive(Debug, Serialize)]
pub(crate) struct About {
    node_id: NodeId,
    addr: Option<String>,
    direction: &'static str,
    client: String,
    capabilities: Vec<CapabilityReport>,
}

impl About {
    fn new(peer: &Peer) -> Self {
        Self {
            node_id: peer.id(),
            addr: peer.remote_addr().map(|addr| addr.to_string()),
            direction: peer.direction().as_str(),
            client: peer.hello().client_text(),
            capabilities: peer.shared_capabilities().iter().map(Into::into).collect(),
        }
    }
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addr = self.addr.as_deref().unwrap_or("-");
        let Self {
            node_id,
            direction,
            client,
            ..
        } = self;
        write!(
            f,
            "{node_id} {direction} {addr} {client} [{}]",
            list(&self.capabilities)
        )
    }
}

/// What happened to a peer.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum PeerReport {
    PeerAdd(About),
    PeerDrop {
        #[serde(flatten)]
        about: About,
        reason: Option<DisconnectReason>,
        requested_by: &'static str,
        /// For people, who get the whole story.
        #[serde(skip)]
        ending: String,
    },
}

impl PeerReport {
    /// The report on an event, if the event is about a peer's coming or going.
    pub(crate) fn of(event: &PeerEvent) -> Option<Self> {
        match event {
            PeerEvent::Added { peer } => Some(Self::PeerAdd(About::new(peer))),
            PeerEvent::Dropped { peer, outcome } => Some(Self::dropped(peer, outcome)),
            _ => None,
        }
    }

    fn dropped(peer: &Peer, outcome: &PeerOutcome) -> Self {
        Self::PeerDrop {
            about: About::new(peer),
            reason: outcome.error.reason(),
            requested_by: requested_by(&outcome.error),
            ending: printable(&explain::ending(&outcome.error)),
        }
    }
}

/// A node was dialled, and is no peer.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename = "dial_failed")]
struct DialReport {
    node_id: NodeId,
    addr: Option<String>,
    error: String,
    /// Milliseconds until it is dialled again, if it is.
    retry_in_ms: Option<u64>,
}

impl DialReport {
    /// The report on an event, if it is about a dial. That a static node is connected by its own
    /// dial is no failure of ours.
    fn of(event: &ConnectionEvent) -> Option<Self> {
        let ConnectionEvent::DialFailed {
            node,
            error,
            retry_in,
            ..
        } = event
        else {
            return None;
        };
        let connected = DisconnectReason::ALREADY_CONNECTED;
        if matches!(error, DialError::Unwanted { reason, .. } if *reason == connected) {
            return None;
        }
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Some(Self {
            node_id: node.node_id(),
            addr: node.endpoint().map(host_and_port),
            error: error.to_string(),
            retry_in_ms: retry_in.map(millis),
        })
    }
}

/// Without the port for discovery.
fn host_and_port(endpoint: &Endpoint) -> String {
    format!("{}:{}", endpoint.host, endpoint.tcp)
}

impl fmt::Display for DialReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dial_failed {}", printable(&self.error))?;
        match self.retry_in_ms {
            Some(millis) => write!(f, ", next try in {} s", millis.div_ceil(1000)),
            None => Ok(()),
        }
    }
}

/// Who ended a peer; `io` where no Disconnect went either way.
pub(crate) fn requested_by(error: &PeerError) -> &'static str {
    if error.remote_requested() {
        "remote"
    } else if error.reason().is_some() {
        "local"
    } else {
        "io"
    }
}

impl fmt::Display for PeerReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PeerAdd(about) => write!(f, "peer_add {about}"),
            Self::PeerDrop { about, ending, .. } => write!(f, "peer_drop {about}: {ending}"),
        }
    }
}

pub(crate) async fn run(
    args: Args,
    key: &KeyArgs,
    out: &Output,
    interrupts: &Interrupts,
) -> Result<(), Failure> {
    let stop = &interrupts.once;
    // A name may take long to resolve.
    let Some(config) = stop.run_until_cancelled(args.config()).await else {
        return Ok(());
    };
    let (config, addrs) = config?;
    let (key, kept) = args.identity(key).await?;
    #[cfg(unix)]
    let socket = args.socket()?;
    let events = PeerEvents::new(config.event_capacity(), false);
    let feed = events.subscribe();
    let protocol = |offer: Offer| offer.protocol(args.bench_max);
    let protocols = distinct(args.protocols).into_iter().map(protocol);
    let protocols: Vec<_> = protocols.collect::<Result<_, _>>()?;
    let started = node::start(&addrs, || {
        let mut builder = Server::builder(key.clone())
            .config(config.clone())
            .events(events.clone());
        let failures = builder.subscribe_connections();
        if let Some(kept) = &kept {
            builder = builder
                .node_store(kept.book())
                .stop_with("address book", kept.ended());
        }
        for protocol in &protocols {
            builder = builder.protocol(protocol.clone());
        }
        (builder, failures)
    });
    let (server, failures) = started.await?;
    // Its connections close when all else has ended.
    #[cfg(unix)]
    let _service = socket
        .map(|socket| Service::start(socket, server.clone(), stop.clone()))
        .transpose()?;
    let served = serve(&server, (feed, failures), out, interrupts).await;
    let closed = match kept {
        Some(kept) => kept.close().await,
        None => Ok(()),
    };
    served.and(closed)
}

/// What happens to peers, and to connections that do not become peers.
type Feeds = (EventStream<PeerEvent>, EventStream<ConnectionEvent>);

/// Tells what happens to a node's peers until it is to stop, and ends it.
async fn serve(
    server: &Server,
    (mut events, mut failures): Feeds,
    out: &Output,
    interrupts: &Interrupts,
) -> Result<(), Failure> {
    let told = async {
        out.tell(&Listening::of(server))?;
        tokio::try_join!(
            report(&mut events, out, |event| Ok(PeerReport::of(event))),
            report(&mut failures, out, |event| {
                still_listens(event)?;
                Ok(DialReport::of(event))
            })
        )
    };
    let result = tokio::select! {
        // A failure that is ready comes first.
        biased;
        result = told => result.map(drop),
        stopped = server.stopped() => stopped.map_err(Failure::because),
        () = interrupts.once.cancelled() => Ok(()),
    };
    let ended = tokio::select! {
        // A node that is down needs no haste.
        biased;
        () = node::shut_down(server) => Ok(()),
        () = interrupts.twice.cancelled() => {
            node::abort(server).await;
            Err(Failure::in_haste())
        }
    };
    let told = report_rest(&mut events, out);
    result.and(ended).and(told)
}

fn distinct(mut offers: Vec<Offer>) -> Vec<Offer> {
    offers.sort_by_key(|offer| *offer as u8);
    offers.dedup();
    offers
}

/// Prints what happens until the node is gone, as far as there is something to tell of it.
async fn report<E: Clone + Send + 'static, R: Serialize + fmt::Display>(
    events: &mut EventStream<E>,
    out: &Output,
    report_of: impl Fn(&E) -> Result<Option<R>, Failure>,
) -> Result<(), Failure> {
    loop {
        let mut reports = Vec::new();
        match events.recv().await {
            Some(Ok(event)) => reports.extend(report_of(&event)?),
            Some(Err(missed)) => out.lose(missed.events),
            None => return Ok(()),
        }
        // Nothing is awaited before it is told: the node's end would take it along.
        take_waiting(events, out, &report_of, &mut reports)?;
        out.tell_all(&reports)?;
    }
}

/// Prints what has happened to peers, such as those that were told of the node's end.
fn report_rest(events: &mut EventStream<PeerEvent>, out: &Output) -> Result<(), Failure> {
    loop {
        let mut reports = Vec::new();
        take_waiting(
            events,
            out,
            &|event| Ok(PeerReport::of(event)),
            &mut reports,
        )?;
        if reports.is_empty() {
            return Ok(());
        }
        out.tell_all(&reports)?;
    }
}

/// Takes what has happened and was not told, as much as is told at once.
fn take_waiting<E: Clone + Send + 'static, R>(
    events: &mut EventStream<E>,
    out: &Output,
    report_of: &impl Fn(&E) -> Result<Option<R>, Failure>,
    reports: &mut Vec<R>,
) -> Result<(), Failure> {
    while reports.len() < TOLD_AT_ONCE {
        match events.try_recv() {
            Some(Ok(event)) => reports.extend(report_of(&event)?),
            Some(Err(missed)) => out.lose(missed.events),
            None => return Ok(()),
        }
    }
    Ok(())
}

/// A node that accepts nothing any more ends, and says why: it was started to be found.
fn still_listens(event: &ConnectionEvent) -> Result<(), Failure> {
    match event {
        ConnectionEvent::ListenerFailed { left: 0, error, .. } => Err(Failure::because(format!(
            "cannot accept connections any more: {error}"
        ))),
        _ => Ok(()),
    }
}
