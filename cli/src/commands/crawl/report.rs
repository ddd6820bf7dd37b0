//! Prints the line of a node.

use std::fmt;
use std::time::Duration;

use peermux_cli::node_file::{KnownNode, Outcome};
use serde::Serialize;

use crate::output::{printable, reason_text};

/// The line about a node, printed after its visit.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename = "node")]
pub(super) struct Line<'a> {
    #[serde(flatten)]
    pub(super) node: &'a KnownNode,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let node = self.node;
        let id = node.node_id.to_string();
        write!(f, "{}…", id.get(..8).unwrap_or(&id))?;
        match node.enode.tcp_endpoint().or_else(|| node.enode.endpoint()) {
            Some(endpoint) => write!(f, " {}:{}", endpoint.host, endpoint.tcp)?,
            None => f.write_str(" nowhere")?,
        }
        match node.outcome {
            None => return f.write_str(" not visited"),
            Some(Outcome::Met) => {}
            Some(Outcome::Refused) => return write!(f, " refused: {}", reason_text(node.reason())),
            Some(outcome) => return write!(f, " {outcome}"),
        }
        let client = node.client.as_deref().unwrap_or_default();
        write!(f, " {}", printable(client))?;
        for capability in &node.capabilities {
            write!(f, " {}", printable(&capability.to_string()))?;
        }
        if let Some(eth) = &node.eth {
            write!(
                f,
                ", network {} fork {}",
                eth.network,
                printable(&eth.fork_id)
            )?;
        }
        if let Some(rtt) = node.rtt_us {
            write!(
                f,
                ", {:.3} ms",
                Duration::from_micros(rtt).as_secs_f64() * 1e3
            )?;
        }
        if node.reason().is_some() {
            write!(f, ", left early: {}", reason_text(node.reason()))?;
        }
        Ok(())
    }
}
