//! The description of a node.

use std::fmt;

use peermux::peer::NodeInfo;
use serde::Serialize;

use crate::human;

#[derive(Debug, Serialize)]
#[serde(tag = "event", rename = "node_info")]
pub(super) struct About {
    #[serde(flatten)]
    info: NodeInfo,
}

impl About {
    pub(super) fn new(info: NodeInfo) -> Self {
        Self { info }
    }
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let info = &self.info;
        let protocols: Vec<_> = info.protocols.keys().map(String::as_str).collect();
        let listens = info.listen_addr.map(|addr| addr.to_string());
        writeln!(f, "node id    {}", info.node_id)?;
        writeln!(f, "client     {}", info.client)?;
        writeln!(f, "enode      {}", info.enode)?;
        if let Some(record) = &info.record {
            writeln!(f, "record     {record}")?;
        }
        writeln!(f, "listens on {}", listens.as_deref().unwrap_or("nothing"))?;
        writeln!(f, "peers      {} of {}", info.peers, info.max_peers)?;
        let [used, limit] =
            [info.memory.used, info.memory.limit].map(|bytes| human::bytes(bytes as u64));
        writeln!(f, "memory     {used} of {limit} for all peers")?;
        write!(f, "protocols  {}", protocols.join(", "))
    }
}
