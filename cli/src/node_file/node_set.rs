//! The node set of go-ethereum's `devp2p`: an object with an entry for each node id.

use std::cell::Cell;
use std::fmt;
use std::io::{self, Read, Write};

use peermux::{Node, NodeId};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::read::NodesRead;
use super::{KnownNode, NodeFileError, Source, UnixTime, WrongEntry};

/// The zero value of a time in Go.
const NO_TIME: &str = "0001-01-01T00:00:00Z";

/// A node in a set.
///
/// A node without a record has its enode URL instead, which `devp2p` reads too.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    seq: u64,
    record: Node,
    #[serde(default)]
    score: u32,
    #[serde(default)]
    first_response: Time,
    #[serde(default)]
    last_response: Time,
    #[serde(default)]
    last_check: Time,
}

#[derive(Default)]
struct Time(Option<UnixTime>);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(time) => time.serialize(serializer),
            None => NO_TIME.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == NO_TIME {
            return Ok(Self(None));
        }
        let time = text.parse();
        time.map(|time| Self(Some(time)))
            .map_err(|error| D::Error::custom(format!("no time as {NO_TIME}: {error}")))
    }
}

impl From<&KnownNode> for Entry {
    fn from(node: &KnownNode) -> Self {
        let record = match &node.record {
            Some(record) => Node::Record(record.clone()),
            None => Node::Enode(node.enode.clone()),
        };
        Self {
            seq: record.seq(),
            record,
            score: node.liveness,
            first_response: Time(node.first_seen),
            last_response: Time(node.last_seen),
            last_check: Time(node.last_check),
        }
    }
}

impl From<Entry> for KnownNode {
    fn from(entry: Entry) -> Self {
        Self {
            first_seen: entry.first_response.0,
            last_seen: entry.last_response.0,
            last_check: entry.last_check.0,
            liveness: entry.score,
            ..Self::new(entry.record, Source::File)
        }
    }
}

/// Writes a node set.
pub(super) fn write<'a>(
    nodes: impl IntoIterator<Item = &'a KnownNode>,
    out: &mut impl Write,
) -> io::Result<()> {
    out.write_all(b"{")?;
    for (index, node) in nodes.into_iter().enumerate() {
        let separator = if index == 0 { "\n" } else { ",\n" };
        write!(out, "{separator}    \"{}\": ", node.node_id)?;
        serde_json::to_writer(&mut *out, &Entry::from(node))?;
    }
    out.write_all(b"\n}\n")
}

/// Reads a node set that begins on this line.
///
/// Apart from the nodes that are kept, only one entry at a time is in memory.
pub(super) fn read(
    from: impl Read,
    first: u64,
    nodes: &mut NodesRead,
) -> Result<(), NodeFileError> {
    let line = Cell::new(first);
    let counted = Counted { from, line: &line };
    let mut json = serde_json::Deserializer::from_reader(counted);
    let mut other = None;
    let entries = Entries {
        nodes,
        line: &line,
        other: &mut other,
    };
    let read = json.deserialize_map(entries).and_then(|()| json.end());
    if let Some((line, why)) = other {
        return Err(NodeFileError::Entry { line, why });
    }
    read.map_err(|error| {
        if error.is_io() {
            return NodeFileError::Io(error.into());
        }
        // The parser counts lines from the beginning of the set, not of the file.
        let line = first.saturating_add(error.line() as u64).saturating_sub(1);
        let why = WrongEntry::json(&error);
        NodeFileError::Entry { line, why }
    })
}

/// Counts the lines that are read, for errors that the parser does not report.
struct Counted<'a, R> {
    from: R,
    line: &'a Cell<u64>,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        let ends = buffer.iter().take(read).filter(|byte| **byte == b'\n');
        let line = self.line.get().saturating_add(ends.count() as u64);
        self.line.set(line);
        Ok(read)
    }
}

struct Entries<'a> {
    nodes: &'a mut NodesRead,
    line: &'a Cell<u64>,
    /// The error about an entry with the id of another node, and the entry's line.
    other: &'a mut Option<(u64, WrongEntry)>,
}

impl<'de> Visitor<'de> for Entries<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with an entry for each node id")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(id) = map.next_key::<NodeId>()? {
            let node = KnownNode::from(map.next_value::<Entry>()?);
            if node.node_id != id {
                let (got, of) = (id, node.node_id);
                *self.other = Some((self.line.get(), WrongEntry::OtherId { got, of }));
                return Err(A::Error::custom("an entry has the id of another node"));
            }
            self.nodes.keep(node);
        }
        Ok(())
    }
}
