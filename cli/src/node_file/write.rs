//! Writes files of nodes.

use std::io::{self, Write};
use std::path::Path;

use peermux::Enode;
use serde::Serialize;

use super::{KnownNode, node_set};

/// The columns of a CSV table.
const COLUMNS: &str = "node_id,host,tcp,udp,client,p2p_version,capabilities,eth_version,network,\
    genesis,fork_id,head,record_fork_id,rtt_us,outcome,stage,fault,reason_code,reason,error,source,first_seen,\
    last_seen,last_check,liveness,record";

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object for each node.
    JsonLines,
    /// A table in CSV, which peermux does not read.
    Csv,
    /// go-ethereum's node set.
    NodeSet,
}

impl Format {
    /// Returns the form by file name: `.csv`, `.json` for a node set, otherwise JSON lines.
    #[must_use]
    pub fn of_name(path: &Path) -> Self {
        let extension = path.extension().map(std::ffi::OsStr::to_ascii_lowercase);
        match extension.as_deref().and_then(std::ffi::OsStr::to_str) {
            Some("csv") => Self::Csv,
            Some("json") => Self::NodeSet,
            _ => Self::JsonLines,
        }
    }
}

/// Writes nodes in the given form.
///
/// # Errors
///
/// The error of the writer.
pub fn write<'a>(
    format: Format,
    nodes: impl IntoIterator<Item = &'a KnownNode>,
    out: &mut impl Write,
) -> io::Result<()> {
    match format {
        Format::NodeSet => node_set::write(nodes, out),
        Format::JsonLines => nodes.into_iter().try_for_each(|node| {
            serde_json::to_writer(&mut *out, node)?;
            out.write_all(b"\n")
        }),
        Format::Csv => {
            writeln!(out, "{COLUMNS}")?;
            nodes.into_iter().try_for_each(|node| row(node, out))
        }
    }
}

fn row(node: &KnownNode, out: &mut impl Write) -> io::Result<()> {
    let text = |value: Option<String>| value.unwrap_or_default();
    let number = |value: Option<u64>| text(value.map(|value| value.to_string()));
    let time = |time: Option<super::UnixTime>| text(time.map(|time| time.to_string()));
    let endpoint = node.enode.tcp_endpoint().or(Enode::endpoint(&node.enode));
    let eth = node.eth.as_ref();
    let capabilities = node.capabilities.iter().map(ToString::to_string);
    let capabilities = capabilities.collect::<Vec<_>>().join(" ");
    let error = node.error.as_ref();
    let fields = [
        node.node_id.to_string(),
        text(endpoint.map(|endpoint| endpoint.host.to_string())),
        number(endpoint.map(|endpoint| endpoint.tcp.into())),
        number(endpoint.map(|endpoint| endpoint.udp.into())),
        text(node.client.clone()),
        number(node.p2p_version),
        capabilities,
        number(eth.map(|eth| eth.version)),
        number(eth.map(|eth| eth.network)),
        text(eth.map(|eth| eth.genesis.clone())),
        text(eth.map(|eth| eth.fork_id.clone())),
        text(eth.map(|eth| eth.head.clone())),
        text(node.record_fork_id.clone()),
        number(node.rtt_us),
        text(node.outcome.map(|outcome| outcome.name().to_owned())),
        text(error.and_then(|error| Some(error.stage?.to_string()))),
        word(error.and_then(|error| error.fault))?,
        number(node.reason().map(|reason| reason.0.into())),
        text(node.reason().map(|reason| reason.to_string())),
        text(error.map(|error| error.text.clone())),
        word(Some(node.source))?,
        time(node.first_seen),
        time(node.last_seen),
        time(node.last_check),
        node.liveness.to_string(),
        text(node.record.as_ref().map(ToString::to_string)),
    ];
    let fields = fields.map(|field| quoted(&field));
    writeln!(out, "{}", fields.join(","))
}

/// Returns the JSON name of a value.
fn word(value: Option<impl Serialize>) -> io::Result<String> {
    let value = serde_json::to_value(value)?;
    Ok(value.as_str().unwrap_or_default().to_owned())
}

/// Quotes a field of a table ([RFC 4180](https://www.rfc-editor.org/rfc/rfc4180)).
fn quoted(field: &str) -> String {
    if field.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}
