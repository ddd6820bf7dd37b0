//! `peermux listen`: a node, and its peers' coming and going.

use std::fmt;

use clap::ValueEnum;
use peermux::{
    DisconnectReason, Endpoint, Enode, NodeId, Peer, PeerError, PeerEvent, PeerOutcome, Protocol,
    SecretKey, Server,
};
use peermux_protocols::bench::{self, Bench};
use peermux_protocols::chat::{self, Chat};
use peermux_protocols::echo::{self, Echo};
use serde::Serialize;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::CancellationToken;

use crate::explain;
use crate::failure::Failure;
use crate::node;
use crate::output::{CapabilityReport, Output, list, printable};

/// How many events may wait to be printed.
const EVENTS: usize = 4096;

const EXAMPLES: &str = "\
Examples:
  peermux listen --key-file node.key    always the same node
  peermux listen --addr 127.0.0.1:0 --protocol echo --protocol chat --json

The first line is the node's enode URL, printed once it accepts connections. Each further
line is a peer that came (peer_add) or went (peer_drop).";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Where to listen; port 0 picks a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "0.0.0.0:30303")]
    addr: Endpoint,
    /// How many peers to have at most; further ones are told so
    #[arg(long, value_name = "N", default_value_t = 50)]
    max_peers: usize,
    /// What to speak; can be repeated
    #[arg(long = "protocol", value_name = "NAME", value_delimiter = ',', default_values = ["bench", "echo"])]
    protocols: Vec<Offer>,
}

/// A protocol that the node can speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Offer {
    Bench,
    Chat,
    Echo,
}

impl Offer {
    fn protocol(self) -> Result<Protocol, Failure> {
        Ok(match self {
            Self::Bench => Bench::new(bench::Config::default()).into(),
            Self::Echo => Echo::new(echo::Config::default()).into(),
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
    key: SecretKey,
    out: Output,
    interrupted: &CancellationToken,
) -> Result<(), Failure> {
    let mut builder = Server::builder(key)
        .listen(node::resolve(&args.addr).await?)
        .max_peers(args.max_peers)
        .event_capacity(EVENTS);
    for offer in distinct(args.protocols) {
        builder = builder.protocol(offer.protocol()?);
    }
    let server = builder.start().await.map_err(Failure::because)?;
    let mut events = server.subscribe();
    let told = async {
        out.tell(&Listening::of(&server))?;
        report(&mut events, out).await
    };
    let result = tokio::select! {
        result = told => result,
        () = interrupted.cancelled() => Ok(()),
    };
    node::shut_down(&server).await;
    // The peers that were told of the end.
    drop(server);
    result.and(report(&mut events, out).await)
}

fn distinct(mut offers: Vec<Offer>) -> Vec<Offer> {
    offers.sort_by_key(|offer| *offer as u8);
    offers.dedup();
    offers
}

/// Prints what happens to peers until the node is gone.
async fn report(events: &mut broadcast::Receiver<PeerEvent>, out: Output) -> Result<(), Failure> {
    loop {
        match events.recv().await {
            Ok(event) => {
                if let Some(report) = PeerReport::of(&event) {
                    out.tell(&report)?;
                }
            }
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(missed, "output is too slow, events are lost");
            }
            Err(RecvError::Closed) => return Ok(()),
        }
    }
}
