//! Shows static nodes, and why they are not connected.

use std::fmt;
use std::time::Duration;

use peermux::setup::FailureInfo;
use peermux::{Enode, NodeId};
use peermux_cli::request::Query;
use serde::{Deserialize, Serialize};

use crate::admin::Client;
use crate::failure::Failure;
use crate::human;
use crate::output::{Output, printable};

/// A static node, as the running node describes it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StaticNode {
    pub(crate) node_id: NodeId,
    pub(crate) enode: Enode,
    pub(crate) connected: bool,
    pub(crate) failures: u32,
    pub(crate) retry_in_ms: Option<u64>,
    pub(crate) error: Option<FailureInfo>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "event", rename = "static_node")]
struct Line<'a> {
    #[serde(flatten)]
    node: &'a StaticNode,
    #[serde(skip)]
    id: String,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, id } = self;
        let addr = node
            .enode
            .endpoint()
            .map(|at| format!("{}:{}", at.host, at.tcp));
        write!(f, "not connected: {id} {}", addr.unwrap_or_default())?;
        match &node.error {
            Some(error) => write!(f, ": {}", printable(&error.text))?,
            None => write!(f, ": waits to be dialled")?,
        }
        if node.failures > 1 {
            write!(f, ", {} times in a row", node.failures)?;
        }
        match node.retry_in_ms {
            Some(millis) => write!(
                f,
                ", next try in {}",
                human::time(Duration::from_millis(millis))
            ),
            None => Ok(()),
        }
    }
}

/// Shows the static nodes that are not connected. Programs get all static nodes.
pub(super) async fn show(node: &mut Client, out: &Output) -> Result<(), Failure> {
    let mut nodes: Vec<StaticNode> = node.ask(Query::StaticNodes {}).await?;
    if !out.is_json() {
        nodes.retain(|node| !node.connected);
    }
    let lines = nodes.iter().map(|node| Line {
        id: out.id(&node.node_id),
        node,
    });
    out.tell_all(&lines.collect::<Vec<_>>())
}
