//! The file that stores a node's own record between runs.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use tracing::warn;

use crate::node::{NodeId, NodeRecord};
use crate::private_file;

/// The path of the file.
///
/// The first line is the text of the record. The other lines are the addresses at which others saw
/// this node.
#[derive(Debug)]
pub(super) struct Kept(pub(super) PathBuf);

/// The content of the file, from the last run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Last {
    pub(super) record: NodeRecord,
    pub(super) seen: Vec<SocketAddr>,
}

impl Kept {
    /// Loads the content that the last run of this node stored, if any. A damaged file is renamed.
    ///
    /// A record of another node is ignored. Overwriting such a record does no harm, since the other
    /// node's next record uses the time as its sequence number.
    pub(super) fn load(&self, own: &NodeId) -> io::Result<Option<Last>> {
        let path = &self.0;
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => String::new(),
            Err(error) => return Err(error),
        };
        let why = match parse(&text) {
            Ok(last) => return Ok(Some(last).filter(|last| last.record.node_id() == *own)),
            Err(why) => why,
        };
        let aside = private_file::keep_aside(path)?;
        warn!(path = %path.display(), aside = %aside.display(), %why, "the stored node record is damaged");
        Ok(None)
    }

    /// Stores the content, and replaces any earlier content.
    pub(super) fn save(&self, last: &Last) -> io::Result<()> {
        let mut text = format!("{}\n", last.record);
        for seen in &last.seen {
            text.push_str(&format!("{seen}\n"));
        }
        private_file::write_over(&self.0, text.as_bytes())
    }
}

fn parse(text: &str) -> Result<Last, String> {
    let mut lines = text.lines();
    let record = lines.next().unwrap_or_default().parse::<NodeRecord>();
    let record = record.map_err(|error| error.to_string())?;
    let seen: Result<Vec<_>, _> = lines.map(str::parse).collect();
    let seen = seen.map_err(|error| format!("an address below the record: {error}"))?;
    Ok(Last { record, seen })
}
