//! `peermux peers`: looks at a running node, and changes whom it keeps connected.

use std::fmt;
use std::path::PathBuf;

use clap::Subcommand;
use peermux::peer::{NodeInfo, PeerInfo};
use peermux::{Enode, NodeId};
use peermux_cli::request::{Request, Whom};
use serde::{Deserialize, Serialize};

use crate::admin::Client;
use crate::data_dir;
use crate::failure::Failure;
use crate::node;
use crate::output::{Output, printable};

const EXAMPLES: &str = "\
Examples:
  peermux listen --data-dir node        the node, in another terminal
  peermux peers --data-dir node         its peers, one a line
  peermux peers --data-dir node add ENODE
  peermux peers --data-dir node stop

The node's socket (admin.sock in its data directory, mode 0600) takes JSON lines, one request
a line, and answers each with one line, {\"ok\":...} or {\"error\":\"...\"}:
  {\"command\":\"peers\"}
  {\"command\":\"node-info\"}
  {\"command\":\"add\",\"enode\":\"enode://...\"}
  {\"command\":\"remove\",\"node\":\"NODE\"}     NODE is a node id, an enode URL or a record
  {\"command\":\"trust\",\"node\":\"NODE\"}
  {\"command\":\"distrust\",\"node\":\"NODE\"}
  {\"command\":\"stop\"}";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Asks for something else than the peers
    #[command(subcommand)]
    action: Option<Action>,
    /// The data directory of the node
    #[arg(long, global = true, value_name = "DIR", conflicts_with = "admin")]
    data_dir: Option<PathBuf>,
    /// The node's admin socket, if it is not in a data directory
    #[arg(long, global = true, value_name = "PATH")]
    admin: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Keep a node connected from now on
    Add {
        /// The node: its enode URL or record
        #[arg(value_parser = node::dialable)]
        node: Enode,
    },
    /// Keep a node connected no more, and disconnect it
    Remove {
        /// The node: its id, its enode URL or its record
        node: Whom,
    },
    /// Let a node in whatever the number of peers
    Trust {
        /// The node: its id, its enode URL or its record
        node: Whom,
    },
    /// Take that back
    Distrust {
        /// The node: its id, its enode URL or its record
        node: Whom,
    },
    /// Show what the node tells about itself
    Info,
    /// End the node, and wait for that
    Stop,
}

impl Args {
    fn socket(&self) -> Result<PathBuf, Failure> {
        let in_folder = self.data_dir.as_deref().map(data_dir::admin_socket);
        in_folder.or_else(|| self.admin.clone()).ok_or_else(|| {
            Failure::Usage("--data-dir DIR or --admin PATH is needed: which node to ask".to_owned())
        })
    }
}

/// One line of the table.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
struct Row(PeerInfo);

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PeerInfo {
            id,
            name,
            caps,
            network,
            ..
        } = &self.0;
        let direction = match network.inbound {
            true => "inbound",
            false => "outbound",
        };
        let addr = match network.remote_address.as_str() {
            "" => "-",
            addr => addr,
        };
        let text = format!("{id} {direction} {addr} {name} [{}]", caps.join(", "));
        f.write_str(&printable(&text))?;
        if network.static_dialled {
            f.write_str(" static")?;
        }
        if network.trusted {
            f.write_str(" trusted")?;
        }
        Ok(())
    }
}

/// The node itself.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct About(NodeInfo);

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let info = &self.0;
        let protocols: Vec<_> = info.protocols.keys().map(String::as_str).collect();
        writeln!(f, "node id    {}", info.id)?;
        writeln!(f, "name       {}", info.name)?;
        writeln!(f, "enode      {}", info.enode)?;
        writeln!(f, "listens on {}", info.listen_addr)?;
        write!(f, "protocols  {}", protocols.join(", "))
    }
}

/// The node did what it was asked for.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Done {
    Added { node_id: NodeId },
    Removed { node_id: NodeId },
    Trusted { node_id: NodeId },
    Distrusted { node_id: NodeId },
    Stopped,
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added { node_id } => write!(f, "added {node_id}"),
            Self::Removed { node_id } => write!(f, "removed {node_id}"),
            Self::Trusted { node_id } => write!(f, "trusted {node_id}"),
            Self::Distrusted { node_id } => write!(f, "distrusted {node_id}"),
            Self::Stopped => f.write_str("stopped"),
        }
    }
}

pub(crate) async fn run(args: Args, out: &Output) -> Result<(), Failure> {
    let mut node = Client::connect(&args.socket()?).await?;
    let (request, done) = match args.action {
        None => return show_peers(&mut node, out).await,
        Some(Action::Info) => {
            let info = node.ask(&Request::NodeInfo {}).await?;
            return out.tell(&About(info));
        }
        Some(Action::Stop) => {
            let () = node.ask(&Request::Stop {}).await?;
            node.ended().await?;
            return out.tell(&Done::Stopped);
        }
        Some(Action::Add { node: enode }) => {
            let node_id = enode.node_id();
            (Request::Add { enode }, Done::Added { node_id })
        }
        Some(Action::Remove { node }) => {
            let done = Done::Removed { node_id: node.0 };
            (Request::Remove { node }, done)
        }
        Some(Action::Trust { node }) => {
            let done = Done::Trusted { node_id: node.0 };
            (Request::Trust { node }, done)
        }
        Some(Action::Distrust { node }) => {
            let done = Done::Distrusted { node_id: node.0 };
            (Request::Distrust { node }, done)
        }
    };
    let () = node.ask(&request).await?;
    out.tell(&done)
}

async fn show_peers(node: &mut Client, out: &Output) -> Result<(), Failure> {
    let peers: Vec<Row> = node.ask(&Request::Peers {}).await?;
    if peers.is_empty() {
        out.remark("no peers");
    }
    out.tell_all(&peers)
}
