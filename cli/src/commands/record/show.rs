//! `peermux record show`: verifies and prints a record.

use std::fmt::{self, Display, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr};

use peermux::{Enode, NodeId, NodeRecord, PublicKey};
use serde::Serialize;

use crate::failure::Failure;
use crate::output::{Output, printable};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The record, as enr:…
    record: NodeRecord,
}

/// The contents of a record.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    record: NodeRecord,
    node_id: NodeId,
    public_key: PublicKey,
    enode: Enode,
    seq: u64,
    bytes: usize,
    entries: Vec<Entry>,
}

/// An entry: its key, and its value as RLP and perhaps as text.
///
/// The value has a text if EIP-778 defines the key.
#[derive(Debug, Serialize)]
struct Entry {
    key: String,
    value: Option<String>,
    rlp: String,
}

impl Shown {
    pub(crate) fn of(record: &NodeRecord) -> Self {
        let entries = record.pairs().map(|(key, rlp)| Entry {
            key: String::from_utf8_lossy(key).into_owned(),
            value: value(record, key),
            rlp: hex(rlp),
        });
        Self {
            node_id: record.node_id(),
            public_key: *record.public_key(),
            enode: record.to_enode(),
            seq: record.seq(),
            bytes: record.encode().len(),
            entries: entries.collect(),
            record: record.clone(),
        }
    }
}

/// Returns the text of a value whose key EIP-778 names.
fn value(record: &NodeRecord, key: &[u8]) -> Option<String> {
    let bytes = || record.get::<Vec<u8>>(key);
    match key {
        b"id" => String::from_utf8(bytes()?).ok(),
        b"secp256k1" => bytes().map(|bytes| hex(&bytes)),
        b"ip" => Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes()?).ok()?).to_string()),
        b"ip6" => Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes()?).ok()?).to_string()),
        b"tcp" | b"udp" | b"tcp6" | b"udp6" => Some(record.get::<u16>(key)?.to_string()),
        _ => None,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold("0x".to_owned(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.record)?;
        writeln!(f, "node id    {}", self.node_id)?;
        writeln!(f, "enode      {}", self.enode)?;
        write!(f, "number     {}, {} bytes", self.seq, self.bytes)?;
        for entry in &self.entries {
            let value = entry.value.as_ref().unwrap_or(&entry.rlp);
            write!(f, "\n{:<10} {value}", printable(&entry.key))?;
        }
        Ok(())
    }
}

/// A record on one line.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename = "record_contents")]
pub(super) struct Line {
    #[serde(flatten)]
    shown: Shown,
}

impl Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shown.fmt(f)
    }
}

impl Line {
    pub(super) fn of(record: &NodeRecord) -> Self {
        Self {
            shown: Shown::of(record),
        }
    }
}

pub(super) fn run(args: &Args, out: &Output) -> Result<(), Failure> {
    out.tell(&Line::of(&args.record))
}
