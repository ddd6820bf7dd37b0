//! `peermux listen`: runs a node and prints its events.

mod refusals;
#[cfg(unix)]
mod reload;
mod report;
mod told;

use std::mem;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::{ArgGroup, ValueEnum};
use peermux::addrbook::BookConfig;
use peermux::dns::{Client, DnsResolver, Link};
use peermux::peer::PeerEvents;
use peermux::server::{Advertised, Discovery, Nat, NetList};
use peermux::{Endpoint, Enode, Node, Protocol, SecretKey, Server};
use peermux_cli::config::Config;
use peermux_cli::form;
use peermux_protocols::bench::{self, Bench};
use peermux_protocols::chat::{self, Chat};
use peermux_protocols::echo::{self, Echo};
#[cfg(unix)]
use tokio_util::sync::CancellationToken;

#[cfg(unix)]
use crate::admin::{self, Service, Socket};
use crate::bootnodes;
use crate::config_file;
use crate::data_dir::{self, DataDir, KeptBook};
use crate::dns_servers;
use crate::failure::Failure;
#[cfg(unix)]
use crate::kept_nodes::KeptNodes;
use crate::keys::KeyArgs;
use crate::last_events::LastEvents;
use crate::logs;
use crate::metrics::Serving;
use crate::networks::Network;
use crate::node;
use crate::output::Output;
use crate::signals::Interrupts;

pub(crate) use report::Listening;

/// The minimum number of events that can wait to be printed.
const EVENTS: usize = 4096;

/// The default address.
const ADDR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 30303);

const EXAMPLES: &str = "\
Examples:
  peermux listen --key-file node.key    always the same node
  peermux listen --data-dir node        that too, and it remembers the nodes it met
  peermux listen --addr 127.0.0.1:0 --protocol echo --protocol chat --json
  peermux listen --nat any              asks the router for a port, and puts it into the record
  peermux listen --static ENODE --config node.toml
  peermux listen --data-dir node --bootnode enr:...   finds nodes by itself, and is found
  peermux listen --data-dir node --network sepolia    the same, on a public network

The first line is the node's enode URL, printed once it accepts connections. discport is its UDP port
for discovery: 0 if it takes no part, left out if it is the port of --addr. The second line is the node's
record. Each further line is an event, after its time:
  peer_add            a peer has connected
  peer_drop           the connection to a peer has ended
  dial_failed         a dial failed; with the time until the next try, if there is one
  inbound_rejected    an inbound connection was closed before a byte was read
  inbound_failed      an inbound connection did not become a peer
  record_changed      the node's record has changed; with the addresses in it
inbound_rejected and inbound_failed are printed at most ten times in ten seconds, with the number of those
left out. A node never waits for its output to be read: lines without room are dropped, and counted in the
next line (lost).

A data directory holds the files
  key               the node's secret key, unless --key or --key-file gives one
  addresses.redb    the address book and the node database; a damaged one is renamed
  nodes.json        the nodes of `peermux peers add` and `peermux peers trust`
  record            the node's own record, whose number goes on after a restart
  admin.sock        the running node's socket for `peermux peers` and `top`, see `peermux peers --help`
The node does not start if other users can write to the directory, or read the key file or the address
book. It follows no symbolic links to them.

A configuration file is TOML, for example
  listen = \"0.0.0.0:30303\"
  max_peers = 25
  static_nodes = [\"enode://...@192.0.2.1:30303\"]
  net_restrict = \"10.0.0.0/8, 192.0.2.0/24\"
  redial_gap = \"35s\"
  peer.stall_limit = \"6s\"
  memory.per_peer = \"32 MiB\"
Its fields are those of ServerConfig in the library's documentation, metrics, like --metrics, and
log_level, like `peermux peers log-level` (-v and PEERMUX_LOG take precedence). Without a terminal SIGHUP
reads it again: limits, networks, lists of nodes and the log level change at once, and the line (reloaded)
names the settings that need a restart.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, group = ArgGroup::new("lists_of_nodes").multiple(true))]
pub(crate) struct Args {
    /// The address to listen on; port 0 picks a free port [default: 0.0.0.0:30303]
    #[arg(long, value_name = "HOST:PORT")]
    addr: Option<Endpoint>,
    /// The address for others to dial, if not --addr: behind a router, in a container
    #[arg(long, value_name = "HOST[:PORT]")]
    advertise: Option<Advertised>,
    /// How to be reached behind a router: any, upnp, pmp, pmp:IP, extip:IP or none
    ///
    /// any, upnp and pmp (PCP and NAT-PMP) ask the router to map the port; pmp:IP asks the router at IP.
    /// extip:IP sends no request: others reach the node at IP.
    #[arg(long, value_name = "HOW", default_value_t = Nat::None)]
    nat: Nat,
    /// The largest number of peers; further ones are refused [default: 50]
    #[arg(long, value_name = "N")]
    max_peers: Option<usize>,
    /// A protocol to offer; can be repeated
    #[arg(long = "protocol", value_name = "NAME", value_delimiter = ',', default_values = ["bench", "echo"])]
    protocols: Vec<Offer>,
    /// The largest message, in bytes, that bench and echo make or return for other machines
    #[arg(long, value_name = "BYTES", default_value_t = 64 << 10)]
    bench_max: usize,
    /// A node to keep connected: its enode URL or record; can be repeated
    #[arg(long = "static", value_name = "NODE", value_parser = node::dialable)]
    static_nodes: Vec<Enode>,
    /// A node to accept above the limit on peers, given like --static; can be repeated
    #[arg(long = "trusted", value_name = "NODE", value_parser = form::node)]
    trusted_nodes: Vec<Enode>,
    /// Networks that are exempt from the limits on strangers, such as 10.1.0.0/16,192.0.2.7
    #[arg(long, value_name = "NETWORKS")]
    whitelist: Option<NetList>,
    /// A directory for the node's key and known nodes; made if it is missing
    ///
    /// The node also dials known nodes: a third of the places for peers is reserved for them.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Find nodes and be found by Node Discovery: v4, v5 or, without a list, both
    ///
    /// The UDP port has the number of the port in --addr.
    #[arg(long, value_name = "VERSIONS", value_delimiter = ',', num_args = 0..=1, default_missing_values = ALL_VERSIONS)]
    discovery: Option<Vec<Version>>,
    /// A node to start discovery from: its record or its enode URL; can be repeated
    ///
    /// v5 alone needs a record. Without --discovery both versions run.
    #[arg(long = "bootnode", value_name = "NODE", value_parser = form::any)]
    bootnodes: Vec<Node>,
    /// A list in the DNS with nodes to dial, as enrtree://KEY@NAME; can be repeated
    #[arg(long = "dns", value_name = "LINK", group = "lists_of_nodes")]
    lists: Vec<Link>,
    /// A public network, with its bootnodes and its list in the DNS
    #[arg(long, value_name = "NAME", group = "lists_of_nodes")]
    network: Option<Network>,
    /// A DNS server for the lists; can be repeated [default: those of the system]
    #[arg(long = "dns-server", value_name = "IP[:PORT]", requires = "lists_of_nodes", value_parser = dns_servers::server)]
    dns_servers: Vec<SocketAddr>,
    /// Also remember and discover nodes on private networks and on this machine
    #[arg(long)]
    private_networks: bool,
    /// The path of the admin socket [default: admin.sock in the data directory]
    #[cfg(unix)]
    #[arg(long, value_name = "PATH")]
    admin: Option<PathBuf>,
    /// The address to serve metrics on, for Prometheus: /metrics, /healthz and /readyz
    ///
    /// Requests are not authenticated, so choose 127.0.0.1:PORT or an address of a private network.
    #[cfg(feature = "metrics")]
    #[arg(long, value_name = "IP:PORT")]
    metrics: Option<SocketAddr>,
    /// A TOML file with the node's configuration; options override it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// The versions that run if `--discovery` is given without a list.
#[cfg(feature = "discv5")]
const ALL_VERSIONS: &[&str] = &["v4", "v5"];
#[cfg(not(feature = "discv5"))]
const ALL_VERSIONS: &[&str] = &["v4"];

/// A version of the discovery protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Version {
    V4,
    #[cfg(feature = "discv5")]
    V5,
}

impl Args {
    /// Adds the bootnodes and the list of the public network, if one is named.
    fn with_network(mut self) -> Result<Self, Failure> {
        if let Some(network) = self.network {
            self.bootnodes.extend(network.bootnodes()?);
            self.lists.push(network.list().map_err(Failure::because)?);
        }
        Ok(self)
    }

    /// Returns the reader of the lists in the DNS, if there are any.
    fn dns(&self) -> Result<Option<Client<DnsResolver>>, Failure> {
        if self.lists.is_empty() {
            return Ok(None);
        }
        let resolver = dns_servers::resolver(&self.dns_servers)?;
        let client = Client::builder(resolver).build();
        client.map(Some).map_err(Failure::because)
    }

    /// Returns the settings of discovery, if the node takes part.
    fn discovery(&self) -> Option<Discovery> {
        let asked = self.discovery.as_ref();
        if asked.is_none() && self.bootnodes.is_empty() {
            return None;
        }
        let speaks = |version| asked.is_none_or(|asked| asked.contains(&version));
        let mut discovery = Discovery::new().with_bootnodes(self.bootnodes.iter().cloned());
        if !speaks(Version::V4) {
            discovery = discovery.with_v4(None);
        }
        #[cfg(feature = "discv5")]
        if !speaks(Version::V5) {
            discovery = discovery.with_v5(None);
        }
        if self.private_networks {
            discovery = discovery.with_private_networks(true);
        }
        Some(discovery)
    }

    /// Returns the configuration in the file, as overridden by options.
    async fn config(&self) -> Result<Settings, Failure> {
        let Config {
            server,
            metrics,
            log_level,
            ..
        } = match &self.config {
            Some(path) => config_file::read(path)?,
            None => Config::default(),
        };
        #[cfg(feature = "metrics")]
        let metrics = self.metrics.or(metrics);
        let log_level = logs::chosen_filter().or(log_level).unwrap_or_default();
        let config = server;
        let listen = match &self.addr {
            Some(addr) => node::resolve_all(addr).await?,
            None => vec![config.listen().unwrap_or(ADDR)],
        };
        let static_nodes = [config.static_nodes(), &self.static_nodes].concat();
        let trusted_nodes = [config.trusted_nodes(), &self.trusted_nodes].concat();
        let whitelist = self.whitelist.iter();
        let whitelist = whitelist.fold(config.whitelist().clone(), NetList::with);
        let max_peers = self.max_peers.unwrap_or(config.max_peers());
        let event_capacity = config.event_capacity().max(EVENTS);
        let advertise = self.advertise.clone().or(config.advertise().clone());
        let config = config
            .with_advertise(advertise)
            .with_max_peers(max_peers)
            .with_static_nodes(static_nodes)
            .with_trusted_nodes(trusted_nodes)
            .with_whitelist(whitelist)
            .with_event_capacity(event_capacity);
        Ok(Settings {
            config: Config::new(config, metrics, Some(log_level)),
            listen,
        })
    }

    /// Returns the node's key, and its address book if it has a data directory.
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

    /// Passes to the server the nodes that were added or trusted in earlier runs. Returns `None`
    /// without a data directory.
    #[cfg(unix)]
    async fn kept_nodes(&self, server: &Server) -> Result<Option<KeptNodes>, Failure> {
        let Some(folder) = &self.data_dir else {
            return Ok(None);
        };
        let kept = KeptNodes::open(data_dir::kept_nodes(folder))?;
        kept.apply(server).await;
        Ok(Some(kept))
    }

    /// Starts to serve the admin socket, if the node has one.
    #[cfg(unix)]
    fn service(
        socket: Option<Socket>,
        server: &Server,
        stop: &CancellationToken,
        metrics: Option<SocketAddr>,
        events: &LastEvents,
        kept: Option<KeptNodes>,
    ) -> Result<Option<Service>, Failure> {
        let node = admin::Node {
            server: server.clone(),
            stop: stop.clone(),
            kept,
            metrics,
            events: events.clone(),
        };
        let service = socket.map(|socket| Service::start(socket, node));
        service.transpose()
    }

    /// Returns the protocols to offer.
    fn protocols(&self) -> Result<Vec<Protocol>, Failure> {
        let offers = distinct(self.protocols.clone()).into_iter();
        offers.map(|offer| offer.protocol(self.bench_max)).collect()
    }

    /// Opens the admin socket, if the options ask for one.
    ///
    /// A node whose data directory cannot hold a socket runs without one.
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
                tracing::warn!(
                    "{error}; the node runs without an admin socket, --admin PATH gives it another path"
                );
                Ok(None)
            }
        }
    }
}

/// The settings that result from the options and the configuration file.
struct Settings {
    config: Config,
    /// The addresses to try to listen on. The node uses the first that works.
    listen: Vec<SocketAddr>,
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
                // The events with the peers' lines are dropped, because nobody reads them.
                let (chat, _) = Chat::new(config);
                chat.into()
            }
        })
    }
}

pub(crate) async fn run(
    args: Args,
    key: &KeyArgs,
    out: &Output,
    interrupts: &Interrupts,
) -> Result<(), Failure> {
    let stop = &interrupts.once;
    let mut args = args.with_network()?;
    // Subscribe before the file is read, so that a SIGHUP during the reading is not lost.
    #[cfg(unix)]
    let hangups = args.config.is_some().then(|| interrupts.hangups());
    // This can be interrupted, because resolving names may take long.
    let reading = async {
        args.bootnodes = bootnodes::with_addresses(mem::take(&mut args.bootnodes)).await;
        args.config().await
    };
    let Some(settings) = stop.run_until_cancelled(reading).await else {
        return Ok(());
    };
    let Settings {
        config,
        listen: addrs,
    } = settings?;
    if let Some(filter) = &config.log_level {
        logs::set_filter(filter).map_err(Failure::because)?;
    }
    let serving = match config.metrics {
        Some(addr) => Some(Serving::start(addr, stop.clone()).await?),
        None => None,
    };
    let (key, kept) = args.identity(key).await?;
    #[cfg(unix)]
    let socket = args.socket()?;
    let events = PeerEvents::new(config.server.event_capacity(), false);
    let feed = events.subscribe();
    let protocols = args.protocols()?;
    let dns = args.dns()?;
    let started = node::start(&addrs, || {
        let mut builder = Server::builder(key.clone())
            .config(config.server.clone())
            .nat(args.nat)
            .events(events.clone());
        let failures = builder.subscribe_connections();
        if let Some(kept) = &kept {
            builder = builder
                .node_store(kept.book())
                .stop_with("address book", kept.ended());
        }
        if let Some(folder) = &args.data_dir {
            builder = builder.record_file(data_dir::record(folder));
        }
        if let Some(dns) = &dns {
            builder = builder.source(dns.walk(args.lists.iter().cloned()));
        }
        if let Some(discovery) = args.discovery() {
            builder = builder.discovery(discovery);
        }
        (builder.protocols(protocols.iter().cloned()), failures)
    });
    let (server, failures) = started.await?;
    let last_events = LastEvents::default();
    #[cfg(unix)]
    let kept_nodes = args.kept_nodes(&server).await?;
    // The service is dropped last, because clients of the socket wait until the node has ended.
    #[cfg(unix)]
    let _service = {
        let served = serving.as_ref().map(Serving::addr);
        let kept = kept_nodes.clone();
        Args::service(socket, &server, stop, served, &last_events, kept)?
    };
    let reporter = told::Reporter::new(out, last_events);
    let feeds = (feed, failures);
    let telling = told::serve(&server, feeds, serving.as_ref(), &reporter, interrupts);
    #[cfg(unix)]
    let reloading = {
        let reload = hangups.map(|hangups| reload::Reload {
            args,
            config,
            kept: kept_nodes,
            hangups,
        });
        reload::run(reload, &server, &reporter)
    };
    #[cfg(not(unix))]
    let reloading = std::future::pending::<Result<(), Failure>>();
    let served = tokio::select! {
        // Check first whether the node has ended.
        biased;
        served = telling => served,
        never = reloading => never,
    };
    let closed = match kept {
        Some(kept) => kept.close().await,
        None => Ok(()),
    };
    served.and(closed)
}

fn distinct(mut offers: Vec<Offer>) -> Vec<Offer> {
    offers.sort_by_key(|offer| *offer as u8);
    offers.dedup();
    offers
}
